// The bench: what is chosen, asked of the server and painted. One question is on its way at a time; changes made meanwhile go together.

import {addStyle, fill} from '../elements.js'
import {toBase64, unpackPacket} from '../packet.js'
import {themeOf} from '../theme.js'
import {Cell, element, History, MODELS} from './answers.js'
import CSS from './bench.css' with {type: 'text'}
import HTML from './bench.html' with {type: 'text'}
import {Drawing, parseColour} from './drawing.js'
import {paintPixels, Stage} from './stage.js'

const PATIENCE = 4000 // milliseconds until a lost question is asked again
const REST = 250 // after which the hand rests: the address and all checkpoints follow
const LARGEST_FILE = 10e6
const SWATCHES = {white: '#ffffff', black: '#000000', red: '#e8112d', yellow: '#ffcd00', blue: '#1450d7'}

class Bench {
  constructor(root) {
    fill(root, HTML)
    this.root = root
    this.seq = 0
    this.waiting = 0 // time of the question on its way
    this.changedAt = 0 // time of the first change that is not answered yet
    this.mode = 'paint'
    this.brush = 1
    this.colour = parseColour(SWATCHES.white)
    this.stats = {latency: []}
    this.cells = [0, 1].map(row => MODELS.map(([model, words]) => new Cell(model, words, row)))
    root.querySelectorAll('.bn-row').forEach((node, row) => node.append(...this.cells[row].map(cell => cell.node)))
    this.history = new History(this.find('.bn-history'), epoch => this.change({epoch}))
    this.listen()
  }

  find(selector) {
    return this.root.querySelector(selector)
  }

  close() {
    clearTimeout(this.timer)
  }

  listen() {
    const on = (selector, event, act) => this.find(selector).addEventListener(event, act)
    on('.bn-class', 'change', () => {
      this.only = +this.find('.bn-class').value
      this.goTo(this.near(1, -1))
    })
    on('.bn-prev', 'click', () => this.goTo(this.near(-1)))
    on('.bn-next', 'click', () => this.goTo(this.near(1)))
    on('.bn-random', 'click', () => {
      const found = this.matching()
      this.goTo(found[Math.floor(Math.random() * found.length)])
    })
    on('.bn-number', 'change', () => {
      const n = Math.round(+this.find('.bn-number').value)
      this.goTo(Math.min(this.fixed.images - 1, Math.max(0, n || 0)))
    })
    on('.bn-trigger', 'change', () => this.change({trigger: this.find('.bn-trigger').value, down: 0, across: 0}))
    on('.bn-opacity', 'input', () => this.change({opacity: +this.find('.bn-opacity').value}))
    on('.bn-size', 'input', () => this.change({size: +this.find('.bn-size').value}))
    on('.bn-epoch', 'input', () => this.change({epoch: this.header.epochs[+this.find('.bn-epoch').value]}))
    on('.bn-home', 'click', () => this.change({down: 0, across: 0}))
    on('.bn-clear', 'click', () => {
      this.drawing.clear()
      this.drawn()
    })
    on('.bn-brush', 'input', () => {
      this.brush = +this.find('.bn-brush').value
      this.find('.bn-brush-text').textContent = `${this.brush} px`
    })
    on('.bn-colour', 'input', () => this.paintWith(this.find('.bn-colour').value))
    on('.bn-modes', 'click', event => {
      const {mode} = event.target.dataset
      if (mode) this.setMode(mode)
    })
    for (const kind of ['image', 'picture']) on(`.bn-${kind}-file`, 'change', event => this.upload(kind, event.target))
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
    for (const button of this.root.querySelectorAll('[data-mode]'))
      if (button.matches('button')) button.setAttribute('aria-pressed', String(button.dataset.mode === mode))
    this.paintControls()
  }

  paintWith(value) {
    this.colour = parseColour(value)
    this.find('.bn-colour').value = value
    for (const button of this.find('.bn-swatches').children)
      button.setAttribute('aria-pressed', String(button.dataset.colour === value))
    if (this.mode === 'erase') this.setMode('paint')
  }

  // -- which image ---------------------------------------------------------------------------------------------------------------

  matching() {
    const all = this.fixed.labels.map((_, i) => i)
    const found = this.only < 0 ? all : all.filter(i => this.fixed.labels[i] === this.only)
    return found.length ? found : all
  }

  // The next or previous image of the chosen class, around the ends; with `from` = -1 one that fits may stay.
  near(by, from = 0) {
    const found = this.matching()
    const now = (this.state.image ?? -1) + (this.state.image === null ? 0 : from)
    const place = by > 0 ? found.findIndex(i => i > now) : found.findLastIndex(i => i < now)
    return place >= 0 ? found[place] : by > 0 ? found[0] : found[found.length - 1]
  }

  goTo(image) {
    this.change({image})
  }

