// The state that all views share. A gesture changes it and is drawn at once; the server hears of it when the gesture
// ends.

import {fill} from '../elements.js'
import {unpackBits, unpackPacket} from '../packet.js'
import {Model} from './model/model.js'
import {render} from './painting.js'
import {stateOf, wanted} from './request.js'
// biome-ignore lint/correctness/noUnresolvedImports: a text
import HTML from './tune.html' with {type: 'text'}
import {Controls} from './views/controls.js'
import {DistancePanel, HeatPanel} from './views/heat.js'
import {Inspector} from './views/inspector.js'
import {MapPanel, OtherView} from './views/panels.js'
import {Quadrant} from './views/quadrant.js'
import {Curves, Strip} from './views/time.js'

export class App {
  // `Lesson` is the class of the teaching layout, or null for the plain views.
  constructor(root, Lesson) {
    fill(root, HTML)
    this.root = root
    this.model = new Model()
    this.view = {
      epoch: null,
      following: true,
      pin: null,
      hover: null,
      selected: new Uint8Array(0),
      count: 0,
      front: 'density',
      settings: null
    }
    this.stats = {events: 0, cutFrames: 0, draws: []} // read by benchmarks.tuning
    this.seq = Date.now()
    this.todo = null
    const $ = selector => root.querySelector(selector)
    this.quadrant = new Quadrant(this, $('.tn-hero .tn-plot'))
    this.map = new MapPanel(this, $('.tn-map .tn-plot'))
    this.other = new OtherView(this, $('.tn-other .tn-plot'))
    this.heat = new HeatPanel(this, $('.tn-heat .tn-plot'), $('.tn-heat select'), $('.tn-heat .tn-note'))
    this.distances = new DistancePanel(this, $('.tn-fig8'))
    this.strip = new Strip(this, $('.tn-time'))
    this.curves = new Curves(this, $('.tn-curves .tn-plot'))
    this.controls = new Controls(this, $('.tn-controls'))
    this.inspector = new Inspector(this, $('.tn-side'))
    this.plots = [
      ['hero', this.quadrant],
      ['map', this.map],
      ['other', this.other]
    ]
    this.learn = Lesson && new Lesson(this)
    $('.tn-tabs').addEventListener('click', event => {
      if (event.target.dataset.tab) {
        this.tab = event.target.dataset.tab
        this.draw('all')
        this.request()
      }
    })
    $('.tn-front').addEventListener('change', event => {
      this.view.front = event.target.checked ? 'points' : 'density'
      this.draw('all')
    })
    this.onKey = event => {
      const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== 'range'
      if (event.key === 'Escape' && !typing) this.clear()
    }
    document.addEventListener('keydown', this.onKey)
    this.onResize = () => {
      this.fit()
      this.draw('all')
    }
    this.observer = new ResizeObserver(this.onResize)
    this.observer.observe(root)
    window.addEventListener('resize', this.onResize)
    this.tab = 'heat'
    this.fit()
  }

  // Whether a panel is on the page; in the teaching layout some are not.
  shows(panel) {
    return !this.learn || this.learn.shows(panel)
  }

  // Make the views as high as the window allows, so that the page does not scroll.
  fit() {
    if (this.learn?.lesson.slides) {
      this.root.style.height = 'auto'
      return
    }
    const top = this.root.getBoundingClientRect().top + (document.querySelector('[data-testid=stMain]')?.scrollTop ?? 0)
    const height = Math.max(640, Math.min(980, window.innerHeight - top - 14)) + 'px'
    if (this.root.style.height !== height) this.root.style.height = height
  }

  close() {
    this.observer.disconnect()
    this.strip.stop()
    this.learn?.close()
    window.removeEventListener('resize', this.onResize)
    document.removeEventListener('keydown', this.onKey)
  }

  // -- data from the server -------------------------------------------------------------------------------------------

  // A message: new data, or none where only the theme changed.
  receive(bytes) {
    if (bytes === this.data || !bytes?.length) {
      this.draw('all')
      return
    }
    this.data = bytes
    try {
      this.take(bytes)
    } catch (error) {
      console.warn(error)
      const box = this.root.querySelector('.tn-hero .tn-empty')
      box.textContent = error.message
      box.hidden = false
    }
  }

  take(bytes) {
    const packet = unpackPacket(bytes)
    const first = !this.model.ready
    const fresh = this.model.take(packet)
    if (!this.model.ready) {
      this.request(true)
      return
    }
    if (fresh) this.masks = this.model.masks()
    if (first) this.adopt(packet.header)
    if (packet.header.learn) this.learn?.take(packet.header.learn, first)
    const newest = this.model.info.length ? this.model.info.length - 1 : null
    if (this.view.following || this.view.epoch === null || this.view.epoch >= this.model.info.length)
      this.view.epoch = newest
    this.sceneKey = null
    this.draw('all') // drawing asks for what is missing
  }

