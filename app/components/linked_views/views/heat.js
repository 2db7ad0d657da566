// The first pool over the grid of alpha and beta, as the engine counts it; a click takes the values of a cell.

import {scoresByRank} from '../model/columns.js'
import {clampShare} from '../model/scales.js'
import {exactCount, groupRanks, ossGroups} from '../model/splits.js'
import {binned, outlines, words} from './axes.js'
import {mixed, rgbOf} from './raster.js'
import {pixelRatio, placeIn} from './screen.js'

const HEAT = {l: 40, r: 12, t: 8, b: 34}

const HEAT_KINDS = {
  poison: {name: 'poison', of: grid => grid.poison, text: v => `${v} poison in the pool`},
  clean: {
    name: 'clean kept',
    of: (grid, total) => grid.clean?.map(v => v / total.clean),
    text: v => `${(100 * v).toFixed(1)} % of the clean kept`
  },
  size: {name: 'pool size', of: grid => grid.size, text: v => `${v.toLocaleString('en')} in the pool`},
  smallest: {name: 'smallest class', of: grid => grid.smallest, text: v => `${v} in the smallest class`}
}

// Cividis in seven steps: from dark to light in even steps of lightness.
const SCALE = ['#00224e', '#123570', '#575d6d', '#7d7c78', '#a59c74', '#d2c060', '#fee838'].map(rgbOf)

function scaleColour(share) {
  const at = Math.max(0, Math.min(1, share)) * (SCALE.length - 1)
  const k = Math.min(SCALE.length - 2, Math.floor(at))
  return `rgb(${mixed(SCALE[k], SCALE[k + 1], at - k).join()})`
}

export class HeatPanel {
  constructor(app, host, chooser, note) {
    Object.assign(this, {app, host, chooser, note})
    this.canvas = document.createElement('canvas')
    host.append(this.canvas)
    host.tabIndex = 0
    host.setAttribute('role', 'group')
    this.at = null
    this.base = document.createElement('canvas')
    host.addEventListener('pointermove', event => {
      this.at = this.cell(event)
      this.say()
    })
    host.addEventListener('pointerleave', () => {
      this.at = null
      this.say()
    })
    host.addEventListener('click', event => this.take(this.cell(event)))
    host.addEventListener('keydown', event => this.onKey(event))
    chooser.addEventListener('change', () => app.draw('all'))
  }

  get grid() {
    return this.app.model.header?.grid
  }

  get kind() {
    const wanted = this.chooser.value
    return this.app.model.poison || !['poison', 'clean'].includes(wanted) ? wanted : 'size'
  }

  // Sizes are read when everything is drawn: reading them after a change of the page makes the browser lay it out at
  // once.
  resize() {
    this.size = [this.host.clientWidth, this.host.clientHeight]
    this.baseKey = null
  }

  box() {
    const [w, h] = this.size
    return {x: HEAT.l, y: HEAT.t, w: w - HEAT.l - HEAT.r, h: h - HEAT.t - HEAT.b, full: [w, h]}
  }

  cell(event) {
    const {grid} = this
    const box = this.box()
    const [px, py] = placeIn(this.host, event)
    if (!grid) return null
    const a = Math.floor(((px - box.x) / box.w) * grid.alphas.length)
    const b = Math.floor((1 - (py - box.y) / box.h) * grid.betas.length)
    return a >= 0 && a < grid.alphas.length && b >= 0 && b < grid.betas.length ? [a, b] : null
  }

  take(cell) {
    if (!cell || !this.grid) return
    this.app.change({alpha: clampShare(this.grid.alphas[cell[0]]), beta: clampShare(this.grid.betas[cell[1]])})
    this.app.commit()
  }

