// The handle of one cut in the quadrant: a slider that is dragged, or moved by the keyboard.

import {clampShare, LOSS_LOW, lossOf, lossUnit} from '../model/scales.js'
import {placeIn} from './screen.js'

const STEP = 0.005
const STEPS = {PageUp: 0.05, PageDown: -0.05}
const ENDS = {Home: 0.01, End: 1}

export class CutHandle {
  // `name` is alpha, beta, or ratio for the diagonal.
  constructor(name, quadrant, host) {
    const node = document.createElement('div')
    node.className = `tn-cut tn-cut-${name}`
    node.tabIndex = 0
    node.setAttribute('role', 'slider')
    node.setAttribute('aria-orientation', name === 'beta' ? 'vertical' : 'horizontal')
    node.setAttribute('aria-valuemin', '0.01')
    node.setAttribute('aria-valuemax', '1')
    node.innerHTML = '<i></i>'
    Object.assign(this, {name, quadrant, node, held: false})
    this.listen(host)
    host.append(node)
  }

  listen(host) {
    const {node, quadrant} = this
    const {app} = quadrant
    node.addEventListener('pointerdown', event => {
      if (event.button !== 0) return
      this.held = true
      node.setPointerCapture(event.pointerId)
      event.stopPropagation()
    })
    node.addEventListener('pointermove', event => {
      event.stopPropagation()
      if (!this.held) return
      app.stats.events++
      quadrant.dragTo(this.name, ...placeIn(host, event))
    })
    const release = () => {
      if (!this.held) return
      this.held = false
      app.commit()
    }
    for (const end of ['pointerup', 'pointercancel']) node.addEventListener(end, release)
    node.addEventListener('keydown', event => this.onKey(event))
    node.addEventListener('keyup', event => {
      if (/^(Arrow|Home|End|Page)/.test(event.key)) app.commit()
    })
  }

  // The share that this handle moves.
  get setting() {
    return this.name === 'ratio' ? this.quadrant.moved : this.name
  }

  onKey(event) {
    const {app} = this.quadrant
    // An arrow moves the line where it points; alpha grows to the left, beta downwards.
    const along = this.name === 'beta' ? 1 : -1
    const arrow = {ArrowRight: along, ArrowLeft: -along, ArrowUp: -along, ArrowDown: along}[event.key]
    const step = arrow ? arrow * STEP * (event.shiftKey ? 10 : 1) : STEPS[event.key]
    const end = ENDS[event.key]
    if (step === undefined && end === undefined) return
    event.preventDefault()
    app.change({[this.setting]: clampShare(end ?? app.view.settings[this.setting] + step)})
  }

  // Move to where the cut lies now.
  paint(places) {
    const {name, node, setting} = this
    const {scene, app} = this.quadrant
    const later = scene.phase === 'later'
    if (name === 'alpha') node.hidden = later || app.model.own.als_init_ratio !== null
    else if (name === 'beta') node.hidden = later || places.beta === null
    else node.hidden = !later || !Number.isFinite(places.gap)
    if (!node.hidden) {
      const box = this[name](places)
      for (const [side, pixels] of Object.entries(box)) node.style[side] = `${pixels}px`
    }
    const value = app.view.settings[setting]
    node.setAttribute('aria-valuenow', value)
    node.setAttribute('aria-label', `${setting}, cut line`)
    node.setAttribute('aria-valuetext', `${setting} ${value.toFixed(3)}`)
  }

  alpha(places) {
    const {plot} = this.quadrant
    const {x, y, w, h} = plot.inner
    const top = plot.margins.t - 12
    const at = Math.max(x, Math.min(x + w, plot.px(places.alpha)))
    return {left: at - 8, top: y - top, height: h + top, width: 16}
  }

  beta(places) {
    const {plot} = this.quadrant
    const {x, y, w, h} = plot.inner
    const at = Math.max(y, Math.min(y + h, plot.py(places.beta)))
    return {top: at - 8, left: x, width: w + plot.margins.r - 10, height: 16}
  }

  // On the diagonal, where it is nearest to the middle of the plot.
  ratio(places) {
    const {plot} = this.quadrant
    const i = plot.inner
    let best = null
    for (let k = 1; k < 60; k++) {
      const u = plot.zoom[0] + (k / 60) * (plot.zoom[1] - plot.zoom[0])
      const value = lossOf(1 - u) + places.gap
      if (value < LOSS_LOW) continue
      const x = plot.px(u)
      const y = plot.py(lossUnit(value))
      const far = Math.hypot(x - i.x - i.w / 2, y - i.y - i.h / 2)
      if (plot.inside(x, y) && (!best || far < best.far)) best = {x, y, far}
    }
    best ??= {x: i.x + i.w / 2, y: i.y + i.h / 2}
    return {left: best.x - 12, top: best.y - 12, width: 24, height: 24}
  }
}
