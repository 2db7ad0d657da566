// The controls of the bench: which image, which trigger and which checkpoint.

import {element} from './answers.js'
import {parseColour} from './drawing.js'

const LARGEST_FILE = 10e6
const SWATCHES = {white: '#ffffff', black: '#000000', red: '#e8112d', yellow: '#ffcd00', blue: '#1450d7'}

export class Controls {
  constructor(bench) {
    this.bench = bench
    this.mode = 'paint'
    this.brush = 1
    this.colour = parseColour(SWATCHES.white)
    this.onlyClass = -1
    this.listen()
    this.addSwatches()
  }

  find(selector) {
    return this.bench.find(selector)
  }

  listen() {
    const {bench} = this
    const on = (selector, event, act) => this.find(selector).addEventListener(event, act)
    const number = selector => +this.find(selector).value
    on('.bn-class', 'change', () => {
      this.onlyClass = number('.bn-class')
      bench.goTo(this.near(1, -1))
    })
    on('.bn-prev', 'click', () => bench.goTo(this.near(-1)))
    on('.bn-next', 'click', () => bench.goTo(this.near(1)))
    on('.bn-random', 'click', () => {
      const images = this.matching()
      bench.goTo(images[Math.floor(Math.random() * images.length)])
    })
    on('.bn-number', 'change', () => {
      const image = Math.round(number('.bn-number')) || 0
      bench.goTo(Math.min(bench.fixed.images - 1, Math.max(0, image)))
    })
    on('.bn-trigger', 'change', () => bench.change({trigger: this.find('.bn-trigger').value, down: 0, across: 0}))
    on('.bn-opacity', 'input', () => bench.change({opacity: number('.bn-opacity')}))
    on('.bn-size', 'input', () => bench.change({size: number('.bn-size')}))
    on('.bn-epoch', 'input', () => bench.change({epoch: bench.header.epochs[number('.bn-epoch')]}))
    on('.bn-home', 'click', () => bench.change({down: 0, across: 0}))
    on('.bn-clear', 'click', () => {
      bench.drawing.clear()
      bench.drawn()
    })
    on('.bn-brush', 'input', () => {
      this.brush = number('.bn-brush')
      this.find('.bn-brush-text').textContent = `${this.brush} px`
    })
    on('.bn-colour', 'input', () => this.paintWith(this.find('.bn-colour').value))
    on('.bn-modes', 'click', event => {
      const {mode} = event.target.dataset
      if (mode) this.setMode(mode)
    })
    for (const kind of ['image', 'picture']) on(`.bn-${kind}-file`, 'change', event => this.read(kind, event.target))
  }

  addSwatches() {
    for (const [name, value] of Object.entries(SWATCHES)) {
      const button = element('button')
      Object.assign(button, {type: 'button', title: name})
      button.style.background = value
      button.dataset.colour = value
      button.setAttribute('aria-label', name)
      button.setAttribute('aria-pressed', String(name === 'white'))
      button.addEventListener('click', () => this.paintWith(value))
      this.find('.bn-swatches').append(button)
    }
  }

  setMode(mode) {
    this.mode = mode
    for (const button of this.bench.root.querySelectorAll('button[data-mode]'))
      button.setAttribute('aria-pressed', String(button.dataset.mode === mode))
    this.paint()
  }

  paintWith(value) {
    this.colour = parseColour(value)
    this.find('.bn-colour').value = value
    for (const button of this.find('.bn-swatches').children)
      button.setAttribute('aria-pressed', String(button.dataset.colour === value))
    if (this.mode === 'erase') this.setMode('paint')
  }

  // Images of the chosen class, or all where it has none.
  matching() {
    const {labels} = this.bench.fixed
    const all = labels.map((_, i) => i)
    const images = this.onlyClass < 0 ? all : all.filter(i => labels[i] === this.onlyClass)
    return images.length ? images : all
  }

  // The next or previous image of the chosen class, wrapping around; with `from` = -1 the shown image may be the
  // answer.
  near(by, from = 0) {
    const images = this.matching()
    const {image} = this.bench.state
    const now = (image ?? -1) + (image === null ? 0 : from)
    const at = by > 0 ? images.findIndex(i => i > now) : images.findLastIndex(i => i < now)
    return at >= 0 ? images[at] : images.at(by > 0 ? 0 : -1)
  }

