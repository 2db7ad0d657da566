"""The parts that every section of the report uses: style, sections, pictures."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from PIL import Image

LARGEST_PICTURE = 96
"""Pixels of the longer side; larger pictures are made smaller."""
STYLE = """
:root {
  color-scheme: light dark; --text: #1a1c1f; --paper: #fff; --line: #d5d8dc; --soft: #5f6368; --blue: #0072b2;
  --orange: #d55e00; --grey: #7f7f7f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #f2f3f5; --paper: #0e1117; --line: #3a404a; --soft: #a3a8b0; --blue: #56b4e9; --orange: #e69f00;
    --grey: #9aa0a6;
  }
}
body {
  font: 16px/1.45 system-ui, sans-serif; color: var(--text); background: var(--paper); max-width: 1120px;
  margin: 0 auto; padding: 1.5rem;
}
h1 { font-size: 1.6rem; margin: 0 0 .3rem }
h2 { font-size: 1.2rem; margin: 2rem 0 .6rem }
p { margin: .4rem 0; max-width: 75ch }
.soft, figcaption, th { color: var(--soft) }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 1rem 2rem }
figure { margin: 0 }
svg { width: 100%; height: auto; display: block }
svg text { fill: var(--text); font-size: 12px }
svg .small { fill: var(--soft); font-size: 11px }
svg tspan { font-weight: 600 }
.grid, .axis { stroke: var(--line); stroke-width: 1 }
.mark { stroke: var(--soft); stroke-dasharray: 3 3 }
.all { fill: var(--grey); opacity: .35 }
.front { fill: var(--text); opacity: .75 }
table { border-collapse: collapse; width: 100% }
td, th {
  text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-top: 1px solid var(--line);
  font-weight: normal;
}
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
img {
  image-rendering: pixelated; display: block; width: 64px; height: 64px; object-fit: contain;
  background: var(--line);
}
.big img { width: 150px; height: 150px }
.row { display: flex; flex-wrap: wrap; gap: 1rem }
.alarm { border-left: 4px solid var(--line); padding: .1rem .8rem; margin: .6rem 0 }
.alarm.is-notice { border-color: var(--soft) }
.alarm.is-alarm { border-color: var(--text) }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem }
td { overflow-wrap: break-word }
.file { overflow-wrap: anywhere; font-size: .85rem }
code { font: .85rem/1.5 ui-monospace, monospace }
code span { display: inline-block; max-width: 100% }
.first { overflow-wrap: anywhere; border-bottom: 1px solid var(--line); padding-bottom: 1.2rem }
.first h1 { font-size: 1.7rem; line-height: 1.2 }
.first h2 { margin: 1.3rem 0 .4rem; font-size: 1.1rem }
.first img { width: 96px; height: 96px }
.first li { max-width: 75ch; margin: .2rem 0 }
.first ul, .first ol { margin: .3rem 0; padding-left: 1.4rem }
.first pre { margin: .2rem 0 .4rem; padding: .4rem .6rem; border: 1px solid var(--line); max-width: none }
.suspects figure { width: 8.5rem }
figcaption { font-size: .85rem }
.common { display: flex; gap: 1rem; align-items: start }
.common figure { flex: none; width: 8.5rem }
.rules { max-width: 50rem; overflow-wrap: break-word }
.rules th:not(:first-child) { text-align: right }
.rules .default { border-left: 3px solid var(--blue) }
.rules td:first-child, .rules th:first-child { padding-left: .6rem }
.terms { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: .6rem 2rem; margin: 0 }
dt { font-weight: 600 }
dd { margin: 0; font-size: .9rem }
@media print {
  :root {
    color-scheme: light; --text: #000; --paper: #fff; --line: #bbb; --soft: #444; --blue: #0072b2; --orange: #d55e00;
    --grey: #7f7f7f;
  }
  @page { margin: 12mm }
  body { font-size: 10pt; padding: 0; max-width: none; print-color-adjust: exact }
  .first { break-after: page; border: 0; padding: 0; font-size: 8.5pt; line-height: 1.3 }
  .first h1 { font-size: 15pt }
  .first h2 { font-size: 10.5pt; margin: .5rem 0 .1rem }
  .first p, .first li { max-width: none; margin: .1rem 0 }
  .first img { width: 72px; height: 72px }
  .first figcaption, .first .file, .first code { font-size: 7.5pt }
  .first td, .first th { padding-top: .1rem; padding-bottom: .1rem }
  .first pre { padding: .1rem .4rem; margin: .1rem 0 }
  .rules { max-width: none }
  .suspects { flex-wrap: nowrap }
  .suspects figure { flex: 1 }
  figure, tr, .alarm { break-inside: avoid }
}
"""


def section(title: str, content: str) -> str:
    """A heading with its content; "" without content."""
    return f"<h2>{escape(title)}</h2>{content}" if content else ""


def image(pixels: np.ndarray, alt: str) -> str:
    """An image of the data set, (C, H, W) uint8."""
    return array_image(np.asarray(pixels).transpose(1, 2, 0), alt)


def array_image(pixels: np.ndarray, alt: str) -> str:
    """A picture, (H, W, C) uint8, as a PNG inside the page."""
    step = -(-max(pixels.shape[:2]) // LARGEST_PICTURE)
    small = np.ascontiguousarray(pixels[::step, ::step])
    buffer = io.BytesIO()
    Image.fromarray(small.squeeze(2) if small.shape[2] == 1 else small).save(buffer, "PNG")
    content = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{escape(alt, quote=True)}" src="data:image/png;base64,{content}">'
