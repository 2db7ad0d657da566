// The teaching layout of the linked views: the recordings, the tour, Algorithm 1, and the places of the panels.

import {ENLARGED} from '../views/screen.js'
import {addCaptions, addTimeControls} from './additions.js'
import {AlgorithmPanel} from './algorithm.js'
import {paintCards} from './cards.js'
import {PANELS, SPEEDS} from './layout.js'
// biome-ignore lint/correctness/noUnresolvedImports: a text
import LEARN_HTML from './learn.html' with {type: 'text'}
import {Texts} from './texts.js'
import {TourPanel} from './tour.js'

const SLIDE_WIDTH = 860 // in slides mode everything is laid out for this width and enlarged to that of the window

export class Learn {
  constructor(app) {
    const {root} = app
    const page = document.createElement('template')
    Object.assign(this, {
      app,
      root,
      lesson: {step: 0, captions: 'student', slides: false, hidden: []},
      steps: [],
      speed: 'normal'
    })
    page.innerHTML = LEARN_HTML
    root.append(...page.content.childNodes)
    root.classList.add('tn-learn')
    const $ = selector => root.querySelector(selector)
    this.texts = new Texts(root)
    this.tour = new TourPanel(this, this.texts, $('.tn-tour'))
    this.algorithm = new AlgorithmPanel(app, this.texts, $('.tn-algorithm'))
    $('.tn-captions').addEventListener('click', event => {
      if (event.target.dataset.captions) this.change({captions: event.target.dataset.captions})
    })
    for (const button of [$('.tn-slides'), $('.tn-leave')])
      button.addEventListener('click', () => this.change({slides: !this.lesson.slides}))
    $('.tn-side > h2').textContent = 'Images'
    $('.tn-key').innerHTML = $('.tn-legend').innerHTML
    addTimeControls(this, $('.tn-time'))
    this.captions = addCaptions(this)
    this.onKey = event => this.key(event)
    document.addEventListener('keydown', this.onKey)
  }

  close() {
    document.removeEventListener('keydown', this.onKey)
    this.enlarge(false)
  }

  get slow() {
    return this.speed === 'lines'
  }
  get playMs() {
    return SPEEDS[this.speed][1]
  }
  get step() {
    return this.steps[this.lesson.step]
  }
  shows(panel) {
    return !this.places || panel in this.places
  }

  // -- data from the server -------------------------------------------------------------------------------------------

  take({cards, lesson, steps, algorithm, terms, hideable, captions}, first) {
    Object.assign(this, {steps, captionTexts: captions, hideable})
    this.texts.terms = terms
    this.algorithm.take(algorithm)
    if (first) {
      this.lesson = lesson
      this.app.model.setVeil(this.veiled)
      this.arrange()
    }
    const key = JSON.stringify([cards, this.app.model.header.run])
    if (this.cardsKey !== key) paintCards(this.app, this.root.querySelector('.tn-cards'), cards)
    this.cardsKey = key
    this.paintLesson()
  }

  get veiled() {
    return !!this.step?.veiled && !this.tour.answered
  }

  // -- gestures -------------------------------------------------------------------------------------------------------

  change(part) {
    Object.assign(this.lesson, part)
    this.arrange()
    this.paintLesson()
    this.app.draw('all')
    this.app.commit()
  }

  setSpeed(speed) {
    const {strip} = this.app
    this.speed = speed
    this.algorithm.at = this.slow ? 0 : null
    this.algorithm.key = null
    this.algorithm.paint()
    if (!strip.timer) return
    strip.stop()
    strip.start()
  }

  // Go to a step of the tour; the views show what it is about.
  go(step) {
    if (step < 0 || step >= this.steps.length || step === this.lesson.step) return
    const {app} = this
    this.lesson.step = step
    app.strip.stop()
    app.model.setVeil(this.veiled)
    this.show(this.step)
    this.arrange()
    this.paintLesson()
    this.root.querySelector('.tn-talk').scrollTop = 0
    app.draw('all')
    app.commit()
  }

  show({epoch, selected, pinned}) {
    const {app} = this
    const {view, model} = app
    const {alpha, beta, t1, altruistic_epochs, distance} = model.own
    view.selected = new Uint8Array(model.n)
    for (const id of selected) view.selected[id] = 1
    Object.assign(view, {
      count: selected.length,
      pin: pinned,
      hover: null,
      following: false,
      epoch: Math.min(epoch, model.info.length - 1)
    })
    Object.assign(view.settings, {alpha, beta, t1, altruistic_epochs, distance})
    app.inspector.wanted = selected.length ? 'selected' : null
  }

  // Show the ground truth that was hidden until the prediction.
  reveal() {
    if (!this.app.model.setVeil(this.veiled)) return
    this.app.draw('all')
  }

  // Do what the step suggests to try.
  attempt() {
    const {play, alpha, beta} = this.step.attempt
    const {app} = this
    if (play) {
      app.strip.stop()
      app.scrub(play[0])
      app.strip.start(play[1])
      return
    }
    app.change({...(alpha === null ? {} : {alpha}), ...(beta === null ? {} : {beta})})
    app.commit()
  }