  onKey(event) {
    const move = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key]
    if (!move || !this.grid) return
    event.preventDefault()
    const {alpha, beta} = this.app.view.settings
    const {alphas, betas} = this.grid
    const near = (values, v) =>
      values.reduce((best, x, k) => (Math.abs(x - v) < Math.abs(values[best] - v) ? k : best), 0)
    const next = [
      Math.max(1, Math.min(alphas.length - 1, near(alphas, alpha) + move[0])),
      Math.max(1, Math.min(betas.length - 1, near(betas, beta) + move[1]))
    ]
    this.at = next
    this.take(next)
    this.say()
  }

  say() {
    const {grid, at} = this
    const spec = HEAT_KINDS[this.kind]
    if (!grid) return
    const values = this.values()
    const [a, b] = at ?? [null, null]
    const paper =
      at &&
      this.app.model.header.table7.find(
        r => Math.abs(r.alpha - grid.alphas[a]) < 1e-6 && Math.abs(r.beta - grid.betas[b]) < 1e-6
      )
    if (at === null) this.note.textContent = `${spec.name}, light: more · rings: Table 7`
    else {
      const shares = `alpha ${grid.alphas[a].toFixed(2)}, beta ${grid.betas[b].toFixed(2)}`
      const value = spec.text(values[a * grid.betas.length + b])
      this.note.textContent = `${shares}: ${value}${paper ? ` · Table 7: ${paper.text}` : ''}`
    }
    this.note.title = this.note.textContent
  }

  values() {
    const {grid} = this
    const {n, poison} = this.app.model
    const bad = poison ? poison.reduce((s, v) => s + v, 0) : 0
    return HEAT_KINDS[this.kind].of(grid, {clean: Math.max(1, n - bad)})
  }

  paint(palette) {
    const {canvas, grid, base} = this
    const box = this.box()
    const dpr = pixelRatio()
    const [w, h] = box.full
    if (canvas.width !== Math.round(w * dpr) || canvas.height !== Math.round(h * dpr)) {
      for (const c of [canvas, base]) {
        c.width = Math.round(w * dpr)
        c.height = Math.round(h * dpr)
      }
      Object.assign(canvas.style, {width: w + 'px', height: h + 'px'})
    }
    const key = [grid?.key, this.kind, palette.name, w, h].join()
    if (key !== this.baseKey) {
      this.baseKey = key
      this.paintBase(palette, box, dpr)
    }
    const g = canvas.getContext('2d')
    g.setTransform(1, 0, 0, 1, 0, 0)
    g.clearRect(0, 0, canvas.width, canvas.height)
    if (!grid) return
    g.drawImage(base, 0, 0)
    g.setTransform(dpr, 0, 0, dpr, 0, 0)
    const {alpha, beta} = this.app.view.settings
    this.ring(g, ...this.place(box, alpha, beta), 6.5, 2)
    this.host.setAttribute(
      'aria-label',
      `${HEAT_KINDS[this.kind].name} over alpha and beta; now alpha ${alpha}, beta ${beta}. Arrow keys move.`
    )
    if (this.at === null) this.say()
  }

  place(box, alpha, beta) {
    const A = this.grid.alphas.length
    const B = this.grid.betas.length
    return [box.x + ((alpha * (A - 1) + 0.5) * box.w) / A, box.y + box.h - ((beta * (B - 1) + 0.5) * box.h) / B]
  }

  ring(g, x, y, r, width) {
    for (const [colour, more] of [
      ['#000000', 2],
      ['#ffffff', 0]
    ]) {
      g.strokeStyle = colour
      g.lineWidth = width + more
      g.beginPath()
      g.arc(x, y, r, 0, 7)
      g.stroke()
    }
  }

  paintBase(palette, box, dpr) {
    const {grid, base} = this
    const g = base.getContext('2d')
    const h = box.full[1]
    g.setTransform(dpr, 0, 0, dpr, 0, 0)
    g.clearRect(0, 0, base.width, base.height)
    if (!grid) return
    const values = this.values()
    const A = grid.alphas.length
    const B = grid.betas.length
    const most = Math.max(1e-9, ...values)
    const root = this.kind === 'poison'
    for (let a = 0; a < A; a++)
      for (let b = 0; b < B; b++) {
        const share = values[a * B + b] / most
        g.fillStyle = scaleColour(root ? Math.sqrt(share) : share)
        g.fillRect(box.x + (a * box.w) / A, box.y + box.h - ((b + 1) * box.h) / B, box.w / A + 0.5, box.h / B + 0.5)
      }
    const at = (alpha, beta) => this.place(box, alpha, beta)
    for (const v of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
      words(g, String(v), at(v, 0)[0], box.y + box.h + 13, {colour: palette.muted, align: 'center'})
      words(g, String(v), box.x - 4, at(0, v)[1] + 4, {colour: palette.muted, align: 'right'})
    }
    words(g, 'alpha', box.x + box.w / 2, h - 5, {colour: palette.muted, align: 'center'})
    words(g, 'beta', 10, box.y + box.h / 2, {colour: palette.muted, align: 'center', turn: -Math.PI / 2})
    for (const row of this.app.model.header.table7) this.ring(g, ...at(row.alpha, row.beta), 3, 1)
  }
}

// The three distances side by side (Fig. 8): the suspected class along each of them, cut at the same beta.
export class DistancePanel {
  constructor(app, host) {
    Object.assign(this, {app, host})
    this.rows = ['min', 'mean', 'max'].map(kind => {
      const row = document.createElement('button')
      row.type = 'button'
      row.className = 'tn-distance'
      row.innerHTML = '<span></span><canvas></canvas>'
      row.addEventListener('click', () => {
        app.change({distance: kind})
        app.commit()
      })
      host.append(row)
      return {kind, row, text: row.firstChild, canvas: row.lastChild}
    })
  }

  paint(palette, scene) {
    const {model, view} = this.app
    const columns = model.epochs.get(scene.distance)
    const {labels, poison, own} = model
    for (const {kind, row, text, canvas} of this.rows) {
      row.setAttribute('aria-pressed', String(view.settings.distance === kind))
      const rank = columns?.[`${kind}_rank`]
      const w = row.clientWidth - 12
      const h = Math.max(20, row.clientHeight - 26)
      const dpr = pixelRatio()
      canvas.width = w * dpr
      canvas.height = h * dpr
      Object.assign(canvas.style, {width: w + 'px', height: h + 'px'})
      if (!rank) {
        text.textContent = `${kind} distance`
        continue
      }
      const byRank = scoresByRank(columns[`${kind}_curve`], model.n)
      const ids = scene.targetIds
      const low = byRank[model.n - 1]
      const high = byRank[0]
      const us = new Float32Array(model.n)
      for (const i of ids) us[i] = (byRank[rank[i]] - low) / (high - low || 1)
      const {within} = groupRanks(rank, ossGroups(labels, scene.target), model.header.names.length)
      const kept = exactCount(view.settings.beta, ids.length)
      let bad = 0
      let edge = 1
      for (const i of ids)
        if (within[i] < kept) {
          edge = Math.min(edge, us[i])
          bad += poison ? poison[i] : 0
        }
      const name = kind === own.distance ? `${kind} (the run)` : kind
      text.textContent = `${name}: beta keeps ${kept}${poison ? `, ${bad} poison` : ''}`
      const g = canvas.getContext('2d')
      g.scale(dpr, dpr)
      outlines(g, binned(ids, us, 0, 1, 60, poison), palette, !!poison, (x, y) => [x * w, h - 1 - y * (h - 6)])
      g.strokeStyle = palette.text
      g.lineWidth = 1.5
      g.beginPath()
      g.moveTo(edge * w, 0)
      g.lineTo(edge * w, h)
      g.stroke()
    }
  }
}
