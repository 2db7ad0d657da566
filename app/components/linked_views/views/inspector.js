// The hovered or pinned sample with the reasons for its place, and the images of a list of samples.

import {paintPassport} from './passport.js'
import {reasonOf} from './reason.js'
import {sampleLists} from './sample_lists.js'

const PAGE = 30
const NO_IMAGES = 'Lasso points in any view to see their images, or move a cut to see what enters and leaves the pool.'

export class Inspector {
  constructor(app, root) {
    Object.assign(this, {app, root, source: null, page: 0})
    this.grid = root.querySelector('.tn-images')
    this.tabs = root.querySelector('.tn-sources')
    this.grid.addEventListener('pointerover', event => app.hover(this.idOf(event)))
    this.grid.addEventListener('pointerleave', () => app.hover(null))
    // On the press, as new images may take the cell's place before the release; a click with detail 0 is the
    // keyboard's.
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

  // Choose the images to show. Called only at rest: they do not follow a drag.
  settle(scene, masks) {
    const lists = sampleLists(this.app, scene, masks)
    const names = Object.keys(lists)
    if (!names.includes(this.wanted)) this.wanted = null
    const source = this.wanted ?? names[0] ?? null
    if (source !== this.source) this.page = 0
    this.source = source
    this.lists = lists
    const ids = source ? lists[source] : new Uint32Array(0)
    const pages = Math.max(1, Math.ceil(ids.length / PAGE))
    this.page = Math.max(0, Math.min(pages - 1, this.page))
    this.ids = ids.slice(this.page * PAGE, (this.page + 1) * PAGE)
    this.total = ids.length
    this.paintGrid()
  }

  // The samples whose images are missing.
  wantedThumbs() {
    const {pin} = this.app.view
    const ids = [...(this.ids ?? [])]
    if (pin !== null) ids.unshift(pin)
    return [...new Set(ids)].filter(id => !this.app.model.thumbs.has(id))
  }

  paintGrid() {
    this.paintTabs()
    this.paintImages()
    this.paintPages()
    const empty = this.root.querySelector('.tn-none')
    empty.hidden = !!this.source
    empty.textContent = this.app.model.n ? NO_IMAGES : ''
    this.root.querySelector('.tn-clear').hidden = !this.app.view.count
  }

  paintTabs() {
    const {tabs, app} = this
    tabs.innerHTML = ''
    for (const [name, ids] of Object.entries(this.lists)) {
      const tab = document.createElement('button')
      tab.type = 'button'
      tab.textContent = name === 'edge' ? 'at the cuts' : `${name} ${ids.length.toLocaleString('en')}`
      tab.setAttribute('aria-pressed', String(name === this.source))
      tab.addEventListener('click', () => {
        this.wanted = name
        this.page = 0
        app.draw('all')
        app.request()
      })
      tabs.append(tab)
    }
  }

  paintImages() {
    const {grid} = this
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
  }

  paintPages() {
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
  }

  paintThumb(cell, id) {
    const {model, view} = this.app
    const canvas = cell.firstChild
    const image = model.thumbs.get(id)
    const truth = model.poison ? (model.poison[id] ? 'poison' : 'clean') : 'unknown'
    cell.dataset.truth = truth
    cell.classList.toggle('pinned', view.pin === id)
    cell.classList.toggle('hovered', view.hover === id)
    const words = `sample ${id}, labelled ${model.header.names[model.labels[id]]}`
    cell.title = truth === 'unknown' ? words : `${words}, ${truth}`
    cell.setAttribute('aria-label', cell.title)
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
    const poisoned = model.poison?.[id] ? `poison, was ${name(model.original[id])}` : 'clean'
    box.querySelector('.tn-truth').textContent = model.poison ? poisoned : 'truth not shown'
    box.querySelector('.tn-state').textContent = !masks || !scene ? '' : masks.pool[id] ? 'in the pool' : 'kept out'
    box.querySelector('p').textContent = scene && masks ? reasonOf(app, scene, masks, id) : ''
    if (whole) paintPassport(box.querySelector('.tn-passport'), app, id)
  }
}
