// The pinned sample with its reasons in ranks, and the images of what is selected or changed.

import {scoreNear} from '../model/columns.js'
import {lossUnit} from '../model/scales.js'
import {exactCount} from '../model/splits.js'
import {pixelRatio} from './screen.js'

const PAGE = 30

export class Inspector {
  constructor(app, root) {
    Object.assign(this, {app, root, source: null, page: 0})
    this.grid = root.querySelector('.tn-images')
    this.tabs = root.querySelector('.tn-sources')
    this.grid.addEventListener('pointerover', event => app.hover(this.idOf(event)))
    this.grid.addEventListener('pointerleave', () => app.hover(null))
    // At the press, since new images may take the cell's place before the button is up; a click without one is the keyboard's.
    this.grid.addEventListener('pointerdown', event => {
      if (event.button === 0) app.pick(this.idOf(event), event)
    })
    this.grid.addEventListener('click', event => {
      if (event.detail === 0) app.pick(this.idOf(event), event)
    })
    root.querySelector('.tn-less').addEventListener('click', () => this.turn(-1))
    root.querySelector('.tn-more').addEventListener('click', () => this.turn(1))
    root.querySelector('.tn-unpin').addEventListener('click', () => {
      app.view.pin = null
      app.commit()
      app.draw('all')
    })
    root.querySelector('.tn-clear').addEventListener('click', () => app.clear())
  }

  idOf(event) {
    const cell = event.target.closest?.('[data-id]')
    return cell ? +cell.dataset.id : null
  }

  turn(by) {
    this.page += by
    this.app.draw('all')
    this.app.request()
  }

  // Sample ids of each source that has some.
  lists(scene, masks) {
    const {view, model} = this.app
    const out = {}
    if (view.count) out.selected = indices(model.n, i => view.selected[i])
    if (scene?.recorded && masks) {
      out.in = indices(model.n, i => masks.pool[i] && !scene.recorded[i])
      out.out = indices(model.n, i => !masks.pool[i] && scene.recorded[i])
    }
    if (scene && scene.phase !== 'alone') out.edge = this.borderline(scene)
    return Object.fromEntries(Object.entries(out).filter(([, ids]) => ids.length))
  }

  // Samples of the suspected class by how little a share must move to flip them.
  borderline(scene) {
    const {model, view} = this.app
    const settings = model.effective(view)
    const n = scene.n
    const margin = new Float32Array(n)
    if (scene.phase === 'later') {
      const gaps = this.app.quadrant.gaps(scene).length
      const whole = gaps === n
      const k = exactCount(model.ratio(scene, settings), gaps)
      for (const i of scene.targetIds)
        margin[i] = Math.abs((whole ? scene.gapRank[i] : scene.byClass.within[i]) + 0.5 - k) / gaps
    } else {
      const k = exactCount(model.own.als_init_ratio ?? settings.alpha, n)
      for (const i of scene.targetIds) {
        const g = (scene.gRank[i] + 0.5 - k) / n
        const size = scene.oss ? scene.oss.sizes[model.labels[i]] : 0
        const s = size ? (scene.oss.within[i] + 0.5 - exactCount(settings.beta, size)) / size : -1
        margin[i] = g < 0 && s < 0 ? Math.min(-g, -s) : Math.max(g, s)
      }
    }
    return scene.targetIds
      .slice()
      .sort((a, b) => margin[a] - margin[b])
      .slice(0, 300)
  }

  // Only at rest: pages of images do not follow a drag.
  settle(scene, masks) {
    const lists = this.lists(scene, masks)
    const names = Object.keys(lists)
    if (!names.includes(this.wanted)) this.wanted = null
    const source = this.wanted ?? names[0] ?? null
    if (source !== this.source) this.page = 0
    this.source = source
    this.lists_ = lists
    const ids = source ? lists[source] : new Uint32Array(0)
    const pages = Math.max(1, Math.ceil(ids.length / PAGE))
    this.page = Math.max(0, Math.min(pages - 1, this.page))
    this.ids = ids.slice(this.page * PAGE, (this.page + 1) * PAGE)
    this.total = ids.length
    this.paintGrid()
  }

  wantedThumbs() {
    const {pin} = this.app.view
    const ids = [...(this.ids ?? [])]
    if (pin !== null) ids.unshift(pin)
    return [...new Set(ids)].filter(id => !this.app.model.thumbs.has(id))
  }

