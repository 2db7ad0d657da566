// Points written directly into pixels: 50,000 of them take a few milliseconds, where canvas paths take a second.

const LITTLE = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1

export function rgbOf(colour) {
  const m = /^#(..)(..)(..)$/.exec(colour)
  return m ? m.slice(1).map(h => parseInt(h, 16)) : [127, 127, 127]
}

function packed([r, g, b]) {
  return LITTLE ? ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0 : ((r << 24) | (g << 16) | (b << 8) | 255) >>> 0
}

// Marks, each drawn once and kept as the coverage of each pixel (0-255) and one colour.
export class Sprites {
  constructor() {
    this.cache = new Map()
  }

  get(shape, solid, radius, colour, opacity, dpr) {
    const key = `${shape}|${solid}|${radius}|${colour}|${opacity}|${dpr}`
    if (!this.cache.has(key)) this.cache.set(key, this.draw(shape, solid, radius, colour, opacity, dpr))
    return this.cache.get(key)
  }

  draw(shape, solid, radius, colour, opacity, dpr) {
    const r = radius * dpr
    const half = Math.ceil(r + 2 * dpr)
    const size = 2 * half + 1
    const canvas = document.createElement('canvas')
    canvas.width = canvas.height = size
    const g = canvas.getContext('2d', {willReadFrequently: true})
    g.translate(half + 0.5, half + 0.5)
    g.beginPath()
    if (shape === 'diamond') {
      const d = r * 1.2
      g.moveTo(0, -d)
      g.lineTo(d, 0)
      g.lineTo(0, d)
      g.lineTo(-d, 0)
      g.closePath()
    } else if (shape === 'square') g.rect(-r, -r, 2 * r, 2 * r)
    else g.arc(0, 0, r, 0, 7)
    g.globalAlpha = opacity
    if (solid) g.fill()
    else {
      g.lineWidth = (shape === 'ring' ? 2 : 1.2) * dpr
      g.stroke()
    }
    const data = g.getImageData(0, 0, size, size).data
    const cover = new Uint8Array(size * size)
    for (let i = 0; i < cover.length; i++) cover[i] = data[4 * i + 3]
    const [red, green, blue] = rgbOf(colour)
    return {size, half, cover, red, green, blue, word: packed([red, green, blue]), width: 0}
  }
}

// The covered pixels of a mark as steps from its middle, for the width of a raster; the opaque ones first.
function aim(sprite, width) {
  const {size, half, cover} = sprite
  const order = [...cover.keys()].filter(k => cover[k]).sort((a, b) => cover[b] - cover[a])
  sprite.width = width
  sprite.steps = Int32Array.from(order, k => (((k / size) | 0) - half) * width + (k % size) - half)
  sprite.covers = Uint8Array.from(order, k => cover[k])
  sprite.opaque = order.filter(k => cover[k] === 255).length
}

export class Raster {
  constructor(width, height) {
    this.width = width
    this.height = height
    this.image = new ImageData(width, height)
    this.pixels = new Uint32Array(this.image.data.buffer)
  }

  stamp(x, y, sprite) {
    const {size, half, cover, red, green, blue, word} = sprite
    const {width, height, pixels} = this
    const cx = Math.round(x)
    const cy = Math.round(y)
    const left = cx - half
    const top = cy - half
    if (left >= 0 && top >= 0 && left + size <= width && top + size <= height) {
      if (sprite.width !== width) aim(sprite, width)
      const {steps, covers, opaque} = sprite
      const middle = cy * width + cx
      let k = 0
      for (; k < opaque; k++) pixels[middle + steps[k]] = word
      for (; k < steps.length; k++) {
        const to = middle + steps[k]
        const a = covers[k]
        const under = pixels[to]
        const b = 255 - a
        // v / 255 as (v + 1 + (v >> 8)) >> 8
        const v0 = red * a + (under & 255) * b + 127
        const v1 = green * a + ((under >>> 8) & 255) * b + 127
        const v2 = blue * a + ((under >>> 16) & 255) * b + 127
        pixels[to] =
          ((255 << 24) |
            (((v2 + 1 + (v2 >> 8)) >> 8) << 16) |
            (((v1 + 1 + (v1 >> 8)) >> 8) << 8) |
            ((v0 + 1 + (v0 >> 8)) >> 8)) >>>
          0
      }
      return
    }
    if (left >= width || top >= height || left + size <= 0 || top + size <= 0 || Number.isNaN(x) || Number.isNaN(y))
      return
    const x0 = Math.max(0, -left)
    const x1 = Math.min(size, width - left)
    const y1 = Math.min(size, height - top)
    for (let row = Math.max(0, -top); row < y1; row++) {
      let from = row * size + x0
      let to = (top + row) * width + left + x0
      for (let column = x0; column < x1; column++, from++, to++) {
        const a = cover[from]
        if (a === 0) continue
        if (a === 255) {
          pixels[to] = word
          continue
        }
        const under = pixels[to]
        const b = 255 - a
        const p0 = ((red * a + (under & 255) * b + 127) / 255) | 0
        const p1 = ((green * a + ((under >>> 8) & 255) * b + 127) / 255) | 0
        const p2 = ((blue * a + ((under >>> 16) & 255) * b + 127) / 255) | 0
        pixels[to] = ((255 << 24) | (p2 << 16) | (p1 << 8) | p0) >>> 0
      }
    }
  }

  // Fill all pixels with one ground, and from a column on, which depends on the row, with the kept one.
  ground(plain, kept, fromColumn) {
    const {width, height, pixels} = this
    pixels.set(plain)
    if (!kept || !fromColumn) return
    for (let y = 0; y < height; y++) {
      const x = Math.max(0, Math.min(width, fromColumn(y)))
      if (x < width) pixels.set(kept.subarray(y * width + x, (y + 1) * width), y * width + x)
    }
  }
}

export function mixed([r, g, b], [r2, g2, b2], share) {
  return [r + (r2 - r) * share, g + (g2 - g) * share, b + (b2 - b) * share].map(Math.round)
}

// Two grounds with the density of the samples in cells: in the colour of the page, and of the part that is kept.
export function densityGrounds(width, height, cell, counts, columns, palette) {
  const surface = rgbOf(palette.surface)
  const ink = rgbOf(palette.unknown)
  const tint = mixed(surface, rgbOf(palette.text), 0.055)
  const grounds = [surface, tint].map(() => new Uint32Array(width * height))
  let most = 1
  for (const c of counts) if (c > most) most = c
  ;[surface, tint].forEach((base, which) => {
    const ground = grounds[which]
    const blank = packed(base)
    ground.fill(blank)
    for (let k = 0; k < counts.length; k++) {
      if (!counts[k]) continue
      const word = packed(mixed(base, ink, 0.07 + 0.33 * Math.sqrt(counts[k] / most)))
      const x = (k % columns) * cell
      const y = ((k / columns) | 0) * cell
      const x1 = Math.min(width, x + cell)
      for (let row = y; row < Math.min(height, y + cell); row++) ground.fill(word, row * width + x, row * width + x1)
    }
  })
  return grounds
}
