// Time: the strip of stages with the cursor, play and follow live, and the curves over the run.

import {cleanRatio} from '../model/splits.js'
import {words} from './axes.js'
import {pixelRatio, placeIn} from './screen.js'

const CURVES = {l: 38, r: 46, t: 10, b: 24}
const PLAY_MS = 350

export class Strip {
  constructor(app, root) {
    this.app = app
    this.stages = root.querySelector('.tn-stages')
    this.range = root.querySelector('.tn-epoch')
    this.text = root.querySelector('.tn-now')
    this.play = root.querySelector('.tn-play')
    this.follow = root.querySelector('.tn-follow input')
    this.timer = null
    this.range.addEventListener('input', () => {
      this.stop()
      app.scrub(+this.range.value - 1)
    })
    this.range.addEventListener('change', () => app.commit())
    root.querySelector('.tn-back').addEventListener('click', () => this.step(-1))
    root.querySelector('.tn-next').addEventListener('click', () => this.step(1))
    this.play.addEventListener('click', () => this.toggle())
    this.follow.addEventListener('change', () => {
      this.stop()
      app.follow(this.follow.checked)
    })
    if (window.matchMedia('(prefers-reduced-motion: reduce)').matches) {
      this.play.disabled = true
      this.play.title = 'Playing is off because your system asks for reduced motion; step through the epochs instead.'
    }
  }

  step(by) {
    this.stop()
    this.app.scrub(Math.max(0, Math.min(this.app.model.info.length - 1, this.app.view.epoch + by)))
    this.app.commit()
  }

  toggle() {
    if (this.timer) this.stop(true)
    else this.start()
  }

  // Play up to the last epoch, or to a given one.
  start(until = null) {
    const {app} = this
    if (app.view.epoch >= (until ?? app.model.info.length - 1)) app.scrub(0)
    this.timer = setInterval(() => {
      if (app.learn?.slow && app.learn.algorithm.next()) return
      const next = app.view.epoch + 1
      if (next >= app.model.info.length || (until !== null && next > until)) {
        this.stop(true)
        return
      }
      if (app.model.needed({...app.view, epoch: next}, false).length) {
        app.request()
        return
      }
      app.scrub(next)
    }, app.learn?.playMs ?? PLAY_MS)
    this.app.draw('all')
  }

  stop(tell = false) {
    if (!this.timer) return
    clearInterval(this.timer)
    this.timer = null
    if (tell) this.app.commit()
    this.app.draw('all')
  }

  paint() {
    const {app} = this
    const {header, info} = app.model
    const total = header.total
    const {epoch, following} = app.view
    const key = JSON.stringify([header.stages, total])
    if (this.key !== key) {
      this.key = key
      this.stages.innerHTML = ''
      header.stages.forEach(([name, first, last], k) => {
        const cell = document.createElement('div')
        cell.style.flex = `${last + 1 - first} 1 0`
        cell.className = k % 2 ? 'odd' : ''
        cell.textContent = `${name} ${last + 1 - first}`
        cell.title = `${name}: epochs ${first + 1} to ${last + 1}`
        this.stages.append(cell)
      })
    }
    for (const [k, cell] of [...this.stages.children].entries()) {
      const [, first, last] = header.stages[k]
      cell.classList.toggle('current', epoch !== null && epoch >= first && epoch <= last)
    }
    const half = `(50% / ${total} - 8px)` // the middle of the thumb lies on the middle of its epoch
    Object.assign(this.range.style, {marginLeft: `calc${half}`, width: `calc(100% - 2 * ${half})`})
    this.range.max = total
    this.range.disabled = !info.length
    if (+this.range.value !== (epoch ?? 0) + 1) this.range.value = (epoch ?? 0) + 1
    const waiting = info.length - 1 - (epoch ?? 0)
    const news = header.live && !following && waiting > 0 ? ` · ${waiting} newer` : ''
    const stage = header.stages.find(([, first, last]) => epoch >= first && epoch <= last)?.[0]
    const remark = app.learn?.lesson.slides ? ` · ${stage}` : news
    this.text.textContent = epoch === null ? 'no epoch yet' : `epoch ${epoch + 1} of ${total}${remark}`
    this.range.setAttribute('aria-valuetext', this.text.textContent)
    this.play.textContent = this.timer ? '❚❚' : '▶'
    this.play.setAttribute('aria-label', this.timer ? 'Pause' : 'Play')
    this.follow.checked = following
    this.follow.disabled = !header.live && !following
    this.follow.parentElement.title = header.live
      ? 'Show each new epoch; moving the cursor turns this off.'
      : 'The run has ended: no newer epoch will come.'
  }
}

export class Curves {
  constructor(app, host) {
    Object.assign(this, {app, host})
    this.canvas = document.createElement('canvas')
    host.append(this.canvas)
    host.setAttribute('role', 'img')
    let held = false
    const at = event => {
      const w = host.offsetWidth - CURVES.l - CURVES.r
      const total = app.model.header.total
      return Math.max(
        0,
        Math.min(app.model.info.length - 1, Math.floor(((placeIn(host, event)[0] - CURVES.l) / w) * total))
      )
    }
    host.addEventListener('pointerdown', event => {
      if (event.button) return
      held = true
      host.setPointerCapture(event.pointerId)
      app.strip.stop()
      app.scrub(at(event))
    })
    host.addEventListener('pointermove', event => {
      if (held) app.scrub(at(event))
    })
    for (const end of ['pointerup', 'pointercancel'])
      host.addEventListener(end, () => {
        if (held) {
          held = false
          app.commit()
        }
      })
  }

