// The views on a page without a server: the run is in the page, and their requests are answered here.

import {unpackPacket} from '../../packet.js'
import {App} from '../app.js'
import {countedGrid} from './counting.js'
import {inflated, packPacket} from './packing.js'
import {worthOf} from './worth.js'

const distancesCome = own => `The first split needs distances, which come with epoch ${own.altruistic_epochs + 1}.`

function pick(object, names) {
  return Object.fromEntries(names.map(name => [name, object[name]]))
}

// Stands in for the server: the images of the sheet, the map over the shares, and the worth of a preview.
class Offline {
  constructor(root, packet, sheet) {
    Object.assign(this, {sheet, header: packet.header, answered: ''})
    this.app = root.app = new App(root, null)
    Object.assign(this.app, {send: (_, message) => this.ask(message), fire: () => {}})
  }

  // Answer after the current frame: a series of gestures needs only the last answer.
  ask(message) {
    this.message = message
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.reply(this.message), 0)
  }

  reply({want}) {
    const {app} = this
    const {model, view} = app
    const news = {}
    const arrays = {}
    if (view.epoch === null) return
    const settings = model.effective(view)
    const key = app.key(settings, view.epoch)
    if (this.answered !== key) {
      const [honesty, sentence] = worthOf(model, settings, view.epoch)
      this.answer = {settings, epoch: view.epoch, honesty, sentence}
      news.answer = this.answered = key
    }
    const grid = countedGrid(model, view, want.grid)
    if (grid?.size) Object.assign(news, {grid, grid_empty: null})
    else if (!grid && model.header.grid_empty !== distancesCome(model.own))
      Object.assign(news, {grid: null, grid_empty: distancesCome(model.own)})
    const ids = want.thumbs.filter(id => id < (this.sheet?.count ?? 0))
    if (ids.length) {
      news.thumbs = {ids, height: this.sheet.height, width: this.sheet.width, channels: 4}
      arrays.thumbs = this.pixels(ids)
    }
    if (Object.keys(news).length)
      app.receive(
        packPacket(
          {
            ...pick(this.header, ['run', 'samples', 'truth', 'live', 'busy', 'from', 'epochs', 'rows']),
            sent: [],
            maps: [],
            ...news,
            answer: this.answer
          },
          arrays
        )
      )
  }

  // Pixels (K, H, W, 4) of some images of the sheet.
  pixels(ids) {
    const {image, width, height, columns} = this.sheet
    const canvas = document.createElement('canvas')
    canvas.width = width
    canvas.height = height * ids.length
    const g = canvas.getContext('2d', {willReadFrequently: true})
    for (const [k, id] of ids.entries()) {
      const x = (id % columns) * width
      const y = Math.floor(id / columns) * height
      g.drawImage(image, x, y, width, height, 0, k * height, width, height)
    }
    return new Uint8Array(g.getImageData(0, 0, canvas.width, canvas.height).data.buffer)
  }
}

const block = id => Uint8Array.from(atob(document.getElementById(id).textContent.trim()), c => c.charCodeAt(0))

async function play(root) {
  const bytes = await inflated(block('rp-run'))
  const sheet = JSON.parse(document.getElementById('rp-images').dataset.sheet)
  if (sheet.count) sheet.image = await createImageBitmap(new Blob([block('rp-images')], {type: 'image/webp'}))
  new Offline(root, unpackPacket(bytes), sheet).app.receive(bytes)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => root.app.draw('all'))
}

const page = document.querySelector('main .tn')
if (page)
  play(page).catch(error => {
    page.textContent =
      typeof DecompressionStream === 'undefined'
        ? 'This page needs a browser from 2023 or later.'
        : `This page cannot be shown: ${error.message}`
    page.setAttribute('role', 'alert')
  })
