"""Entry point of the dashboard: page set-up and navigation, nothing else. Start it with `streamlit run streamlit_app.py`."""

from pathlib import Path

import streamlit as st

from app.pages import attack, audit, paper, run, tune

ROOT = Path(__file__).parent

st.set_page_config(page_title="BSD: bi-perspective splitting defense", page_icon=ROOT / "app" / "icon.svg", layout="wide", initial_sidebar_state=300)
st.logo(ROOT / "app" / "logo.svg", size="large")
st.html(ROOT / "app" / "page.css")
run_page = st.Page(run.render, title="Run", url_path="run", default=True)
attack_page = st.Page(lambda: attack.render(run_page), title="Attacks", url_path="attacks")
tune_page = st.Page(lambda: tune.render(run_page), title="Tune", url_path="tune")
audit_page = st.Page(lambda: audit.render(run_page), title="Audit", url_path="audit")
paper_page = st.Page(paper.render, title="Paper", url_path="paper")
st.navigation([run_page, tune_page, audit_page, attack_page, paper_page], position="top").run()
