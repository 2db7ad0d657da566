// One frame of all views.

import {themeOf} from '../theme.js'
import {tally} from './model/tally.js'
import {paintHeadings} from './views/headings.js'

// Draw what is out of date.
export function render(app) {
  const begin = performance.now()
  const what = app.todo
  app.todo = null
  if (!app.root.isConnected || !app.model.ready) return
  const {model, view} = app
  const small = what === 'cut' || what === 'marks'
  app.palette = choosePalette(app)
  if (what === 'all' || !app.curves.size) {
    app.curves.resize()
    app.heat.resize()
  }
  if (!small) app.strip.paint()
  const ready = view.epoch === null ? null : model.scene(view)
  const scene = ready ?? (small && view.epoch !== null ? app.scene : null)
  if (view.epoch !== null && !ready) app.request()
  if (!small) paintHeadings(app, scene)
  if (scene) paintScene(app, scene, what)
  else {
    app.scene = null
    app.controls.paint({phase: 'none', recorded: null}, null)
  }
  if (what !== 'marks') {
    if (app.shows('curves')) app.curves.paint(app.palette)
    app.learn?.paint()
  }
  app.inspector.paintPin(scene, scene && app.masks, what !== 'cut')
  if (what === 'marks') app.inspector.paintHover()
  if (what === 'cut') {
    app.stats.cutFrames++
    app.stats.draws.push(performance.now() - begin)
  }
  report(app, scene)
}

// What is shown, as attributes of the root element.
function report({root, model, view, count}, scene) {
  root.dataset.epoch = view.epoch ?? ''
  root.dataset.shown = scene ? view.epoch : ''
  if (!scene || !count) return
  const {size, poison, gained, lost} = count
  Object.assign(root.dataset, {size, poison: model.poison ? poison : '', gained, lost})
}

function paintScene(app, scene, what) {
  const {model, view, palette} = app
  const parts = [scene.phase, scene.loss, scene.distance, scene.epoch, view.front, palette.name, view.settings.distance]
  const key = parts.join()
  const changed = key !== app.sceneKey || what === 'all'
  const pools = what !== 'marks' || changed
  app.sceneKey = key
  app.scene = scene
  if (changed)
    for (const [panel, part] of app.plots) {
      if (app.shows(panel)) part.plot.resize()
      part.setScene(scene)
    }
  const shown = app.plots.filter(([panel]) => app.shows(panel)).map(([, part]) => part)
  if (pools) {
    model.pool(scene, model.effective(view), app.masks)
    app.count = tally(app.masks, scene.recorded, model.poison)
    const look = {
      pool: app.masks.pool,
      poison: model.poison,
      selected: view.selected,
      any: view.count > 0,
      palette,
      mistakes: scene.phase !== 'alone'
    }
    for (const part of shown) part.paint(look)
  }
  for (const part of shown) {
    if (changed) part.paintAxes(palette)
    part.paintOverlay(palette, view)
  }
  // The page's own elements come last: a change of them makes the browser lay it out.
  if (pools) {
    if (app.shows('heat')) paintRightPanel(app, scene)
    app.controls.paint(scene, app.count)
  }
  if (what === 'rest' || what === 'all') {
    app.inspector.settle(scene, app.masks)
    app.request()
  }
}

// The panel at the right: the map over both shares, or the three distances.
function paintRightPanel(app, scene) {
  const {root, model, tab} = app
  const find = selector => root.querySelector(selector)
  const fig8 = tab === 'fig8'
  for (const button of root.querySelectorAll('.tn-tabs button'))
    button.setAttribute('aria-pressed', String(button.dataset.tab === tab))
  find('.tn-heat .tn-plot').hidden = fig8
  find('.tn-heat select').hidden = fig8
  find('.tn-fig8').hidden = !fig8
  if (!fig8) {
    app.heat.paint(app.palette)
    return
  }
  const first = scene.phase === 'first'
  const there = first && model.has(scene.distance, 'min_rank')
  find('.tn-fig8').classList.toggle('waiting', !there)
  find('.tn-heat .tn-note').textContent = distanceNote(first, there, model)
  if (first) app.distances.paint(app.palette, scene)
}

function distanceNote(first, there, model) {
  if (there) return 'Fig. 8: a click chooses the distance'
  if (!first) return 'distances are of the OSS warm-up: scrub there'
  return model.info.some(row => row.distances) ? 'loading' : 'this recording holds one distance only'
}

// The colours of the theme in use, as they are set on the root element too.
function choosePalette(app) {
  const palette = app.model.header.palettes[themeOf(app.root) ?? 'light']
  if (app.palette?.name !== palette.name) {
    for (const [name, value] of Object.entries(palette)) app.root.style.setProperty(`--tn-${name}`, value)
    app.sceneKey = null
  }
  return palette
}
