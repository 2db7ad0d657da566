// The image with the trigger. Dragging and arrow keys move the trigger, or paint where the trigger is drawn by hand.

const ARROWS = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}

export class Stage {
  constructor(node, bench) {
    this.node = node
    this.bench = bench
    this.canvas = node.querySelector('canvas')
    this.cursor = node.querySelector('.bn-cursor')
    this.at = [0, 0]
    node.addEventListener('pointerdown', event => this.press(event))
    node.addEventListener('pointermove', event => this.move(event))
    for (const end of ['pointerup', 'pointercancel']) node.addEventListener(end, () => this.release())
    node.addEventListener('keydown', event => this.key(event))
    for (const end of ['focus', 'blur']) node.addEventListener(end, () => this.paintCursor())
  }

  get paints() {
    return this.bench.state.trigger === 'drawn' && this.bench.controls.mode !== 'move'
  }

  // Row and column of the image under the pointer.
  place(event) {
    const box = this.canvas.getBoundingClientRect()
    const [height, width] = this.bench.shape
    return [
      Math.floor(((event.clientY - box.top) / box.height) * height),
      Math.floor(((event.clientX - box.left) / box.width) * width)
    ]
  }

  press(event) {
    if (event.button !== 0) return
    this.node.setPointerCapture(event.pointerId)
    this.node.focus({preventScroll: true})
    event.preventDefault()
    this.last = this.place(event)
    const {down, across} = this.bench.state
    this.from = {place: this.last, down, across}
    this.node.classList.toggle('dragging', !this.paints)
    if (this.paints) {
      this.at = this.last
      this.stroke(this.last, this.last)
    }
  }

  move(event) {
    if (!this.from) return
    const now = this.place(event)
    if (now[0] === this.last[0] && now[1] === this.last[1]) return
    if (this.paints) this.stroke(this.last, now)
    else this.bench.moveTo(this.from.down + now[0] - this.from.place[0], this.from.across + now[1] - this.from.place[1])
    this.last = now
    this.at = now
    this.paintCursor()
  }

  release() {
    this.from = null
    this.node.classList.remove('dragging')
  }

  stroke(from, to) {
    const {down, across} = this.bench.state
    const {mode, brush, colour} = this.bench.controls
    const onDrawing = ([row, col]) => [row - down, col - across]
    this.bench.drawing.line(onDrawing(from), onDrawing(to), brush, mode === 'erase' ? null : colour)
    this.bench.drawn()
  }

  key(event) {
    const arrow = ARROWS[event.key]
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (this.paints && (event.key === ' ' || event.key === 'Enter')) this.stroke(this.at, this.at)
    else if (!arrow) return
    else if (this.paints) {
      const [height, width] = this.bench.shape
      this.at = [
        Math.min(height - 1, Math.max(0, this.at[0] + arrow[0])),
        Math.min(width - 1, Math.max(0, this.at[1] + arrow[1]))
      ]
      this.paintCursor()
    } else {
      const {down, across} = this.bench.state
      const step = event.shiftKey ? 4 : 1
      this.bench.moveTo(down + step * arrow[0], across + step * arrow[1])
    }
    event.preventDefault()
  }

  // The frame around the pixel that the space bar would paint.
  paintCursor() {
    const [height, width] = this.bench.shape
    this.cursor.hidden = !this.paints || document.activeElement !== this.node
    Object.assign(this.cursor.style, {
      top: `${(100 * this.at[0]) / height}%`,
      left: `${(100 * this.at[1]) / width}%`,
      height: `${100 / height}%`,
      width: `${100 / width}%`
    })
  }
}

// Put the pixels (H, W, K) of one image onto a canvas.
export function paintPixels(canvas, pixels, [height, width, channels]) {
  canvas.height = height
  canvas.width = width
  const image = new ImageData(width, height)
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[channels * i + (channels === 3 ? c : 0)]
    image.data[4 * i + 3] = 255
  }
  canvas.getContext('2d').putImageData(image, 0, 0)
}
