// A plot of samples: a raster of points, a layer of axes below it and one of lines, lasso and marks above. Units are 0
// to 1.

import {listenTo} from './pointer.js'
import {densityGrounds, Raster, Sprites} from './raster.js'
import {pixelRatio} from './screen.js'

const SPRITES = new Sprites()

export class Plot {
  constructor(host, {margins, onHover, onPick, onLasso, label}) {
    this.host = host
    this.margins = margins
    this.zoom = [0, 1, 0, 1]
    this.canvases = ['points', 'axes', 'overlay'].map(name => {
      const canvas = document.createElement('canvas')
      canvas.className = `tn-${name}`
      host.append(canvas)
      return canvas
    })
    host.setAttribute('role', 'group') // not an image: the cuts in it are sliders
    host.setAttribute('aria-label', label)
    listenTo(this, onHover, onPick, onLasso)
  }

  resize() {
    const {clientWidth: w, clientHeight: h} = this.host
    const dpr = pixelRatio()
    if (w === this.w && h === this.h && dpr === this.dpr) return false
    Object.assign(this, {w, h, dpr})
    for (const canvas of this.canvases) {
      canvas.width = Math.max(1, Math.round(w * dpr))
      canvas.height = Math.max(1, Math.round(h * dpr))
      canvas.style.width = w + 'px'
      canvas.style.height = h + 'px'
    }
    const m = this.margins
    this.inner = {x: m.l, y: m.t, w: Math.max(1, w - m.l - m.r), h: Math.max(1, h - m.t - m.b)}
    this.raster = new Raster(Math.max(1, Math.round(this.inner.w * dpr)), Math.max(1, Math.round(this.inner.h * dpr)))
    this.groundKey = null
    return true
  }

  layer(k) {
    const g = this.canvases[k].getContext('2d')
    g.setTransform(this.dpr, 0, 0, this.dpr, 0, 0)
    g.clearRect(0, 0, this.w, this.h)
    return g
  }

  // From units to pixels of the host, and back.
  px(u) {
    return this.inner.x + ((u - this.zoom[0]) / (this.zoom[1] - this.zoom[0])) * this.inner.w
  }
  py(v) {
    return this.inner.y + this.inner.h - ((v - this.zoom[2]) / (this.zoom[3] - this.zoom[2])) * this.inner.h
  }
  ux(x) {
    return this.zoom[0] + ((x - this.inner.x) / this.inner.w) * (this.zoom[1] - this.zoom[0])
  }
  uy(y) {
    return this.zoom[2] + ((this.inner.y + this.inner.h - y) / this.inner.h) * (this.zoom[3] - this.zoom[2])
  }
  inside(x, y) {
    const i = this.inner
    return x >= i.x && x <= i.x + i.w && y >= i.y && y <= i.y + i.h
  }

  // Set what is drawn: places (N,) in units, the samples in front, and the others as density; null for nothing.
  show(points) {
    if (this.points !== points) {
      this.points = points
      this.groundKey = null
      this.index = null
    }
  }

  // The density of the samples at the back, drawn again only when something changes it.
  grounds(palette, key) {
    const wanted = [key, palette.name, this.zoom.join(), this.w, this.h].join('|')
    if (this.groundKey === wanted) return
    this.groundKey = wanted
    const {raster, dpr, points} = this
    const cell = Math.max(3, Math.round(6 * dpr))
    const columns = Math.ceil(raster.width / cell)
    const rows = Math.ceil(raster.height / cell)
    const counts = new Uint32Array(columns * rows)
    const [a, b, c, d] = this.zoom
    const {xs, ys, back} = points
    for (let k = 0; k < back.length; k++) {
      const i = back[k]
      const x = (xs[i] - a) / (b - a)
      const y = 1 - (ys[i] - c) / (d - c)
      if (x < 0 || x >= 1 || y < 0 || y >= 1) continue
      counts[(((y * raster.height) / cell) | 0) * columns + (((x * raster.width) / cell) | 0)]++
    }
    ;[this.plain, this.kept] = densityGrounds(raster.width, raster.height, cell, counts, columns, palette)
  }

  // look is {pool, poison, selected, any, palette, mistakes, radius, kept(row in units) -> column in units, key}
  paint(look) {
    const {raster, dpr, points, inner} = this
    if (!points) {
      this.blank()
      return
    }
    this.grounds(look.palette, look.key)
    raster.ground(
      this.plain,
      this.kept,
      look.kept &&
        (row => {
          const u = look.kept(this.zoom[2] + (1 - (row + 0.5) / raster.height) * (this.zoom[3] - this.zoom[2]))
          return Math.round(((u - this.zoom[0]) / (this.zoom[1] - this.zoom[0])) * raster.width)
        })
    )
    const marks = this.marks(look)
    const [a, b, c, d] = this.zoom
    const sx = raster.width / (b - a)
    const sy = raster.height / (d - c)
    const {xs, ys, front} = points
    const {pool, poison, selected, any} = look
    const last = []
    const at = (i, mark) => raster.stamp((xs[i] - a) * sx, raster.height - (ys[i] - c) * sy, mark)
    for (const list of front) {
      const base = list === points.context ? marks.context : marks[any ? 1 : 0]
      for (let k = 0; k < list.length; k++) {
        const i = list[k]
        if (any && selected[i]) {
          last.push(i)
          continue
        }
        const bad = poison ? poison[i] : 2
        const kept = pool ? pool[i] : 1
        at(i, base[bad][kept])
        if (look.mistakes && bad === 1 && kept && !any) at(i, marks.ring)
      }
    }
    if (any) for (let k = 0; k < points.back.length; k++) if (selected[points.back[k]]) last.push(points.back[k])
    for (const i of last) {
      const bad = poison ? poison[i] : 2
      const kept = pool ? pool[i] : 1
      at(i, marks.outline)
      at(i, marks.hole)
      at(i, marks[0][bad][kept])
      if (look.mistakes && bad === 1 && kept) at(i, marks.ring)
    }
    this.canvases[0].getContext('2d').putImageData(raster.image, Math.round(inner.x * dpr), Math.round(inner.y * dpr))
  }