  // Read an image file and hand it to the bench.
  read(kind, input) {
    const {bench} = this
    const file = input.files[0]
    if (!file) return
    input.value = ''
    if (file.size > LARGEST_FILE) {
      const size = (file.size / 1e6).toFixed(0)
      bench.complain(`The picture has ${size} MB, expected at most ${LARGEST_FILE / 1e6} MB; make it smaller.`)
      return
    }
    const reader = new FileReader()
    reader.onload = () => bench.upload(kind, reader.result.slice(reader.result.indexOf(',') + 1))
    reader.onerror = () => bench.complain('The browser cannot read this file; choose another one.')
    reader.readAsDataURL(file)
  }

  // -- painting -------------------------------------------------------------------------------------------------------

  begin({names, triggers}) {
    const options = (selector, pairs) =>
      this.find(selector).replaceChildren(
        ...pairs.map(([value, text]) => Object.assign(document.createElement('option'), {value, textContent: text}))
      )
    options('.bn-class', [[-1, 'all classes'], ...names.map((name, c) => [c, name])])
    options('.bn-trigger', triggers)
    this.find('.bn-class').value = this.onlyClass
  }

  paint() {
    this.paintImage()
    this.paintTrigger()
    this.paintCheckpoint()
    this.paintStage()
    this.bench.history.mark(this.bench.state.epoch)
  }

  // Set a field, but not one that somebody is typing in.
  set(selector, value) {
    const node = this.find(selector)
    if (document.activeElement !== node || node.type === 'range') node.value = value
  }

  paintImage() {
    const {state, fixed} = this.bench
    const own = state.image === null
    this.find('.bn-number').max = fixed.images - 1
    this.set('.bn-number', own ? '' : state.image)
    const count = n => n.toLocaleString('en')
    const kind = fixed.areTest ? 'test' : 'clean training'
    this.find('.bn-which').replaceChildren(
      own ? 'your own image' : `${kind} image ${count(state.image)} of ${count(fixed.images)}: `,
      element('b', '', own ? '' : fixed.names[fixed.labels[state.image]])
    )
  }

  paintTrigger() {
    const {state, shape} = this.bench
    this.set('.bn-trigger', state.trigger)
    this.set('.bn-opacity', state.opacity)
    this.find('.bn-opacity-text').textContent = `${state.opacity} %`
    this.find('.bn-size').max = shape[0]
    this.set('.bn-size', state.size)
    this.find('.bn-size-text').textContent = `${state.size} px`
    this.find('.bn-own-picture').hidden = state.trigger !== 'picture'
    this.find('.bn-draw').hidden = state.trigger !== 'drawn'
    this.find('.bn-home').disabled = !state.down && !state.across
    const part = (n, plus, minus) => (n ? `${Math.abs(n)} px ${n > 0 ? plus : minus}` : '')
    const moves = [part(state.down, 'down', 'up'), part(state.across, 'right', 'left')].filter(Boolean)
    this.find('.bn-where').textContent = moves.join(', ') || 'not moved'
  }

  paintCheckpoint() {
    const {state, fixed, header} = this.bench
    this.find('.bn-epoch').max = header.epochs.length - 1
    this.set('.bn-epoch', header.epochs.indexOf(state.epoch))
    this.find('.bn-epoch').disabled = header.epochs.length < 2
    const stage = fixed.stages[state.epoch]
    const words = `after epoch ${state.epoch + 1}`
    this.find('.bn-epoch-text').textContent = `${words} of ${fixed.total}${stage ? `: ${stage}` : ''}`
    this.find('.bn-epoch').setAttribute('aria-valuetext', words)
  }

  // What the mouse and the keys do on the image with the trigger.
  paintStage() {
    const {stage} = this.bench
    stage.node.dataset.mode = stage.paints ? this.mode : 'move'
    const label = stage.paints
      ? 'Image with the trigger. Arrow keys move the frame, the space bar paints.'
      : 'Image with the trigger. Drag it or press the arrow keys to move the trigger.'
    stage.node.setAttribute('aria-label', label)
    stage.paintCursor()
    this.find('.bn-help').textContent = stage.paints
      ? 'Paint on the image with the mouse, or move the frame with the arrow keys and press the space bar.'
      : 'Drag on the lower image to move the trigger, or click it and press the arrow keys.'
  }
}
