// The quadrant: altruistic loss × OSS distance with alpha and beta as lines; after the first split main loss ×
// altruistic loss with the cut of the loss discrepancy as a diagonal. What lies at the upper right is kept.

import {clampShare, LOSS_LOW, lossOf, lossUnit} from '../model/scales.js'
import {cleanRatio, exactCount} from '../model/splits.js'
import {axes, binned, linearTicks, lossTicks, outlines, words} from './axes.js'
import {CutHandle} from './cut_handle.js'
import {linkedPlot} from './plot.js'

const MARGINS = {l: 52, r: 84, t: 50, b: 36}

// The number of descending scores that are at least a value.
function atLeast(byRank, value) {
  let low = 0
  let high = byRank.length
  while (low < high) {
    const mid = (low + high) >> 1
    if (byRank[mid] >= value) low = mid + 1
    else high = mid
  }
  return low
}

export class Quadrant {
  constructor(app, host) {
    this.app = app
    this.plot = linkedPlot(
      app,
      host,
      MARGINS,
      'Samples by altruistic loss and distance; the table beside it has the counts.'
    )
    this.cuts = ['alpha', 'beta', 'ratio'].map(name => new CutHandle(name, this, host))
  }

  // Move a cut to the place of the pointer.
  dragTo(name, x, y) {
    const {plot, app, scene} = this
    if (!scene) return
    if (name === 'alpha') app.change({alpha: clampShare(atLeast(scene.gByRank, lossOf(plot.ux(x))) / scene.n)})
    else if (name === 'beta' && scene.targetScores?.length) {
      const [low, high] = scene.sRange
      app.change({
        beta: clampShare(atLeast(scene.targetScores, low + plot.uy(y) * (high - low)) / scene.targetScores.length)
      })
    } else if (name === 'ratio') {
      const gap = lossOf(plot.uy(y)) - lossOf(1 - plot.ux(x))
      const gaps = this.gaps(scene)
      app.change(this.solved(atLeast(gaps, gap) / gaps.length))
    }
  }

  // The share that the diagonal moves: the one that weighs more in alpha_T at this epoch.
  get moved() {
    const {own} = this.app.model
    const settings = this.app.view.settings
    const weight = this.scene ? this.weightOfAlpha(own, settings.t1) : 1
    return weight >= 0.5 || own.alpha_start !== null ? 'alpha' : 'beta'
  }

  // How much of alpha_T is alpha; the rest is the start of the schedule.
  weightOfAlpha(own, t1) {
    return cleanRatio(this.scene.t, {alpha: 1, start: 0, t1, init: own.init_epochs, t2: own.t2})
  }

  // The setting that makes alpha_T a given ratio.
  solved(ratio) {
    const {own} = this.app.model
    const {alpha, beta, t1} = this.app.view.settings
    const start = own.alpha_start ?? beta
    const weight = this.weightOfAlpha(own, t1)
    return this.moved === 'alpha'
      ? {alpha: clampShare(start + (ratio - start) / Math.max(weight, 0.01))}
      : {beta: clampShare((ratio - weight * alpha) / (1 - weight))}
  }

  // Done once for each scene, palette and zoom.
  setScene(scene) {
    const {app, plot} = this
    const mode = app.view.front
    if (scene.ready !== mode) this.prepare(scene, mode)
    this.scene = scene
    plot.show(scene.points)
  }

  prepare(scene, mode) {
    const {model} = this.app
    const {target} = scene
    const {clean, poison, others, target: targetIds} = model.sides(target)
    const xs = scene.phase === 'later' ? scene.fX : scene.gU
    const ys = scene.phase === 'later' ? scene.gU : (scene.sU ?? model.jitter)
    scene.targetIds = targetIds
    if (scene.oss && target !== null) {
      scene.targetScores = new Float32Array(scene.targetIds.length)
      for (const i of scene.targetIds) scene.targetScores[scene.oss.within[i]] = scene.sByRank[scene.sRank[i]]
    }
    scene.points = {
      xs,
      ys,
      context: others,
      front: mode === 'points' ? [others, clean, poison] : [clean, poison],
      back: mode === 'points' ? new Uint32Array(0) : others
    }
    scene.ready = mode
  }

  // The descending gaps that the diagonal cuts: those of all samples or, where each class is cut by itself, of the
  // suspected one.
  gaps(scene) {
    const {own} = this.app.model
    const byClass = own.completion.startsWith('balanced') && scene.target !== null
    if (!byClass) return scene.gapByRank
    if (!scene.targetGaps) {
      scene.targetGaps = new Float32Array(scene.targetIds.length)
      for (const i of scene.targetIds) scene.targetGaps[scene.byClass.within[i]] = scene.gapByRank[scene.gapRank[i]]
    }
    return scene.targetGaps
  }

  // Where the cuts lie, in units; 1.02 keeps none.
  cutPlaces(settings) {
    const {scene, app} = this
    const {n} = scene
    if (scene.phase === 'later') {
      const gaps = this.gaps(scene)
      const k = exactCount(app.model.ratio(scene, settings), gaps.length)
      return {gap: k > 0 ? gaps[k - 1] : Infinity}
    }
    const k = exactCount(app.model.own.als_init_ratio ?? settings.alpha, n)
    const places = {alpha: k > 0 ? lossUnit(scene.gByRank[k - 1]) : 1.02, beta: null}
    if (scene.targetScores?.length) {
      const kb = exactCount(settings.beta, scene.targetScores.length)
      const [low, high] = scene.sRange
      places.beta = kb > 0 ? (scene.targetScores[kb - 1] - low) / (high - low) : 1.02
    }
    return places
  }

