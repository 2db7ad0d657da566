"""Entry point of the dashboard: its server, page set-up and navigation. Start it with `streamlit run streamlit_app.py`.

That command imports this file once for the server, and runs it as a script at every change of a page.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import streamlit as st

import app
from app.server.web.serve import app_settings

STYLE = Path(app.__file__).parent / "style"


def page(name: str, *arguments: object) -> Callable[[], None]:
    """A page that is loaded when it is first shown: the first page must not wait for torch, which others need."""
    return lambda: import_module(f"app.pages.{name}").render(*arguments)


def show() -> None:
    """The page that the address names, with the navigation."""
    st.set_page_config(
        page_title="BSD: bi-perspective splitting defense",
        page_icon=STYLE / "icon.svg",
        layout="wide",
        initial_sidebar_state=300,
    )
    st.logo(STYLE / "logo.svg", size="large")
    st.html(STYLE / "page.css")
    run_page = st.Page(page("run"), title="Run", url_path="run")
    learn_page = st.Page(page("learn", run_page), title="Learn", default=True)
    tune_page = st.Page(page("tune", run_page), title="Tune", url_path="tune")
    audit_page = st.Page(page("audit", run_page), title="Audit", url_path="audit")
    attack_page = st.Page(page("attack", run_page), title="Attacks", url_path="attacks")
    bench_page = st.Page(page("bench", run_page), title="Trigger bench", url_path="bench")
    paper_page = st.Page(page("paper"), title="Paper", url_path="paper")
    st.navigation(
        [learn_page, run_page, tune_page, audit_page, attack_page, bench_page, paper_page], position="top"
    ).run()


if __name__ == "__main__":
    show()
else:
    server = st.App(__file__, **app_settings())