  upload(kind, input) {
    const file = input.files[0]
    if (!file) return
    input.value = ''
    if (file.size > LARGEST_FILE) {
      this.complain(
        `The picture has ${(file.size / 1e6).toFixed(0)} MB, expected at most ${LARGEST_FILE / 1e6}; make it smaller.`
      )
      return
    }
    const reader = new FileReader()
    reader.onload = () => {
      this.file = {kind, data: reader.result.slice(reader.result.indexOf(',') + 1)}
      this.change(kind === 'picture' ? {trigger: 'picture'} : {})
    }
    reader.onerror = () => this.complain('The browser cannot read this file; choose another one.')
    reader.readAsDataURL(file)
  }

  complain(sentence) {
    const box = this.find('.bn-problem')
    box.textContent = sentence
    box.hidden = !sentence
  }

  // -- asking --------------------------------------------------------------------------------------------------------------------

  change(values) {
    this.changedAt ||= performance.now()
    Object.assign(this.state, values)
    this.asked = false
    this.paintControls()
    this.ask(false)
  }

  moveTo(down, across) {
    const [height, width] = this.shape
    const within = (value, most) => Math.min(most, Math.max(-most, value))
    this.change({down: within(down, height), across: within(across, width)})
  }

  drawn() {
    this.unsent = true
    this.preview()
    this.change({})
  }

  ask(settled) {
    clearTimeout(this.timer)
    if (this.waiting && performance.now() - this.waiting < PATIENCE) return
    this.waiting = performance.now()
    this.sentFor = this.changedAt || this.waiting
    this.changedAt = 0
    this.asked = true
    this.seq = Math.max(Date.now(), this.seq + 1)
    const message = {seq: this.seq, state: {...this.state}, settled}
    if (!this.fixed) message.static = true
    if (this.unsent) {
      message.drawing = toBase64(this.drawing.pixels)
      this.unsent = false
    }
    if (this.file) {
      message.file = this.file
      this.file = null
    }
    this.brought = !!message.file
    this.send('ask', message)
    this.timer = setTimeout(() => this.ask(settled), PATIENCE + 100)
  }

  // A message: new data, or none where only the theme changed.
  receive(bytes) {
    if (bytes === this.data || !bytes?.length) {
      if (this.fixed) this.palette()
      return
    }
    this.data = bytes
    try {
      this.take(bytes)
    } catch (error) {
      console.warn(error)
      this.complain(error.message)
    }
  }

  take(bytes) {
    const {header, arrays} = unpackPacket(bytes)
    if (header.static) this.begin(header, arrays)
    if (!this.fixed) {
      this.seq = header.seq
      this.state = header.state
      this.ask(false)
      return
    }
    if (header.seq < this.seq && !header.static) return // an answer to an earlier question
    clearTimeout(this.timer)
    const answered = this.waiting
    this.waiting = 0
    this.header = header
    const more = !this.asked && answered
    if (!more) this.state = header.state
    this.paint(arrays)
    if (answered) this.stats.latency.push(performance.now() - this.sentFor)
    if (more) this.ask(false)
    else if (!header.history) this.timer = setTimeout(() => this.ask(true), REST)
  }

  begin(header, arrays) {
    this.fixed = header.static
    this.shape = this.fixed.shape
    this.state = header.state
    this.asked = true
    this.seq = Math.max(this.seq, header.seq)
    this.only = this.only ?? -1
    this.drawing = new Drawing(this.shape[0], this.shape[1], arrays.drawing ?? this.drawing?.pixels)
    this.root.style.setProperty('--bn-ratio', `${this.shape[1]} / ${this.shape[0]}`)
    this.stage ??= new Stage(this.find('.bn-stage'), this)
    const options = (selector, pairs) =>
      this.find(selector).replaceChildren(
        ...pairs.map(([value, text]) => Object.assign(document.createElement('option'), {value, textContent: text}))
      )
    options('.bn-class', [[-1, 'all classes'], ...this.fixed.names.map((name, c) => [c, name])])
    options('.bn-trigger', this.fixed.triggers)
    this.find('.bn-class').value = this.only
  }

  // -- painting ------------------------------------------------------------------------------------------------------------------

  paint(arrays) {
    const {header, fixed} = this
    const half = arrays.pixels.length / 2
    this.pixels = [arrays.pixels.subarray(0, half), arrays.pixels.subarray(half)]
    this.palette()
    this.pictures()
    this.complain(header.problem)
    const classes = fixed.names.length
    this.cells.forEach((cells, row) =>
      cells.forEach(cell =>
        cell.paint(fixed.names, header, arrays[cell.model]?.subarray(row * classes, (row + 1) * classes))
      )
    )
    if (header.history) {
      this.history.paint(fixed.names, header.history, header, this.state.epoch)
      this.find('.bn-said').textContent = this.cells
        .flat()
        .map(cell => cell.said)
        .join('. ')
    } else this.history.root.classList.add('waiting')
    this.paintControls()
    Object.assign(this.root.dataset, {seq: header.seq, settled: header.history ? 'yes' : 'no', epoch: this.state.epoch})
  }

