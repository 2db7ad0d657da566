// The history of one sample: both losses and the pool over the epochs that the browser has.

import {scoreNear} from '../model/columns.js'
import {lossUnit} from '../model/scales.js'
import {pixelRatio} from './screen.js'

export function paintPassport(canvas, {model, palette, view}, id) {
  const total = model.header.total
  const w = canvas.clientWidth
  const h = canvas.clientHeight
  const dpr = pixelRatio()
  if (!w) return
  canvas.width = w * dpr
  canvas.height = h * dpr
  const g = canvas.getContext('2d')
  g.scale(dpr, dpr)
  const x = e => ((e + 0.5) / total) * w
  const altruistic = []
  const main = []
  for (let e = 0; e < model.info.length; e++) {
    const columns = model.epochs.get(e)
    if (!columns?.g_rank) continue
    altruistic.push([e, lossUnit(scoreNear(columns.g_curve, columns.g_rank[id], model.n))])
    if (columns.f_level) main.push([e, columns.f_level[id] / 255])
    if (columns.pool) {
      const kept = (columns.pool[id >> 3] >> (id & 7)) & 1
      g.fillStyle = palette.text
      g.strokeStyle = palette.line
      if (kept) g.fillRect((w * e) / total + 0.5, h - 9, w / total - 1, 9)
      else g.strokeRect((w * e) / total + 1, h - 8.5, w / total - 2, 8)
    }
  }
  for (const [points, colour, dash] of [
    [altruistic, palette.text, []],
    [main, palette.unknown, [3, 2]]
  ]) {
    g.strokeStyle = colour
    g.setLineDash(dash)
    g.lineWidth = 1.4
    g.beginPath()
    for (const [e, u] of points) g.lineTo(x(e), 4 + (1 - u) * (h - 20))
    g.stroke()
  }
  g.setLineDash([])
  if (view.epoch !== null) {
    g.fillStyle = palette.text
    g.globalAlpha = 0.5
    g.fillRect(x(view.epoch) - 0.5, 0, 1, h - 10)
  }
}