  // The part that is kept: a function from the height to the column where it begins; 2 keeps none.
  keptFrom(places) {
    const {combine} = this.app.model.own
    if (this.scene.phase === 'later') return v => this.diagonal(v, places.gap)
    const a = places.alpha
    const above = v => places.beta === null || v >= places.beta
    if (this.scene.phase === 'alone' || combine === 'als_only') return () => a
    if (combine === 'oss_only') return v => (above(v) ? 0 : 2)
    if (combine === 'union') return v => (above(v) ? 0 : a)
    return combine === 'random' ? () => 2 : v => (above(v) ? a : 2)
  }

  // g - f is at least the gap where f is small; main loss grows to the left, so that the upper right is kept here, too.
  diagonal(v, gap) {
    const f = lossOf(v) - gap
    return f <= LOSS_LOW ? 2 : 1 - lossUnit(f)
  }

  paint(look) {
    const {plot, scene, app} = this
    const places = this.cutPlaces(app.view.settings)
    this.places = places
    plot.paint({
      ...look,
      radius: scene.targetIds.length > 3000 ? 2.1 : scene.targetIds.length > 900 ? 2.5 : 3.2,
      kept: this.keptFrom(places),
      key: `${scene.phase}${scene.loss}|${scene.distance}|${app.view.front}|${app.view.settings.distance}`
    })
    for (const cut of this.cuts) cut.paint(places)
  }

  paintAxes(palette) {
    const {plot, scene, app} = this
    const g = plot.layer(1)
    const {poison} = app.model
    const i = plot.inner
    const zoom = plot.zoom
    const later = scene.phase === 'later'
    const {xs, ys} = scene.points
    const x = later ? lossTicks().map(t => ({...t, at: 1 - t.at})) : lossTicks()
    const y = later ? lossTicks() : scene.sRange ? linearTicks(...scene.sRange) : []
    axes(g, plot, palette, {
      x,
      y,
      xName: later
        ? 'main loss (SCE, nats, log): hard for f  ⟵   ⟶  known to f'
        : 'altruistic loss (SCE, nats, log): learned at once  ⟵   ⟶  hard for a model that memorises',
      yName: later
        ? 'altruistic loss (nats, log)'
        : scene.sRange
          ? 'OSS distance: like another class ⟵  ⟶ a class of its own'
          : 'no distance yet'
    })
    const everyone = app.model.everyone
    const top = binned(everyone, xs, zoom[0], zoom[1], 64, poison)
    outlines(g, top, palette, !!poison, (at, high) => [i.x + at * i.w, i.y - 4 - high * (MARGINS.t - 16)])
    if (later || scene.sRange) {
      const side = binned(later ? everyone : scene.targetIds, ys, zoom[2], zoom[3], 48, poison)
      outlines(g, side, palette, !!poison, (at, high) => [
        i.x + i.w + 5 + high * (MARGINS.r - 18),
        i.y + i.h - at * i.h
      ])
    }
  }

  paintOverlay(palette, marks) {
    const {plot, scene, places, app} = this
    const g = plot.layer(2)
    const i = plot.inner
    const {alpha, beta} = app.view.settings
    g.strokeStyle = palette.text
    g.lineWidth = 1.5
    if (scene.phase === 'later') this.paintDiagonal(g, palette, places.gap)
    else {
      const x = Math.max(i.x, Math.min(i.x + i.w, plot.px(places.alpha)))
      g.beginPath()
      g.moveTo(x, i.y - MARGINS.t + 14)
      g.lineTo(x, i.y + i.h)
      g.stroke()
      const right = x < i.x + i.w - 130
      const share = app.model.own.als_init_ratio
      words(
        g,
        share === null ? `alpha ${alpha.toFixed(3)}` : `ALS share ${share} (fixed)`,
        right ? x + 6 : x - 6,
        i.y - MARGINS.t + 25,
        {colour: palette.text, size: 13, weight: 650, align: right ? 'left' : 'right', veil: palette.surface}
      )
      if (places.beta !== null) {
        const y = Math.max(i.y, Math.min(i.y + i.h, plot.py(places.beta)))
        g.beginPath()
        g.moveTo(i.x, y)
        g.lineTo(i.x + i.w + MARGINS.r - 10, y)
        g.stroke()
        words(g, `beta ${beta.toFixed(3)}`, plot.w - 4, y - 6, {
          colour: palette.text,
          size: 13,
          weight: 650,
          align: 'right',
          veil: palette.surface
        })
      }
    }
    plot.drawMarks(g, marks, palette)
  }

  paintDiagonal(g, palette, gap) {
    const {plot, app, scene} = this
    const i = plot.inner
    g.save()
    g.beginPath()
    g.rect(i.x, i.y, i.w, i.h)
    g.clip()
    g.beginPath()
    for (let k = 0; k <= 240; k++) {
      const u = plot.zoom[0] + (k / 240) * (plot.zoom[1] - plot.zoom[0])
      const value = lossOf(1 - u) + gap
      if (value >= LOSS_LOW) g.lineTo(plot.px(u), plot.py(lossUnit(value)))
    }
    g.stroke()
    g.restore()
    const ratio = app.model.ratio(scene, app.view.settings)
    const sign = gap < 0 ? '−' : ''
    const of = this.gaps(scene) === scene.gapByRank ? '' : ` of ${app.model.header.names[scene.target]}`
    const text = Number.isFinite(gap)
      ? `alpha_T ${ratio.toFixed(3)}${of}: altruistic − main ≥ ${sign}${Math.abs(gap).toPrecision(2)}`
      : 'keeps none'
    words(g, text, i.x + 8, i.y + 18, {colour: palette.text, size: 13, weight: 650, veil: palette.surface})
  }
}
