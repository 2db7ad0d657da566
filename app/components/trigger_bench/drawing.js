// A trigger drawn by hand: red, green, blue and opacity of each pixel of an image.

export class Drawing {
  constructor(height, width, bytes) {
    this.height = height
    this.width = width
    this.pixels = new Uint8Array(bytes?.length === 4 * height * width ? bytes : 4 * height * width)
  }

  // Colour a square around a pixel, or clear it where the colour is null; pixels outside the image are skipped.
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

  // The pixels of an image (H, W, K) with the drawing on it, moved and with an opacity from 0 to 1.
  over(image, [height, width, channels], down, across, opacity) {
    const pixels = image.slice()
    for (let r = 0; r < height; r++)
      for (let c = 0; c < width; c++) {
        const row = r - down
        const col = c - across
        const from = 4 * (row * width + col)
        if (row < 0 || col < 0 || row >= height || col >= width || !this.pixels[from + 3]) continue
        const [red, green, blue] = this.pixels.subarray(from, from + 3)
        const values = channels === 3 ? [red, green, blue] : [0.299 * red + 0.587 * green + 0.114 * blue]
        for (const [k, value] of values.entries()) {
          const i = channels * (r * width + c) + k
          pixels[i] = Math.round(pixels[i] + opacity * (value - pixels[i]))
        }
      }
    return pixels
  }
}

export function parseColour(text) {
  return [1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16))
}