  blank() {
    const g = this.canvases[0].getContext('2d')
    g.clearRect(0, 0, this.canvases[0].width, this.canvases[0].height)
  }

  // [strong, faded][clean, poison, unknown][left out, kept]
  marks(look) {
    const {palette} = look
    const r = look.radius
    const dpr = this.dpr
    const of = opacity =>
      [
        [palette.clean, 'circle'],
        [palette.poison, 'diamond'],
        [palette.unknown, 'circle']
      ].map(([colour, shape]) =>
        [false, true].map(solid => SPRITES.get(shape, solid, r, colour, solid ? opacity : opacity * 0.8, dpr))
      )
    const dots = [false, true].map(solid =>
      SPRITES.get('circle', solid, solid ? 1.2 : 1.3, palette.unknown, solid ? 0.5 : 0.32, dpr)
    )
    return Object.assign([of(0.9), of(0.26)], {
      context: [dots, dots, dots],
      ring: SPRITES.get('ring', false, r + 4, palette.ring, 0.95, dpr),
      outline: SPRITES.get('circle', true, r + 2, palette.ring, 1, dpr),
      hole: SPRITES.get('circle', true, r + 0.9, palette.surface, 1, dpr)
    })
  }

  // The front sample that is nearest to a place, within some pixels; null if there is none.
  nearest(x, y, within = 9) {
    if (!this.points || !this.inside(x, y)) return null
    const {xs, ys, front} = this.points
    const [a, b, c, d] = this.zoom
    const sx = this.inner.w / (b - a)
    const sy = this.inner.h / (d - c)
    const u = this.ux(x)
    const v = this.uy(y)
    let best = within * within
    let nearest = null
    for (const list of front)
      for (let k = 0; k < list.length; k++) {
        const i = list[k]
        const dx = (xs[i] - u) * sx
        const dy = (ys[i] - v) * sy
        const far = dx * dx + dy * dy
        if (far < best) {
          best = far
          nearest = i
        }
      }
    return nearest
  }

  // The samples inside a polygon of pixels.
  within(polygon) {
    const us = polygon.map(([x, y]) => [this.ux(x), this.uy(y)])
    const inside = []
    const xsAll = us.map(p => p[0])
    const ysAll = us.map(p => p[1])
    const box = [Math.min(...xsAll), Math.max(...xsAll), Math.min(...ysAll), Math.max(...ysAll)]
    const {xs, ys, front, back} = this.points
    for (const list of [...front, back])
      for (let k = 0; k < list.length; k++) {
        const i = list[k]
        const x = xs[i]
        const y = ys[i]
        if (x < box[0] || x > box[1] || y < box[2] || y > box[3]) continue
        let odd = false
        for (let p = 0, q = us.length - 1; p < us.length; q = p++) {
          const [x1, y1] = us[p]
          const [x2, y2] = us[q]
          if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) odd = !odd
        }
        if (odd) inside.push(i)
      }
    return inside
  }

  // The lasso, and the marks of the hovered and the pinned sample.
  drawMarks(g, {hover, pin}, palette) {
    g.save()
    g.beginPath()
    g.rect(this.inner.x - 8, this.inner.y - 8, this.inner.w + 16, this.inner.h + 16)
    g.clip()
    for (const [id, radius, width] of [
      [hover, 7, 1.5],
      [pin, 9, 2.4]
    ]) {
      if (id === null || !this.points || !Number.isFinite(this.points.xs[id])) continue
      const x = this.px(this.points.xs[id])
      const y = this.py(this.points.ys[id])
      for (const [colour, w] of [
        [palette.surface, width + 2.4],
        [palette.text, width]
      ]) {
        g.strokeStyle = colour
        g.lineWidth = w
        g.beginPath()
        g.arc(x, y, radius, 0, 7)
        if (id === pin && radius === 9)
          for (const [dx, dy] of [
            [1, 0],
            [-1, 0],
            [0, 1],
            [0, -1]
          ]) {
            g.moveTo(x + 9 * dx, y + 9 * dy)
            g.lineTo(x + 14 * dx, y + 14 * dy)
          }
        g.stroke()
      }
    }
    if (this.lasso) {
      g.strokeStyle = palette.text
      g.lineWidth = 1
      g.setLineDash([3, 3])
      g.beginPath()
      for (const [x, y] of this.lasso) g.lineTo(x, y)
      g.closePath()
      g.stroke()
      g.fillStyle = palette.band
      g.fill()
    }
    g.restore()
  }
}

// A plot whose hover, picks and lasso are those of all views.
export function linkedPlot(app, host, margins, label) {
  const plot = new Plot(host, {
    margins,
    label,
    onHover: id => app.hover(id),
    onPick: (id, event) => app.pick(id, event),
    onLasso: (ids, event) => app.select(ids, event)
  })
  plot.changed = above => (above ? app.draw('marks') : app.draw('all'))
  return plot
}
