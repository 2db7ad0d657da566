// The pointer on a plot: it hovers, a click picks a sample, a drag draws a lasso, a drag with Ctrl moves the view, the
// wheel zooms, and a double click shows everything.

import {placeIn} from './screen.js'

export function listenTo(plot, onHover, onPick, onLasso) {
  const {host} = plot
  let start = null
  let path = null
  let zoom = null
  const place = event => placeIn(host, event)
  host.addEventListener('pointermove', event => {
    const [x, y] = place(event)
    if (!start) {
      onHover(plot.nearest(x, y))
      return
    }
    if (zoom) {
      plot.zoom = panned(plot, zoom, start, [x, y])
      plot.changed?.()
      return
    }
    if (!path && Math.hypot(x - start[0], y - start[1]) > 4) path = [start]
    if (path) {
      path.push([x, y])
      plot.lasso = path
      plot.changed?.(true)
    }
  })
  host.addEventListener('pointerdown', event => {
    const [x, y] = place(event)
    if (event.button !== 0 || !plot.points || !plot.inside(x, y)) return
    start = [x, y]
    path = null
    zoom = event.ctrlKey || event.metaKey ? [...plot.zoom] : null
    host.setPointerCapture(event.pointerId)
  })
  const end = event => {
    if (!start) return
    const [x, y] = place(event)
    if (path) onLasso(path.length > 2 ? plot.within(path) : [], event)
    else if (!zoom && event.type === 'pointerup') onPick(plot.nearest(x, y), event)
    start = null
    path = null
    zoom = null
    plot.lasso = null
    plot.changed?.(true)
  }
  host.addEventListener('pointerup', end)
  host.addEventListener('pointercancel', end)
  host.addEventListener('pointerleave', () => {
    if (!start) onHover(null)
  })
  host.addEventListener(
    'wheel',
    event => {
      const [x, y] = place(event)
      if (!plot.points || !plot.inside(x, y)) return
      event.preventDefault()
      plot.zoom = scaled(plot.zoom, plot.ux(x), plot.uy(y), Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))))
      plot.changed?.()
    },
    {passive: false}
  )
  host.addEventListener('dblclick', () => {
    plot.zoom = [0, 1, 0, 1]
    plot.changed?.()
  })
}

// The zoom after scaling by a factor around a place.
function scaled(zoom, u, v, factor) {
  const grow = (low, high, at) => {
    const f = Math.min(factor, 1 / (high - low))
    const a = at - (at - low) * f
    const b = at + (high - at) * f
    const shift = Math.max(0, -a) - Math.max(0, b - 1)
    return high - low < 0.005 && factor < 1 ? [low, high] : [a + shift, b + shift]
  }
  return [...grow(zoom[0], zoom[1], u), ...grow(zoom[2], zoom[3], v)]
}

// The zoom after moving the view from one pixel to another.
function panned({inner}, zoom, [x0, y0], [x1, y1]) {
  const move = (low, high, by) => {
    const b = Math.max(-low, Math.min(1 - high, by))
    return [low + b, high + b]
  }
  return [
    ...move(zoom[0], zoom[1], (-(x1 - x0) / inner.w) * (zoom[1] - zoom[0])),
    ...move(zoom[2], zoom[3], ((y1 - y0) / inner.h) * (zoom[3] - zoom[2]))
  ]
}