  paintGrid() {
    const {grid, tabs, app} = this
    const titles = {selected: 'selected', in: 'in', out: 'out', edge: 'at the cuts'}
    tabs.innerHTML = ''
    for (const [name, ids] of Object.entries(this.lists_)) {
      const tab = document.createElement('button')
      tab.type = 'button'
      tab.textContent = name === 'edge' ? titles.edge : `${titles[name]} ${ids.length.toLocaleString('en')}`
      tab.setAttribute('aria-pressed', String(name === this.source))
      tab.addEventListener('click', () => {
        this.wanted = name
        this.page = 0
        app.draw('all')
        app.request()
      })
      tabs.append(tab)
    }
    const key = [...(this.ids ?? [])].join()
    if (this.gridKey !== key) {
      this.gridKey = key
      grid.innerHTML = ''
      for (const id of this.ids) {
        const cell = document.createElement('button')
        cell.type = 'button'
        cell.dataset.id = id
        cell.append(document.createElement('canvas'))
        grid.append(cell)
      }
    }
    for (const cell of grid.children) this.paintThumb(cell, +cell.dataset.id)
    const from = this.page * PAGE
    this.root.querySelector('.tn-page').textContent =
      this.total > PAGE ? `${from + 1}–${Math.min(this.total, from + PAGE)} of ${this.total.toLocaleString('en')}` : ''
    for (const [name, able] of [
      ['less', this.page > 0],
      ['more', from + PAGE < this.total]
    ]) {
      const b = this.root.querySelector(`.tn-${name}`)
      b.hidden = this.total <= PAGE
      b.disabled = !able
    }
    const empty = this.root.querySelector('.tn-none')
    empty.hidden = !!this.source
    empty.textContent = app.model.n
      ? 'Lasso points in any view to see their images, or move a cut: what comes in and goes out is shown here.'
      : ''
    this.root.querySelector('.tn-clear').hidden = !app.view.count
  }

  paintThumb(cell, id) {
    const {model, view} = this.app
    const canvas = cell.firstChild
    const image = model.thumbs.get(id)
    const bad = model.poison ? model.poison[id] : null
    cell.dataset.truth = bad === null ? 'unknown' : bad ? 'poison' : 'clean'
    cell.classList.toggle('pinned', view.pin === id)
    cell.classList.toggle('hovered', view.hover === id)
    cell.setAttribute(
      'aria-label',
      `sample ${id}, labelled ${model.header.names[model.labels[id]]}${bad === null ? '' : bad ? ', poison' : ', clean'}`
    )
    cell.title = cell.getAttribute('aria-label')
    if (!image || canvas.dataset.drawn === String(id)) return
    canvas.width = image.width
    canvas.height = image.height
    canvas.getContext('2d').drawImage(image, 0, 0)
    canvas.dataset.drawn = id
  }

  paintHover() {
    for (const cell of this.grid.children) cell.classList.toggle('hovered', this.app.view.hover === +cell.dataset.id)
  }

  paintPin(scene, masks, whole) {
    const {app, root} = this
    const {model, view} = app
    const id = view.hover ?? view.pin
    const box = root.querySelector('.tn-sample')
    const blank = id === null || !model.ready
    box.classList.toggle('blank', blank)
    root.querySelector('.tn-hint').hidden = !blank
    root.querySelector('.tn-unpin').hidden = view.pin === null || view.pin !== id
    if (blank) return
    const name = c => model.header.names[c]
    const canvas = box.querySelector('canvas')
    const image = model.thumbs.get(id)
    box.querySelector('.tn-picture').classList.toggle('waiting', !image)
    if (image) {
      canvas.width = image.width
      canvas.height = image.height
      canvas.getContext('2d').drawImage(image, 0, 0)
    }
    box.querySelector('b').textContent = `#${id} · labelled ${name(model.labels[id])}`
    const truth = model.poison
      ? model.poison[id]
        ? `poison, was ${name(model.original[id])}`
        : 'clean'
      : 'truth not shown'
    box.querySelector('.tn-truth').textContent = truth
    box.querySelector('.tn-state').textContent = !masks || !scene ? '' : masks.pool[id] ? 'in the pool' : 'kept out'
    box.querySelector('p').textContent = scene && masks ? this.reason(scene, masks, id) : ''
    if (whole) this.paintPassport(box.querySelector('.tn-passport'), id)
  }

