// The two small views of samples: the map of features, and the other pair of scores beside the quadrant.

import {axes, linearTicks, lossTicks, words} from './axes.js'
import {linkedPlot} from './plot.js'

const SMALL = {l: 44, r: 10, t: 8, b: 34}

export class MapPanel {
  constructor(app, host) {
    this.app = app
    this.plot = linkedPlot(
      app,
      host,
      {l: 8, r: 8, t: 6, b: 6},
      'Map of the features of some samples; distances on it are not OSS distances.'
    )
  }

  setScene(scene) {
    const {model} = this.app
    const columns = model.epochs.get(scene.epoch)
    if (columns?.map_xy && scene.map === undefined) scene.map = this.places(columns)
    this.scene = scene
    this.plot.show(scene.map?.points ?? null)
  }

  places({map_xy, map_nearest}) {
    const {model} = this.app
    const {landmarks, poison, n} = model
    const xs = new Float32Array(n).fill(NaN)
    const ys = new Float32Array(n).fill(NaN)
    const nearest = map_nearest ? new Int32Array(n).fill(-1) : null
    for (let k = 0; k < landmarks.length; k++) {
      xs[landmarks[k]] = 0.04 + (0.92 * map_xy[2 * k]) / 65535
      ys[landmarks[k]] = 0.06 + (0.86 * map_xy[2 * k + 1]) / 65535
      if (nearest) nearest[landmarks[k]] = map_nearest[k]
    }
    const clean = landmarks.filter(i => !poison?.[i])
    const bad = landmarks.filter(i => poison?.[i])
    return {points: {xs, ys, front: [clean, bad], back: new Uint32Array(0)}, nearest, centres: this.centres(xs, ys)}
  }

  // The median place of each class, where its name stands.
  centres(xs, ys) {
    const {labels, landmarks} = this.app.model
    const by = new Map()
    const median = values => values.sort((a, b) => a - b)[values.length >> 1]
    for (const i of landmarks) {
      if (!by.has(labels[i])) by.set(labels[i], [])
      by.get(labels[i]).push(i)
    }
    return new Map([...by].map(([c, ids]) => [c, [median(ids.map(i => xs[i])), median(ids.map(i => ys[i]))]]))
  }

  paint(look) {
    this.plot.paint({...look, radius: 2.1, key: `map${this.scene.epoch}`})
  }

  paintAxes() {
    this.plot.layer(1)
  }

  paintOverlay(palette, marks) {
    const {plot, scene} = this
    const g = plot.layer(2)
    if (!scene?.map) return
    const shown = marks.hover ?? marks.pin
    const {centres, points, nearest} = scene.map
    if (shown !== null && Number.isFinite(points.xs[shown]))
      this.paintDistance(g, palette, shown, centres, points, nearest)
    this.paintNames(g, palette, centres)
    plot.drawMarks(g, marks, palette)
  }

  paintNames(g, palette, centres) {
    const {plot, scene, app} = this
    const taken = []
    const names = app.model.header.names
    const wanted = [...centres]
      .filter(([c]) => centres.size <= 20 || c === scene.target)
      .sort(([c]) => (c === scene.target ? -1 : 0))
    for (const [c, [u, v]] of wanted) {
      const text = names[c]
      const w = 6.2 * text.length + 8
      const x = Math.max(w / 2 + 2, Math.min(plot.w - w / 2 - 2, plot.px(u)))
      let y = plot.py(v)
      for (let k = 0; k < 12 && taken.some(t => Math.abs(t[0] - x) < (t[2] + w) / 2 && Math.abs(t[1] - y) < 16); k++)
        y += k % 2 ? -(k + 1) * 8 : (k + 1) * 8
      if (taken.some(t => Math.abs(t[0] - x) < (t[2] + w) / 2 && Math.abs(t[1] - y) < 14) || y < 12 || y > plot.h - 4)
        continue
      taken.push([x, y, w])
      words(g, text, x, y + 4, {
        colour: palette.text,
        align: 'center',
        weight: c === scene.target ? 700 : 400,
        veil: palette.surface
      })
    }
  }

  // The true distance, which the map does not show: a line to the nearest known class, labelled with the distance.
  paintDistance(g, palette, id, centres, points, nearest) {
    const {plot, scene} = this
    const centre = nearest && centres.get(nearest[id])
    if (!centre || !scene.sRank) return
    const x = plot.px(points.xs[id])
    const y = plot.py(points.ys[id])
    const x2 = plot.px(centre[0])
    const y2 = plot.py(centre[1])
    g.strokeStyle = palette.text
    g.setLineDash([4, 3])
    g.beginPath()
    g.moveTo(x, y)
    g.lineTo(x2, y2)
    g.stroke()
    g.setLineDash([])
    words(g, `S ${scene.sByRank[scene.sRank[id]].toFixed(2)}`, (x + x2) / 2, (y + y2) / 2, {
      colour: palette.text,
      align: 'center',
      weight: 650,
      veil: palette.surface
    })
  }
}

// Main × altruistic loss while the quadrant shows distances; afterwards the quadrant of the first split.
export class OtherView {
  constructor(app, host) {
    this.app = app
    this.plot = linkedPlot(app, host, SMALL, 'The other pair of scores of the same samples.')
  }

  setScene(scene) {
    const {model} = this.app
    this.first = scene.phase === 'later' ? this.firstScene() : null
    this.shown = scene.phase === 'later' ? this.first : scene.fU ? scene : null
    if (this.shown && this.shown.other === undefined) {
      const {clean, poison, others} = model.sides(this.shown.target)
      const xs = this.first ? this.shown.gU : this.shown.fX
      const ys = this.first ? this.shown.sU : this.shown.gU
      this.shown.other = {xs, ys, front: [clean, poison], back: others}
    }
    this.plot.show(this.shown?.other ?? null)
  }

  // The scene of T = T1; null while its columns are missing.
  firstScene() {
    const {model, view} = this.app
    const epoch = model.own.altruistic_epochs + model.own.t1
    if (!model.has(epoch)) return null
    const found = model.scene({
      ...view,
      epoch,
      settings: {
        ...view.settings,
        distance: model.own.distance,
        altruistic_epochs: model.own.altruistic_epochs,
        t1: model.own.t1
      }
    })
    return found?.sU ? found : null
  }

  paint(look) {
    this.plot.paint({...look, radius: 1.9, key: `other${this.shown?.epoch}${!!this.first}`})
  }

  paintAxes(palette) {
    const g = this.plot.layer(1)
    const {shown, first} = this
    if (!shown) return
    axes(
      g,
      this.plot,
      palette,
      first
        ? {x: lossTicks(), y: linearTicks(...shown.sRange, 4), xName: 'altruistic loss at T1', yName: 'OSS distance'}
        : {
            x: lossTicks().map(t => ({...t, at: 1 - t.at})),
            y: lossTicks(),
            xName: 'main loss: hard ⟵  ⟶ known',
            yName: 'altruistic loss'
          }
    )
  }

  paintOverlay(palette, marks) {
    this.plot.drawMarks(this.plot.layer(2), marks, palette)
  }
}
