// Settings by slider and number, what the preview is worth, what it changes, and the table of both cuts.

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
    const {app, fields, root} = this
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
      : 'This recording holds one distance only; record the run anew for all three.'
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
        ? 'A run needs alpha of at least beta: alpha_T rises from beta to alpha.'
        : idle || (fresh && answer.begin) || 'Trains on from the last epoch that these settings leave as it was.'
    root.querySelector('.tn-reset').hidden = same
  }

  paintDifference(scene, count) {
    const box = this.root.querySelector('.tn-diff')
    const {model} = this.app
    if (!count) {
      this.put(box, '')
      return
    }
    const known = model.poison !== null
    const n = v => v.toLocaleString('en')
    const changed = scene.recorded && (count.gained || count.lost)
    const poison = count.gainedPoison + count.lostPoison
    this.put(
      box,
      changed
        ? `<b>+${n(count.gained)}</b> in, <b>−${n(count.lost)}</b> out${known ? `, <b>${n(poison)}</b> of them poison` : ''}` +
            (known && poison
              ? `<small>${n(count.gainedPoison)} poison in, ${n(count.lostPoison)} poison out</small>`
              : '')
        : `<span>${scene.recorded ? 'the pool that the run had' : scene.phase === 'alone' ? 'the cut by loss alone, so far' : 'the run has no first pool yet'}</span>`
    )
  }

  // Only what is new: setting the same content anew is laid out again.
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
    const n = v => v.toLocaleString('en')
    const bad = v => (known ? `<small>${n(v)} poison</small>` : '')
    if (!count) {
      this.put(table, '')
      return
    }
    if (scene.phase === 'first') {
      const cell = k => `<td class="${k === 3 ? 'pool' : ''}">${n(count.cells[k])}${bad(count.poisoned[k])}</td>`
      this.put(
        table,
        `<caption>clean pool ${n(count.size)}${known ? `, ${n(count.poison)} poison` : ''}</caption><tr><td></td><th scope="col">near</th><th scope="col">far</th></tr><tr><th scope="row">loss high</th>${cell(2)}${cell(3)}</tr><tr><th scope="row">loss low</th>${cell(0)}${cell(1)}</tr>`
      )
    } else {
      const out = count.cells.reduce((a, b) => a + b, 0) - count.size
      const all = count.poisoned.reduce((a, b) => a + b, 0)
      this.put(
        table,
        `<caption>${scene.phase === 'alone' ? 'kept by loss' : 'clean pool'} ${n(count.size)}${known ? `, ${n(count.poison)} poison` : ''}</caption><tr><th scope="row">in</th><td class="pool">${n(count.size)}${bad(count.poison)}</td></tr><tr><th scope="row">out</th><td>${n(out)}${bad(all - count.poison)}</td></tr>`
      )
    }
  }
}