  stageStep(by) {
    const {app} = this
    const {stages} = app.model.header
    const at = stages.findIndex(([, first, last]) => app.view.epoch >= first && app.view.epoch <= last)
    const to = by < 0 && app.view.epoch > stages[at][1] ? at : at + by
    if (to < 0 || to >= stages.length) return
    app.strip.stop()
    app.scrub(stages[to][1])
    app.commit()
  }

  // Exchange a panel with the large one.
  swap(name) {
    const big = Object.keys(this.places).find(panel => this.places[panel] === 'big')
    this.place({...this.places, [big]: this.places[name], [name]: 'big'})
    this.app.draw('all')
  }

  // Arrows or n and p step through the tour, the space bar plays, s toggles the slides; not while typing or moving a
  // slider.
  key(event) {
    const {target, key} = event
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) || target.isContentEditable
    if (event.ctrlKey || event.metaKey || event.altKey || typing || !this.steps.length) return
    if (
      target.getAttribute?.('role') === 'slider' ||
      target.closest?.('.tn-heat .tn-plot') ||
      !(target === document.body || this.root.contains(target) || target.closest?.('[data-testid=stMain]'))
    )
      return
    if (key === 'ArrowRight' || key === 'n') this.go(this.lesson.step + 1)
    else if (key === 'ArrowLeft' || key === 'p') this.go(this.lesson.step - 1)
    else if (key === 's') this.change({slides: !this.lesson.slides})
    else if (key === ' ' && !/^(BUTTON|SUMMARY|A)$/.test(target.tagName)) {
      const {strip} = this.app
      if (!strip.play.disabled) strip.toggle()
    } else return
    event.preventDefault()
  }

  // -- layout ---------------------------------------------------------------------------------------------------------

  arrange() {
    const {focus, also} = this.step
    const small = also.length === 1 ? ['wide'] : ['left', 'right']
    this.enlarge(this.lesson.slides)
    this.place({[focus]: 'big', ...Object.fromEntries(also.map((panel, k) => [panel, small[k]]))})
  }

  place(places) {
    this.places = places
    for (const [name, selector] of Object.entries(PANELS))
      this.root.querySelector(selector).dataset.place = places[name] ?? 'none'
  }

  enlarge(on) {
    const {root, app} = this
    const factor = on ? Math.max(1.15, window.innerWidth / SLIDE_WIDTH) : 1
    root.classList.toggle('tn-slides', on)
    root.style.zoom = factor === 1 ? '' : factor
    ENLARGED.factor = factor
    app.fit()
  }

  // Make the images as large as lets all of them fit into the large panel.
  fitImages() {
    const {grid} = this.app.inspector
    const many = grid.children.length
    if (this.places?.side !== 'big' || !many) {
      if (grid.style.gridTemplateColumns) grid.style.gridTemplateColumns = ''
      return
    }
    const w = grid.clientWidth - 4
    const h = grid.clientHeight - 4
    const key = `${many}|${w}|${h}`
    if (this.imagesKey === key && grid.style.gridTemplateColumns) return
    this.imagesKey = key
    let columns = Math.max(2, Math.ceil(w / 130))
    while (columns < many && Math.ceil(many / columns) * ((w + 6) / columns) > h) columns++
    grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`
  }

  paintLesson() {
    const {root, lesson, texts, captions, captionTexts} = this
    root.dataset.step = lesson.step + 1
    root.dataset.captions = lesson.captions
    root.dataset.hide = lesson.hidden.join(' ')
    root.querySelector('.tn-leave').hidden = !lesson.slides
    for (const button of root.querySelectorAll('.tn-captions button'))
      button.setAttribute('aria-pressed', String(button.dataset.captions === lesson.captions))
    for (const [name, box] of Object.entries(captions)) {
      const text = captionTexts?.[name]?.[lesson.captions === 'student' ? 0 : 1]
      box.hidden = !text
      texts.put(box, text ?? '')
    }
    this.paintTeacher()
    this.tour.paint()
  }

  paintTeacher() {
    const box = this.root.querySelector('.tn-teacher div')
    if (!box.children.length)
      for (const [name, words] of Object.entries(this.hideable ?? {})) {
        const label = document.createElement('label')
        const input = document.createElement('input')
        input.type = 'checkbox'
        input.value = name
        input.addEventListener('change', () =>
          this.change({hidden: [...box.querySelectorAll('input:checked')].map(i => i.value)})
        )
        label.append(input, ` ${words}`)
        box.append(label)
      }
    for (const input of box.querySelectorAll('input')) input.checked = this.lesson.hidden.includes(input.value)
  }

  paint() {
    this.algorithm.paint()
    this.fitImages()
    this.root.querySelector('.tn-key').dataset.truth = this.app.model.poison ? 'shown' : 'hidden'
  }
}