  resize() {
    this.size = [this.host.clientWidth, this.host.clientHeight]
  }

  paint(palette) {
    const {app, host, canvas} = this
    const {header, info} = app.model
    const own = app.model.own
    const total = header.total
    const [w, h] = this.size
    const dpr = pixelRatio()
    if (canvas.width !== Math.round(w * dpr) || canvas.height !== Math.round(h * dpr)) {
      canvas.width = Math.round(w * dpr)
      canvas.height = Math.round(h * dpr)
      Object.assign(canvas.style, {width: w + 'px', height: h + 'px'})
    }
    const g = canvas.getContext('2d')
    g.setTransform(dpr, 0, 0, dpr, 0, 0)
    g.clearRect(0, 0, w, h)
    const iw = w - CURVES.l - CURVES.r
    const ih = h - CURVES.t - CURVES.b
    const x = e => CURVES.l + ((e + 0.5) / total) * iw
    const y = p => CURVES.t + ih - (p / 100) * ih
    header.stages.forEach(([, first, last], k) => {
      if (k % 2) {
        g.fillStyle = palette.band
        g.fillRect(CURVES.l + (first / total) * iw, CURVES.t, ((last + 1 - first) / total) * iw, ih)
      }
    })
    for (const p of [0, 50, 100]) {
      g.fillStyle = palette.grid
      g.fillRect(CURVES.l, y(p), iw, 1)
      words(g, `${p} %`, CURVES.l - 4, y(p) + 4, {colour: palette.muted, align: 'right'})
    }
    const settings = app.model.effective(app.view)
    const drawn = []
    const line = (values, colour, width, dash, name) => {
      g.strokeStyle = colour
      g.lineWidth = width
      g.setLineDash(dash)
      g.beginPath()
      let last = null
      values.forEach((v, e) => {
        if (v === null || v === undefined) return
        last === null ? g.moveTo(x(e), y(v)) : g.lineTo(x(e), y(v))
        last = v
      })
      g.stroke()
      g.setLineDash([])
      if (last !== null && name) drawn.push([y(last), name, colour])
    }
    const shown = app.model.veil ? info.map(r => ({...r, poison: null, asr: null})) : info
    const most = Math.max(1, ...shown.map(r => r.poison ?? 0))
    g.globalAlpha = 0.32
    shown.forEach((r, e) => {
      if (r.poison) {
        g.fillStyle = palette.poison
        const high = (r.poison / most) * ih * 0.42
        g.fillRect(x(e) - (iw / total) * 0.35, CURVES.t + ih - high, (iw / total) * 0.7, high)
      }
    })
    g.globalAlpha = 1
    const schedule = s =>
      Array.from({length: total}, (_, e) => {
        const t = e - own.altruistic_epochs
        return t < s.t1
          ? null
          : 100 *
              (t < s.t1 + own.init_epochs
                ? (own.als_init_ratio ?? s.alpha)
                : cleanRatio(t, {
                    alpha: s.alpha,
                    start: own.alpha_start ?? s.beta,
                    t1: s.t1,
                    init: own.init_epochs,
                    t2: own.t2
                  }))
      })
    line(schedule(own), palette.unknown, 1.4, [3, 3], '')
    line(schedule(settings), palette.text, 1.6, [], 'α_T')
    line(
      info.map(r => r.ca),
      palette.clean,
      1.8,
      [],
      'CA'
    )
    line(
      shown.map(r => r.asr),
      palette.poison,
      1.8,
      [],
      'ASR'
    )
    drawn.sort((a, b) => a[0] - b[0])
    let free = -99
    for (const [at, name, colour] of drawn) {
      const here = Math.max(free + 13, at + 4)
      words(g, name, w - CURVES.r + 5, here, {colour, weight: 600})
      free = here
    }
    for (const e of new Set([0, ...header.stages.map(s => s[1]), total - 1]))
      if (total < 30 || header.stages.some(s => s[1] === e) || e === total - 1)
        words(g, String(e + 1), x(e), h - 8, {colour: palette.muted, align: 'center', size: 10.5})
    if (app.view.epoch !== null) {
      g.fillStyle = palette.text
      g.fillRect(x(app.view.epoch) - 1, CURVES.t - 6, 2, ih + 6)
    }
    if (most > 1)
      words(g, `bars: poison in the pool, at most ${most}`, CURVES.l + 4, CURVES.t + 8, {
        colour: palette.muted,
        size: 10.5,
        veil: palette.surface
      })
    const row = shown[app.view.epoch] ?? {}
    const values = [
      `clean accuracy ${row.ca ?? 'not measured'} %`,
      `attack success ${row.asr ?? 'unknown'} %`,
      `poison in the pool ${row.poison ?? 'unknown'}`
    ]
    const epoch = (app.view.epoch ?? 0) + 1
    host.setAttribute('aria-label', `Over the run: at epoch ${epoch} ${values.join(', ')}. Drag to scrub.`)
  }
}
