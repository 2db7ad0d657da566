"""Plotly figures of a recorded run. Pure functions without streamlit.

The ground truth is a separate argument. If it is None, every sample is drawn as unknown and no figure mentions poison,
even if the run folder holds the ground truth. Arrays are passed to Plotly as numpy arrays, which it sends as base64
instead of long lists. Every figure has a fixed `uirevision`, so zoom and selection survive updates, and a one-sentence
summary in `layout.meta`.
"""
