// Pixels: how fine the screen is, and where on an element a pointer is.

export const ENLARGED = {factor: 1} // slides mode enlarges the page by this

// Pixels of the screen for one of the page.
export function pixelRatio() {
  return Math.min(3, Math.min(2, window.devicePixelRatio || 1) * ENLARGED.factor)
}

// Where a pointer is, in an element's own pixels.
export function placeIn(host, event) {
  const box = host.getBoundingClientRect()
  const scale = box.width / host.offsetWidth || 1
  return [(event.clientX - box.left) / scale, (event.clientY - box.top) / scale]
}
