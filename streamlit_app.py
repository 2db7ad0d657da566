"""Entry point of the dashboard: page set-up and navigation, nothing else. Start it with `streamlit run streamlit_app.py`."""

from pathlib import Path

import streamlit as st

from app.pages import attack, audit, bench, run, tune

ROOT = Path(__file__).parent

st.set_page_config(page_title="BSD: bi-perspective splitting defense", page_icon=ROOT / "app" / "icon.svg", layout="wide", initial_sidebar_state=300)
st.logo(ROOT / "app" / "logo.svg", size="large")
st.html(ROOT / "app" / "page.css")
run_page = st.Page(run.render, title="Run", url_path="run", default=True)
attack_page = st.Page(lambda: attack.render(run_page), title="Attacks", url_path="attacks")
tune_page = st.Page(lambda: tune.render(run_page), title="Tune", url_path="tune")
audit_page = st.Page(lambda: audit.render(run_page), title="Audit", url_path="audit")
bench_page = st.Page(lambda: bench.render(run_page), title="Trigger bench", url_path="bench")
st.navigation([run_page, tune_page, audit_page, attack_page, bench_page], position="top").run()
