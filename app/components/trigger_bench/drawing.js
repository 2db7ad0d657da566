// A drawing of the size of an image: red, green, blue and opacity of each pixel.

export class Drawing {
  constructor(height, width, bytes) {
    this.height = height
    this.width = width
    this.pixels = new Uint8Array(bytes?.length === 4 * height * width ? bytes : 4 * height * width)
  }

  // Colour a square around a pixel, or clear it where the colour is null; what lies outside is left out.
  dot(row, col, brush, colour) {
    const from = -Math.floor((brush - 1) / 2)
    for (let r = row + from; r < row + from + brush; r++) {
      for (let c = col + from; c < col + from + brush; c++) {
        if (r < 0 || c < 0 || r >= this.height || c >= this.width) continue
        this.pixels.set(colour ? [...colour, 255] : [0, 0, 0, 0], 4 * (r * this.width + c))
      }
    }
  }

  // The same along a straight line.
  line([row, col], [toRow, toCol], brush, colour) {
    const steps = Math.max(1, Math.abs(toRow - row), Math.abs(toCol - col))
    for (let i = 0; i <= steps; i++)
      this.dot(
        Math.round(row + ((toRow - row) * i) / steps),
        Math.round(col + ((toCol - col) * i) / steps),
        brush,
        colour
      )
  }

  clear() {
    this.pixels.fill(0)
  }

  get empty() {
    return !this.pixels.some((value, i) => i % 4 === 3 && value)
  }
}

export function parseColour(text) {
  return [1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16))
}