  pictures() {
    this.root
      .querySelectorAll('.bn-picture canvas')
      .forEach((canvas, i) => paintPixels(canvas, this.pixels[i], this.shape))
    const {label, note} = this.header
    const what =
      this.state.image === null
        ? 'Image of your own'
        : `${this.kindOfImage} ${this.state.image}, ${this.fixed.names[label]}`
    const [clean, triggered] = this.root.querySelectorAll('.bn-picture canvas')
    clean.setAttribute('aria-label', what)
    triggered.setAttribute('aria-label', `${what}, with the trigger`)
    const box = this.find('.bn-note')
    box.textContent = note
    box.hidden = !note
  }

  get kindOfImage() {
    return this.fixed.areTest ? 'Test image' : 'Training image'
  }

  // What was drawn, at once; the server's pixels follow.
  preview() {
    const {
      drawing,
      shape: [height, width, channels],
      state
    } = this
    const pixels = this.pixels[0].slice()
    const opacity = state.opacity / 100
    for (let r = 0; r < height; r++)
      for (let c = 0; c < width; c++) {
        const row = r - state.down
        const col = c - state.across
        const own = 4 * (row * width + col)
        if (row < 0 || col < 0 || row >= height || col >= width || !drawing.pixels[own + 3]) continue
        const [red, green, blue] = drawing.pixels.subarray(own, own + 3)
        const values = channels === 3 ? [red, green, blue] : [0.299 * red + 0.587 * green + 0.114 * blue]
        values.forEach((value, k) => {
          const i = channels * (r * width + c) + k
          pixels[i] = Math.round(pixels[i] + opacity * (value - pixels[i]))
        })
      }
    paintPixels(this.find('.bn-stage canvas'), pixels, this.shape)
    this.find('.bn-note').hidden = true
  }

  paintControls() {
    const {state, fixed, header} = this
    const set = (selector, value) => {
      const node = this.find(selector)
      if (document.activeElement !== node || node.type === 'range') node.value = value
    }
    const label = this.header.label
    const uploaded = state.image === null
    this.find('.bn-number').max = fixed.images - 1
    set('.bn-number', uploaded ? '' : state.image)
    set('.bn-trigger', state.trigger)
    set('.bn-opacity', state.opacity)
    this.find('.bn-opacity-text').textContent = `${state.opacity} %`
    this.find('.bn-size').max = this.shape[0]
    set('.bn-size', state.size)
    this.find('.bn-size-text').textContent = `${state.size} px`
    this.find('.bn-epoch').max = header.epochs.length - 1
    set('.bn-epoch', header.epochs.indexOf(state.epoch))
    this.find('.bn-epoch').disabled = header.epochs.length < 2
    const stage = fixed.stages[state.epoch]
    this.find('.bn-epoch-text').textContent =
      `after epoch ${state.epoch + 1} of ${fixed.total}${stage ? `: ${stage}` : ''}`
    this.find('.bn-epoch').setAttribute('aria-valuetext', `after epoch ${state.epoch + 1}`)
    this.find('.bn-which').replaceChildren(
      uploaded
        ? 'your own image'
        : `${fixed.areTest ? 'test' : 'clean training'} image ${state.image.toLocaleString('en')} of ${fixed.images.toLocaleString('en')}: `,
      element('b', '', uploaded ? '' : fixed.names[fixed.labels[state.image]])
    )
    this.find('.bn-own-picture').hidden = state.trigger !== 'picture'
    this.find('.bn-draw').hidden = state.trigger !== 'drawn'
    this.find('.bn-home').disabled = !state.down && !state.across
    this.find('.bn-where').textContent = this.whereText()
    const {stage: stageView} = this
    stageView.node.dataset.mode = stageView.paints ? this.mode : 'move'
    stageView.node.setAttribute(
      'aria-label',
      stageView.paints
        ? 'Image with the trigger. Arrow keys move the frame, the space bar paints.'
        : 'Image with the trigger. Drag it or press the arrow keys to move the trigger.'
    )
    stageView.paintCursor()
    this.find('.bn-help').textContent = stageView.paints
      ? 'Paint on the image with the mouse, or move the frame with the arrow keys and press the space bar.'
      : 'Drag on the lower image to move the trigger, or click it and press the arrow keys.'
    this.history.mark(state.epoch)
  }

  whereText() {
    const {down, across} = this.state
    const part = (n, plus, minus) => (n ? `${Math.abs(n)} px ${n > 0 ? plus : minus}` : '')
    return [part(down, 'down', 'up'), part(across, 'right', 'left')].filter(Boolean).join(', ') || 'not moved'
  }

  palette() {
    const palette = this.fixed.palettes[themeOf(this.root) ?? 'light']
    for (const [name, value] of Object.entries(palette)) this.root.style.setProperty(`--bn-${name}`, value)
    this.root.style.setProperty('--bn-edge', palette.unknown)
  }
}

// Called with each message, and when the theme changes.
export default function mount({data, parentElement, setStateValue}) {
  const root = parentElement.querySelector('.bn')
  if (!root.app) {
    addStyle('bn', CSS)
    root.app = new Bench(root)
  }
  root.app.send = setStateValue
  root.app.receive(data)
}
