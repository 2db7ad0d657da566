// One state under all views. A gesture stays here and is drawn at once; the server hears of it when it ends.

import {fill} from '../elements.js'
import {packBits, unpackBits, unpackPacket} from '../packet.js'
import {themeOf} from '../theme.js'
import {Model, tally} from './model/model.js'
import HTML from './tune.html' with {type: 'text'}
import {Controls} from './views/controls.js'
import {DistancePanel, HeatPanel} from './views/heat.js'
import {Inspector} from './views/inspector.js'
import {MapPanel, OtherView} from './views/panels.js'
import {Quadrant} from './views/quadrant.js'
import {Curves, Strip} from './views/time.js'

export class App {
  // `Lesson` is the class of the teaching layout, or null.
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
    this.stats = {events: 0, frames: 0, cutFrames: 0, draws: [], packets: 0, bytes: 0, asked: 0}
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
      if (
        (event.key === 'Escape' && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) ||
        (event.key === 'Escape' && event.target.type === 'range')
      )
        this.clear()
    }
    document.addEventListener('keydown', this.onKey)
    this.observer = new ResizeObserver(() => {
      this.fit()
      this.draw('all')
    })
    this.observer.observe(root)
    this.onResize = () => {
      this.fit()
      this.draw('all')
    }
    window.addEventListener('resize', this.onResize)
    this.tab = 'heat'
    this.fit()
  }

  // Whether a panel is on the page: in the teaching layout some are not.
  shows(panel) {
    return !this.learn || this.learn.shows(panel)
  }

  // As high as the window allows, so that the page need not scroll for the views.
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

  // -- data from the server --------------------------------------------------------------------------------------------

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
    const before = this.model.info.length
    this.stats.packets++
    this.stats.bytes += bytes.byteLength
    this.stats.last = bytes.byteLength
    const fresh = this.model.take(packet)
    if (!this.model.ready) {
      this.request(true)
      return
    }
    if (fresh) this.masks = this.model.masks()
    if (first) this.adopt(packet.header)
    if (packet.header.learn) this.learn?.take(packet.header.learn, first)
    if (this.view.following || this.view.epoch === null)
      this.view.epoch = this.model.info.length ? this.model.info.length - 1 : null
    if (this.view.epoch !== null && this.view.epoch >= this.model.info.length)
      this.view.epoch = this.model.info.length ? this.model.info.length - 1 : null
    if (before !== this.model.info.length || fresh) this.stats.live = (this.stats.live ?? 0) + 1
    this.sceneKey = null
    this.draw('all') // which asks for what is missing, once it knows all
  }

  // What the address and the session say, once at the start: from then on the views know better.
  adopt({state, settings, names}) {
    const {n} = this.model
    Object.assign(this.view, {
      epoch: state.epoch,
      following: state.epoch === null,
      pin: state.pin,
      settings: {...settings}
    })
    this.view.selected = state.selected
      ? unpackBits(
          Uint8Array.from(atob(state.selected), c => c.charCodeAt(0)),
          n
        )
      : new Uint8Array(n)
    this.view.count = this.view.selected.reduce((sum, v) => sum + v, 0)
  }

  // Ask for what is missing: at once what is looked at, then the rest of the run, nearest epochs first.
  request(geometry = false) {
    const {model, view} = this
    const want = {
      geometry: geometry || !model.ready,
      columns: [],
      distances: [],
      maps: [],
      thumbs: [],
      grid: model.header?.grid?.key ?? '',
      rows: model.ready ? model.header.rows : '',
      last: Math.max(-1, ...model.epochs.keys())
    }
    if (model.ready && view.epoch !== null) {
      for (const {epoch, kind} of model.needed(
        view,
        this.tab === 'fig8' || view.settings.distance !== model.own.distance
      ))
        want[kind].push(epoch)
      const near = [...Array(model.info.length).keys()]
        .filter(e => !model.has(e) && !want.columns.includes(e))
        .sort((a, b) => Math.abs(a - view.epoch) - Math.abs(b - view.epoch))
      if (model.n * model.info.length * 6 < 4e8) want.columns.push(...near.slice(0, 64))
      else want.columns.push(...near.slice(0, 4))
      want.thumbs = this.inspector.wantedThumbs()
    }
    const text = JSON.stringify(want)
    if (text === this.wanted) return
    this.wanted = text
    this.tell(want)
  }

  tell(want) {
    const {view} = this
    this.seq = Math.max(this.seq + 1, Date.now())
    this.stats.asked++
    const packed =
      view.settings && view.count
        ? this.packedFor === view.selected && this.packedCount === view.count
          ? this.packedText
          : packBits(view.selected)
        : ''
    this.send('ask', {
      seq: this.seq,
      want: want ?? JSON.parse(this.wanted ?? 'null'),
      state: view.settings && {
        epoch: view.following ? null : view.epoch,
        pin: view.pin,
        selected: packed,
        settings: this.model.effective(view),
        shown: view.epoch,
        lesson: this.learn?.lesson
      }
    })
  }

  // -- gestures --------------------------------------------------------------------------------------------------------

  change(settings) {
    Object.assign(this.view.settings, settings)
    this.draw('cut')
  }

  // T1 within the record is a place in time; beyond it nothing was recorded.
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

  // The end of a gesture: the server hears of it once.
  commit() {
    this.draw('rest')
    this.committed = performance.now()
    this.frame(() => {
      this.wanted = null
      this.request()
    })
  }

  run() {
    this.fire('run', {seq: Date.now(), settings: this.model.effective(this.view), epoch: this.view.epoch})
  }

  key(settings, epoch) {
    return (
      [settings.alpha, settings.beta, settings.t1, settings.altruistic_epochs, settings.distance]
        .map(v => (typeof v === 'number' ? v.toFixed(4) : v))
        .join() +
      '|' +
      epoch
    )
  }

  // -- drawing ---------------------------------------------------------------------------------------------------------

  // What is out of date: marks < cut < rest < all. One frame draws it, however many gestures asked.
  draw(what) {
    const order = ['marks', 'cut', 'rest', 'all']
    if (!this.todo) this.frame(() => this.render())
    if (this.todo === null || order.indexOf(what) > order.indexOf(this.todo)) this.todo = what
  }

  frame(job) {
    if (document.hidden) setTimeout(job, 50)
    else requestAnimationFrame(job)
  }

  render() {
    const begin = performance.now()
    const what = this.todo
    this.todo = null
    if (!this.root.isConnected || !this.model.ready) return
    const {model, view} = this
    this.palette = this.choosePalette()
    if (what === 'all' || !this.curves.size) {
      this.curves.resize()
      this.heat.resize()
    }
    if (what !== 'cut' && what !== 'marks') this.strip.paint()
    const scene =
      view.epoch === null ? null : (model.scene(view) ?? (what === 'cut' || what === 'marks' ? this.scene : null))
    if (view.epoch !== null && !model.scene(view)) this.request()
    if (what !== 'cut' && what !== 'marks') this.message(scene)
    if (scene) this.renderScene(scene, what)
    else {
      this.scene = null
      this.controls.paint({phase: 'none', recorded: null}, null)
    }
    if (what !== 'marks' && this.shows('curves')) this.curves.paint(this.palette)
    if (what !== 'marks') this.learn?.paint()
    this.inspector.paintPin(scene, scene && this.masks, what !== 'cut')
    if (what === 'marks') this.inspector.paintHover()
    this.stats.frames++
    if (what === 'cut') {
      this.stats.cutFrames++
      this.stats.draws.push(performance.now() - begin)
    }
    if (what === 'all') this.stats.lastAll = performance.now() - begin
    this.root.dataset.epoch = view.epoch ?? ''
    this.root.dataset.shown = scene ? view.epoch : ''
    if (scene && this.count)
      Object.assign(this.root.dataset, {
        size: this.count.size,
        poison: model.poison ? this.count.poison : '',
        gained: this.count.gained,
        lost: this.count.lost
      })
  }

  renderScene(scene, what) {
    const {model, view, palette} = this
    const settings = model.effective(view)
    const key = [
      scene.phase,
      scene.loss,
      scene.distance,
      scene.epoch,
      view.front,
      palette.name,
      view.settings.distance
    ].join()
    const changed = key !== this.sceneKey || what === 'all'
    this.sceneKey = key
    this.scene = scene
    if (changed)
      for (const [panel, part] of this.plots) {
        if (this.shows(panel)) part.plot.resize()
        part.setScene(scene)
      }
    if (what !== 'marks' || changed) {
      model.pool(scene, settings, this.masks)
      this.count = tally(this.masks, scene.recorded, model.poison)
      const look = {
        pool: this.masks.pool,
        poison: model.poison,
        selected: view.selected,
        any: view.count > 0,
        palette,
        mistakes: scene.phase !== 'alone'
      }
      for (const [panel, part] of this.plots) if (this.shows(panel)) part.paint(look)
    }
    for (const [panel, part] of this.plots)
      if (this.shows(panel)) {
        if (changed) part.paintAxes(palette)
        part.paintOverlay(palette, view)
      }
    if (what !== 'marks' || changed) {
      // the page's own elements last: a change of them makes the browser lay it out
      if (this.shows('heat')) this.rightPanel(scene)
      this.controls.paint(scene, this.count)
    }
    if (what === 'rest' || what === 'all') {
      this.inspector.settle(scene, this.masks)
      this.request()
    }
  }

  rightPanel(scene) {
    const fig8 = this.tab === 'fig8'
    for (const button of this.root.querySelectorAll('.tn-tabs button'))
      button.setAttribute('aria-pressed', String(button.dataset.tab === this.tab))
    this.root.querySelector('.tn-heat .tn-plot').hidden = fig8
    this.root.querySelector('.tn-heat select').hidden = fig8
    this.root.querySelector('.tn-fig8').hidden = !fig8
    if (fig8) {
      const there = scene.phase === 'first' && this.model.has(scene.distance, 'min_rank')
      this.root.querySelector('.tn-fig8').classList.toggle('waiting', !there)
      this.root.querySelector('.tn-heat .tn-note').textContent = there
        ? 'Fig. 8: a click chooses the distance'
        : scene.phase !== 'first'
          ? 'distances are of the OSS warm-up: scrub there'
          : this.model.info.some(r => r.distances)
            ? 'loading'
            : 'this recording holds one distance only'
      if (scene.phase === 'first') this.distances.paint(this.palette, scene)
    } else this.heat.paint(this.palette)
  }

  // Sentences in place of views that are not there yet, and the words above them.
  message(scene) {
    const {model, view} = this
    const {header} = model
    const say = (selector, text) => {
      const box = this.root.querySelector(selector)
      box.textContent = text ?? ''
      box.hidden = !text
    }
    const info = model.info[view.epoch]
    const first = model.own.altruistic_epochs
    const target = info && info.target !== null ? header.names[info.target] : null
    const noneYet = header.live
      ? 'The first epoch is being trained; the views fill when it is whole.'
      : 'This run has no whole epoch. Resume it on the page Run, or choose another.'
    say('.tn-hero .tn-empty', !info ? noneYet : scene ? header.empty?.hero : `Epoch ${view.epoch + 1} is on its way.`)
    say(
      '.tn-map .tn-empty',
      !info
        ? 'no epoch yet'
        : scene && !scene.map && !model.epochs.get(view.epoch)?.map_xy
          ? 'This run has no features recorded, so there is no map.'
          : null
    )
    say(
      '.tn-other .tn-empty',
      !info || !scene
        ? null
        : scene.phase === 'alone'
          ? `Needs the main model, which begins in epoch ${first + 1}.`
          : scene.phase === 'later' && !model.has(first + model.own.t1)
            ? 'on its way'
            : null
    )
    say('.tn-heat .tn-empty', this.tab === 'fig8' || header.grid ? null : header.grid_empty)
    say('.tn-curves .tn-empty', info ? null : 'no epoch yet')
    const what = !info
      ? ''
      : !scene
        ? ''
        : scene.phase === 'later'
          ? 'Main loss × altruistic loss'
          : scene.phase === 'alone'
            ? 'Altruistic loss'
            : 'Altruistic loss × OSS distance'
    this.root.querySelector('.tn-hero h2').textContent = what || 'Two views of each sample'
    const flat =
      scene && scene.gByRank[0] === scene.gByRank[scene.n - 1] && scene.n > 1
        ? ' · all losses are equal: the cut goes by index'
        : ''
    const drops =
      scene?.phase === 'later' &&
      model.own.selective_drop &&
      scene.both &&
      scene.t >= model.own.drop_start &&
      target !== null
        ? ` · what both models call ${target} drops out`
        : ''
    const endless = scene?.endless ? ' · no other class has a sample, so there is no distance to one' : ''
    const decided =
      scene?.phase === 'first' && scene.shown !== view.epoch ? ` · decided in epoch ${scene.shown + 1}` : ''
    const waits =
      scene?.phase === 'alone'
        ? ` · distances come with epoch ${first + 1}; heights mean nothing yet`
        : scene && scene.phase === 'first' && !scene.sRank
          ? ' · no distance was recorded in this epoch'
          : ''
    this.root.querySelector('.tn-hero .tn-sub').textContent = !info
      ? ''
      : `epoch ${view.epoch + 1}${decided}${waits}${drops}${flat}${endless} · ` +
        (target === null
          ? 'every class is suspected of its own'
          : `points: ${target} (suspected)${model.poison ? ' and poison' : ''}${view.front === 'points' ? ', dots: other classes' : ', grey: other classes'}`)
    this.root.querySelector('.tn-other h2').textContent =
      scene?.phase === 'later' ? 'The first split' : 'Losses of both models'
    const mapKind = info?.map
    this.root.querySelector('.tn-map .tn-sub').textContent = mapKind
      ? `${mapKind} of ${model.landmarks.length.toLocaleString('en')} · not OSS distances`
      : ''
    const legend = this.root.querySelector('.tn-legend')
    legend.dataset.truth = model.poison ? 'shown' : 'hidden'
  }

  choosePalette() {
    const palette = this.model.header.palettes[themeOf(this.root) ?? 'light']
    if (this.palette?.name !== palette.name) {
      for (const [name, value] of Object.entries(palette)) this.root.style.setProperty(`--tn-${name}`, value)
      this.sceneKey = null
    }
    return palette
  }
}
