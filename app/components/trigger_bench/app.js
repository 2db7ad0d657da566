// The bench: it asks the server about the chosen image, trigger and checkpoint, and paints the answer. Only one request
// is on its way at a time; changes made meanwhile go together into the next one.

import {fill} from '../elements.js'
import {toBase64, unpackPacket} from '../packet.js'
import {themeOf} from '../theme.js'
import {Cell, History, MODELS} from './answers.js'
// biome-ignore lint/correctness/noUnresolvedImports: a text
import HTML from './bench.html' with {type: 'text'}
import {Controls} from './controls.js'
import {Drawing} from './drawing.js'
import {paintPixels, Stage} from './stage.js'

const PATIENCE = 4000 // milliseconds after which a lost request is repeated
const REST = 250 // milliseconds without a change after which the address and all checkpoints follow

export class Bench {
  constructor(root) {
    fill(root, HTML)
    this.root = root
    this.seq = 0
    this.waiting = 0 // time of the request on its way
    this.changedAt = 0 // time of the first change that is not answered yet
    this.stats = {latency: []}
    this.cells = [0, 1].map(row => MODELS.map(([model, title]) => new Cell(model, title, row)))
    for (const [row, node] of root.querySelectorAll('.bn-row').entries())
      node.append(...this.cells[row].map(cell => cell.node))
    this.history = new History(this.find('.bn-history'), epoch => this.change({epoch}))
    this.controls = new Controls(this)
  }

  find(selector) {
    return this.root.querySelector(selector)
  }

  close() {
    clearTimeout(this.timer)
  }

  complain(sentence) {
    const box = this.find('.bn-problem')
    box.textContent = sentence
    box.hidden = !sentence
  }

  // -- requests -------------------------------------------------------------------------------------------------------

  change(values) {
    this.changedAt ||= performance.now()
    Object.assign(this.state, values)
    this.asked = false
    this.controls.paint()
    this.ask(false)
  }

  goTo(image) {
    this.change({image})
  }

  moveTo(down, across) {
    const [height, width] = this.shape
    const within = (value, most) => Math.min(most, Math.max(-most, value))
    this.change({down: within(down, height), across: within(across, width)})
  }

  upload(kind, content) {
    this.file = {kind, data: content}
    this.change(kind === 'picture' ? {trigger: 'picture'} : {})
  }

  // The drawing changed: show it at once; the server's pixels follow.
  drawn() {
    this.unsent = true
    const {down, across, opacity} = this.state
    const pixels = this.drawing.over(this.pixels[0], this.shape, down, across, opacity / 100)
    paintPixels(this.find('.bn-stage canvas'), pixels, this.shape)
    this.find('.bn-note').hidden = true
    this.change({})
  }

  // `settled` asks for the answers at all checkpoints too.
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
    this.send('ask', message)
    this.timer = setTimeout(() => this.ask(settled), PATIENCE + 100)
  }

  // -- answers --------------------------------------------------------------------------------------------------------

  // A message: new data, or none where only the theme changed.
  receive(bytes) {
    if (bytes === this.data || !bytes?.length) {
      if (this.fixed) this.choosePalette()
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
    if (header.seq < this.seq && !header.static) return // an answer to an earlier request
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

  // What does not change while the run is shown.
  begin(header, arrays) {
    this.fixed = header.static
    this.shape = this.fixed.shape
    this.state = header.state
    this.asked = true
    this.seq = Math.max(this.seq, header.seq)
    this.drawing = new Drawing(this.shape[0], this.shape[1], arrays.drawing ?? this.drawing?.pixels)
    this.root.style.setProperty('--bn-ratio', `${this.shape[1]} / ${this.shape[0]}`)
    this.stage ??= new Stage(this.find('.bn-stage'), this)
    this.controls.begin(this.fixed)
  }

  // -- painting -------------------------------------------------------------------------------------------------------

  paint(arrays) {
    const {header, fixed} = this
    const half = arrays.pixels.length / 2
    this.pixels = [arrays.pixels.subarray(0, half), arrays.pixels.subarray(half)]
    this.choosePalette()
    this.paintImages()
    this.complain(header.problem)
    const classes = fixed.names.length
    for (const [row, cells] of this.cells.entries())
      for (const cell of cells)
        cell.paint(fixed.names, header, arrays[cell.model]?.subarray(row * classes, (row + 1) * classes))
    if (header.history) {
      this.history.paint(fixed.names, header.history, header, this.state.epoch)
      const summaries = this.cells.flat().map(cell => cell.summary)
      this.find('.bn-said').textContent = summaries.join('. ')
    } else this.history.root.classList.add('waiting')
    this.controls.paint()
    Object.assign(this.root.dataset, {seq: header.seq, settled: header.history ? 'yes' : 'no', epoch: this.state.epoch})
  }

  paintImages() {
    const canvases = this.root.querySelectorAll('.bn-picture canvas')
    for (const [i, canvas] of canvases.entries()) paintPixels(canvas, this.pixels[i], this.shape)
    const {label, note} = this.header
    const {image} = this.state
    const kind = this.fixed.areTest ? 'Test image' : 'Training image'
    const name = image === null ? 'Image of your own' : `${kind} ${image}, ${this.fixed.names[label]}`
    const [clean, triggered] = canvases
    clean.setAttribute('aria-label', name)
    triggered.setAttribute('aria-label', `${name}, with the trigger`)
    const box = this.find('.bn-note')
    box.textContent = note
    box.hidden = !note
  }

  choosePalette() {
    const palette = this.fixed.palettes[themeOf(this.root) ?? 'light']
    for (const [name, value] of Object.entries(palette)) this.root.style.setProperty(`--bn-${name}`, value)
    this.root.style.setProperty('--bn-edge', palette.unknown)
  }
}