  // Why, in ranks: every number is one that the cut compared.
  reason(scene, masks, id) {
    const {model, view} = this.app
    const n = scene.n
    const rank = v => (v + 1).toLocaleString('en')
    const settings = model.effective(view)
    const parts = []
    if (scene.phase === 'later') {
      const k = exactCount(model.ratio(scene, settings), n)
      const size = scene.byClass.sizes[model.labels[id]]
      const own = model.own.completion.startsWith('balanced')
      const cut = own ? exactCount(model.ratio(scene, settings), size) : k
      const place = own
        ? `rank ${rank(scene.byClass.within[id])} of ${size.toLocaleString('en')} in its class`
        : `rank ${rank(scene.gapRank[id])} of ${n.toLocaleString('en')}`
      parts.push(`Gap altruistic − main is ${place} (cut: ${cut.toLocaleString('en')}).`)
      if (scene.both?.[id]) parts.push('Both models call it the suspected class.')
      return parts.join(' ')
    }
    const k = exactCount(model.own.als_init_ratio ?? settings.alpha, n)
    parts.push(
      `Altruistic loss ${scene.gByRank[scene.gRank[id]].toPrecision(2)} is rank ${rank(scene.gRank[id])} of ${n.toLocaleString('en')} (cut: ${k.toLocaleString('en')})${masks.als[id] ? '' : ': learned too easily'}.`
    )
    let need = `alpha ≥ ${this.needed(scene.gRank[id], n)}`
    if (scene.oss) {
      const group = scene.oss.group[id]
      const size = group < 0 ? 0 : scene.oss.sizes[group]
      if (group < 0) parts.push('Not of the suspected class, so distance does not matter.')
      else {
        parts.push(
          `Distance ${scene.sByRank[scene.sRank[id]].toPrecision(3)} is rank ${rank(scene.oss.within[id])} of ${size.toLocaleString('en')} in its class (cut: ${exactCount(settings.beta, size).toLocaleString('en')}).`
        )
        need += ` and beta ≥ ${this.needed(scene.oss.within[id], size)}`
      }
      if (model.own.combine === 'intersection') parts.push(`It is in with ${need}.`)
    }
    return parts.join(' ')
  }

  // The smallest share in thousandths that reaches a rank.
  needed(rank, n) {
    let share = Math.ceil((1000 * (rank + 1)) / n) / 1000
    while (exactCount(share, n) <= rank && share < 1) share = Math.round(1000 * share + 1) / 1000
    return share.toFixed(3)
  }

  // Both losses and the pool over all epochs that are here.
  paintPassport(canvas, id) {
    const {model, palette, view} = this.app
    const total = model.header.total
    const w = canvas.clientWidth
    const h = canvas.clientHeight
    const dpr = pixelRatio()
    if (!w) return
    canvas.width = w * dpr
    canvas.height = h * dpr
    const g = canvas.getContext('2d')
    g.scale(dpr, dpr)
    const x = e => ((e + 0.5) / total) * w
    const lines = {altruistic: [], main: []}
    for (let e = 0; e < model.info.length; e++) {
      const columns = model.epochs.get(e)
      if (!columns?.g_rank) continue
      lines.altruistic.push([e, lossUnit(scoreNear(columns.g_curve, columns.g_rank[id], model.n))])
      if (columns.f_level) lines.main.push([e, columns.f_level[id] / 255])
      if (columns.pool) {
        const kept = (columns.pool[id >> 3] >> (id & 7)) & 1
        g.fillStyle = palette.text
        g.strokeStyle = palette.line
        kept
          ? g.fillRect((w * e) / total + 0.5, h - 9, w / total - 1, 9)
          : g.strokeRect((w * e) / total + 1, h - 8.5, w / total - 2, 8)
      }
    }
    for (const [name, points, colour, dash] of [
      ['altruistic', lines.altruistic, palette.text, []],
      ['main', lines.main, palette.unknown, [3, 2]]
    ]) {
      g.strokeStyle = colour
      g.setLineDash(dash)
      g.lineWidth = 1.4
      g.beginPath()
      points.forEach(([e, u]) => g.lineTo(x(e), 4 + (1 - u) * (h - 20)))
      g.stroke()
    }
    g.setLineDash([])
    if (view.epoch !== null) {
      g.fillStyle = palette.text
      g.globalAlpha = 0.5
      g.fillRect(x(view.epoch) - 0.5, 0, 1, h - 10)
    }
  }
}

function indices(n, claim) {
  const out = new Uint32Array(n)
  let k = 0
  for (let i = 0; i < n; i++) if (claim(i)) out[k++] = i
  return out.slice(0, k)
}
