// The settings as sliders and numbers, what a preview is worth, what it changes, and the table of both cuts.

import {clampShare} from '../model/scales.js'

const NAMES = {recorded: 'as recorded', exact: 'exact', 'one step': 'one step', 'needs a run': 'needs a run'}

export class Controls {
  constructor(app, root) {
    Object.assign(this, {app, root})
    this.fields = {}
    for (const name of ['alpha', 'beta', 't1', 'altruistic_epochs']) {
      const row = root.querySelector(`[data-setting=${name}]`)
      const slider = row.querySelector('input[type=range]')
      const number = row.querySelector('input[type=number]')
      const read = input =>
        name === 'alpha' || name === 'beta'
          ? clampShare(+input.value)
          : Math.round(Math.max(+input.min, Math.min(+input.max, +input.value || 0)))
      slider.addEventListener('input', () => this.set(name, read(slider)))
      slider.addEventListener('change', () => app.commit())
      number.addEventListener('change', () => {
        if (number.value !== '') this.set(name, read(number))
        app.commit()
      })
      this.fields[name] = {row, slider, number}
    }
    this.distance = root.querySelector('.tn-distances')
    this.distance.addEventListener('change', event => {
      app.change({distance: event.target.value})
      app.commit()
    })
    root.querySelector('.tn-reset').addEventListener('click', () => app.reset())
    root.querySelector('.tn-run').addEventListener('click', () => app.run())
  }

  set(name, value) {
    if (name === 't1') this.app.warmup(value)
    else this.app.change({[name]: value})
  }

  paint(scene, count) {
    const {app, fields} = this
    const {model, view} = app
    const own = model.own
    const settings = model.effective(view)
    const limits = {
      alpha: [0.01, 1, 0.005],
      beta: [0.01, 1, 0.005],
      t1: [0, 2 * own.t1, 1],
      altruistic_epochs: [1, 2 * own.altruistic_epochs, 1]
    }
    for (const [name, {slider, number}] of Object.entries(fields)) {
      const [low, high, step] = limits[name]
      for (const input of [slider, number]) {
        input.min = low
        input.max = high
        input.step = input === number && step < 1 ? 0.001 : step
      }
      if (document.activeElement?.shadowRoot?.activeElement !== number && document.activeElement !== number)
        number.value = step < 1 ? settings[name].toFixed(3) : settings[name]
      if (+slider.value !== settings[name]) slider.value = settings[name]
      slider.setAttribute('aria-valuetext', step < 1 ? settings[name].toFixed(3) : `${settings[name]} epochs`)
    }
    fields.t1.row.querySelector('small').textContent = `${own.t1} recorded`
    fields.altruistic_epochs.row.querySelector('small').textContent = `${own.altruistic_epochs} rec.`
    for (const input of this.distance.querySelectorAll('input')) {
      input.checked = input.value === view.settings.distance
      input.disabled = !model.info.some(r => r.distances) && input.value !== own.distance
    }
    this.distance.title = model.info.some(r => r.distances)
      ? 'Distance to the known class centres that OSS ranks by (Fig. 8)'
      : 'This recording holds only one distance; record the run again for all three.'
    this.paintWorth(settings)
    this.paintDifference(scene, count)
    this.paintTable(scene, count)
  }

  paintWorth(settings) {
    const {app, root} = this
    const {model, view} = app
    const {answer} = model.header
    const fresh = answer && app.key(answer.settings, answer.epoch) === app.key(settings, view.epoch)
    const same = app.key(settings, 0) === app.key(model.own, 0)
    const [kind, sentence] = fresh
      ? [answer.honesty, answer.sentence]
      : (model.header.worth[model.info[view.epoch]?.stage]?.[same ? 0 : 1] ?? ['recorded', ''])
    const badge = root.querySelector('.tn-badge')
    badge.textContent = NAMES[kind]
    badge.dataset.kind = kind
    root.querySelector('.tn-worth').textContent = sentence
    const run = root.querySelector('.tn-run')
    const idle = model.header.busy
    run.hidden = kind === 'recorded'
    run.disabled = !!idle || settings.alpha < settings.beta || settings.t1 < 1
    run.title =
      settings.alpha < settings.beta
        ? 'A run needs alpha ≥ beta, as alpha_T rises from beta to alpha.'
        : idle || (fresh && answer.begin) || 'Continues training from the last epoch that these settings do not change.'
    root.querySelector('.tn-reset').hidden = same
  }

  paintDifference(scene, count) {
    const box = this.root.querySelector('.tn-diff')
    const {model} = this.app
    if (!count) {
      this.put(box, '')
      return
    }
    const changed = scene.recorded && (count.gained || count.lost)
    this.put(box, changed ? difference(count, model.poison !== null) : `<span>${unchanged(scene)}</span>`)
  }

  // Set the content only when it is new, as setting it makes the browser lay it out again.
  put(box, html) {
    if (box.put !== html) {
      box.put = html
      box.innerHTML = html
    }
  }

  paintTable(scene, count) {
    const table = this.root.querySelector('.tn-table')
    const {model} = this.app
    const known = model.poison !== null
    if (!count) this.put(table, '')
    else this.put(table, scene.phase === 'first' ? tableOfCuts(count, known) : tableOfPool(scene, count, known))
  }
}

const number = value => value.toLocaleString('en')

function difference(count, known) {
  const poison = count.gainedPoison + count.lostPoison
  const both = `${number(count.gainedPoison)} poison in, ${number(count.lostPoison)} poison out`
  return (
    `<b>+${number(count.gained)}</b> in, <b>−${number(count.lost)}</b> out` +
    (known ? `, <b>${number(poison)}</b> of them poison` : '') +
    (known && poison ? `<small>${both}</small>` : '')
  )
}

function unchanged(scene) {
  if (scene.recorded) return 'the same pool as in the run'
  return scene.phase === 'alone' ? 'so far, the cut by loss alone' : 'the run has no first pool yet'
}

// The number of samples, and below it that of the poisoned ones.
const counted = (size, poison, known) => number(size) + (known ? `<small>${number(poison)} poison</small>` : '')

const caption = (name, count, known) =>
  `<caption>${name} ${number(count.size)}${known ? `, ${number(count.poison)} poison` : ''}</caption>`

// The samples on both sides of both cuts.
function tableOfCuts(count, known) {
  const cell = k => `<td class="${k === 3 ? 'pool' : ''}">${counted(count.cells[k], count.poisoned[k], known)}</td>`
  return (
    caption('clean pool', count, known) +
    '<tr><td></td><th scope="col">near</th><th scope="col">far</th></tr>' +
    `<tr><th scope="row">loss high</th>${cell(2)}${cell(3)}</tr>` +
    `<tr><th scope="row">loss low</th>${cell(0)}${cell(1)}</tr>`
  )
}

function tableOfPool(scene, count, known) {
  const sum = values => values.reduce((a, b) => a + b, 0)
  const out = counted(sum(count.cells) - count.size, sum(count.poisoned) - count.poison, known)
  return (
    caption(scene.phase === 'alone' ? 'kept by loss' : 'clean pool', count, known) +
    `<tr><th scope="row">in</th><td class="pool">${counted(count.size, count.poison, known)}</td></tr>` +
    `<tr><th scope="row">out</th><td>${out}</td></tr>`
  )
}