  // Take over the state of the address and the session; done once, as from then on the views hold the state.
  adopt({state, settings}) {
    const {n} = this.model
    Object.assign(this.view, {
      epoch: state.epoch,
      following: state.epoch === null,
      pin: state.pin,
      settings: {...settings}
    })
    const bytes = Uint8Array.from(atob(state.selected ?? ''), c => c.charCodeAt(0))
    this.view.selected = bytes.length ? unpackBits(bytes, n) : new Uint8Array(n)
    this.view.count = this.view.selected.reduce((sum, v) => sum + v, 0)
  }

  // Ask for what is missing, once for each set of missing things.
  request(geometry = false) {
    const want = wanted(this, geometry)
    const text = JSON.stringify(want)
    if (text === this.wanted) return
    this.wanted = text
    this.seq = Math.max(this.seq + 1, Date.now())
    this.send('ask', {seq: this.seq, want, state: this.view.settings && stateOf(this)})
  }

  // -- gestures -------------------------------------------------------------------------------------------------------

  change(settings) {
    Object.assign(this.view.settings, settings)
    this.draw('cut')
  }

  // A T1 within the recording is an epoch to show; for a later one nothing was recorded.
  warmup(t1) {
    const {own, info} = this.model
    const epoch = own.altruistic_epochs + t1
    if (t1 <= own.t1 && epoch < info.length) {
      this.view.settings.t1 = own.t1
      this.scrub(epoch)
    } else {
      this.view.settings.t1 = t1
      if (info.length > own.altruistic_epochs + own.t1) this.scrub(own.altruistic_epochs + own.t1, true)
    }
    this.draw('cut')
  }

  scrub(epoch, keep = false) {
    if (!this.model.info.length || (epoch === this.view.epoch && !this.view.following)) return
    this.view.epoch = Math.max(0, Math.min(this.model.info.length - 1, epoch))
    this.view.following = false
    if (!keep) this.view.settings.t1 = this.model.own.t1
    this.draw('all')
  }

  follow(on) {
    this.view.following = on
    if (on && this.model.info.length) this.view.epoch = this.model.info.length - 1
    this.draw('all')
    this.commit()
  }

  hover(id) {
    if (id === this.view.hover) return
    this.view.hover = id
    this.draw('marks')
  }

  pick(id, event) {
    if (id === null) return
    if (event?.shiftKey || event?.altKey) {
      this.select([id], event)
      return
    }
    this.view.pin = this.view.pin === id ? null : id
    this.draw('marks')
    this.commit()
  }

  select(ids, event) {
    const {view} = this
    const next = event?.shiftKey || event?.altKey ? view.selected.slice() : new Uint8Array(this.model.n)
    for (const id of ids) next[id] = event?.altKey ? 0 : 1
    view.selected = next
    view.count = next.reduce((sum, v) => sum + v, 0)
    if (!event?.altKey && ids.length) this.inspector.wanted = 'selected'
    this.draw('all')
    this.commit()
  }

  clear() {
    const {view} = this
    if (!view.count && view.pin === null) return
    view.selected = new Uint8Array(this.model.n)
    view.count = 0
    view.pin = null
    this.draw('all')
    this.commit()
  }

  reset() {
    const {alpha, beta, t1, altruistic_epochs, distance} = this.model.own
    Object.assign(this.view.settings, {alpha, beta, altruistic_epochs, distance})
    this.warmup(t1)
    this.draw('cut')
    this.commit()
  }

  // The end of a gesture: tell the server once.
  commit() {
    this.draw('rest')
    this.frame(() => {
      this.wanted = null
      this.request()
    })
  }

  run() {
    this.fire('run', {seq: Date.now(), settings: this.model.effective(this.view), epoch: this.view.epoch})
  }

  // A text that is the same for the same settings at the same epoch.
  key(settings, epoch) {
    const values = [settings.alpha, settings.beta, settings.t1, settings.altruistic_epochs, settings.distance]
    return `${values.map(v => (typeof v === 'number' ? v.toFixed(4) : v)).join()}|${epoch}`
  }

  // -- drawing --------------------------------------------------------------------------------------------------------

  // Mark what is out of date (marks < cut < rest < all). One frame draws it, however many gestures ask.
  draw(what) {
    const order = ['marks', 'cut', 'rest', 'all']
    if (!this.todo) this.frame(() => render(this))
    if (this.todo === null || order.indexOf(what) > order.indexOf(this.todo)) this.todo = what
  }

  frame(job) {
    if (document.hidden) setTimeout(job, 50)
    else requestAnimationFrame(job)
  }
}
