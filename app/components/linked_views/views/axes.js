// Axes, histograms and words on a canvas.

import {lossUnit} from '../model/scales.js'

const FONT = '"Source Sans", "Source Sans 3", "Segoe UI", system-ui, sans-serif'

export function words(g, text, x, y, {colour, size = 11, align = 'left', weight = 400, veil = null, turn = 0}) {
  g.save()
  g.font = `${weight} ${size}px ${FONT}`
  g.textAlign = align
  g.translate(x, y)
  g.rotate(turn)
  if (veil) {
    const w = g.measureText(text).width
    const from = align === 'right' ? -w : align === 'center' ? -w / 2 : 0
    g.globalAlpha = 0.82
    g.fillStyle = veil
    g.fillRect(from - 3, -size, w + 6, size + 5)
    g.globalAlpha = 1
  }
  g.fillStyle = colour
  g.fillText(text, 0, 0)
  g.restore()
}

export function lossTicks() {
  return [1e-4, 1e-3, 0.01, 0.1, 1, 10].map(v => ({at: lossUnit(v), text: v === 1e-4 ? '≤0.0001' : String(v)}))
}

export function linearTicks(low, high, count = 5) {
  const raw = (high - low) / count
  const power = 10 ** Math.floor(Math.log10(raw || 1))
  const step = [1, 2, 5, 10].find(m => m * power >= raw) * power
  const ticks = []
  if (!(high > low)) return ticks
  for (let v = Math.ceil(low / step) * step; v <= high; v += step)
    ticks.push({at: (v - low) / (high - low), text: String(+v.toPrecision(6))})
  return ticks
}

// Ticks and names of both axes, along the inner box of a plot.
export function axes(g, plot, palette, {x, y, xName, yName}) {
  const i = plot.inner
  g.strokeStyle = palette.line
  g.lineWidth = 1
  g.strokeRect(i.x + 0.5, i.y + 0.5, i.w - 1, i.h - 1)
  let free = -99
  for (const {at, text} of [...x].sort((a, b) => a.at - b.at)) {
    const px = plot.px(at)
    if (px < i.x - 1 || px > i.x + i.w + 1) continue
    g.fillStyle = palette.line
    g.fillRect(px, i.y + i.h, 1, 4)
    if (px - free > 40) {
      const edge = px > plot.w - 22 ? 'right' : 'center'
      words(g, text, edge === 'right' ? plot.w - 1 : px, i.y + i.h + 15, {colour: palette.muted, align: edge})
      free = px
    }
  }
  for (const {at, text} of y) {
    const py = plot.py(at)
    if (py < i.y - 1 || py > i.y + i.h + 1) continue
    g.fillStyle = palette.line
    g.fillRect(i.x - 4, py, 4, 1)
    words(g, text, i.x - 6, py + 4, {colour: palette.muted, align: 'right'})
  }
  words(g, xName, i.x + i.w / 2, plot.h - 5, {colour: palette.muted, align: 'center'})
  words(g, yName, 11, i.y + i.h / 2, {colour: palette.muted, align: 'center', turn: -Math.PI / 2})
}

// Counts of values in equal bins between two bounds; `bad` counts the poison among them.
export function binned(ids, us, low, high, bins, poison) {
  const all = new Float64Array(bins)
  const bad = new Float64Array(bins)
  const scale = bins / (high - low)
  for (let k = 0; k < ids.length; k++) {
    const i = ids[k]
    const bin = us[i] === high ? bins - 1 : Math.floor((us[i] - low) * scale)
    if (bin < 0 || bin >= bins) continue
    all[bin]++
    if (poison?.[i]) bad[bin]++
  }
  return {all, bad}
}

// A histogram as outlines, each scaled to its own peak: poison is a few per cent and would vanish beside the clean.
// `place(share of the range, share of the height)` gives a point.
export function outlines(g, {all, bad}, palette, truth, place) {
  const bins = all.length
  const lines = truth
    ? [
        [all.map((v, k) => v - bad[k]), palette.clean],
        [bad, palette.poison]
      ]
    : [[all, palette.unknown]]
  for (const [counts, colour] of lines) {
    const most = Math.max(...counts)
    if (!most) continue
    g.beginPath()
    g.moveTo(...place(0, 0))
    counts.forEach((v, k) => {
      g.lineTo(...place(k / bins, v / most))
      g.lineTo(...place((k + 1) / bins, v / most))
    })
    g.lineTo(...place(1, 0))
    g.strokeStyle = colour
    g.lineWidth = 1.4
    g.lineJoin = 'miter'
    g.stroke()
  }
}
