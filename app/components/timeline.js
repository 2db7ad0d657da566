// The slider of app/components/timeline.py. It keeps the user's choice until the server has answered, or for three
// seconds.

import {themeOf} from './theme.js'

const PATIENCE = 3000

export default function mount({data, parentElement, setStateValue}) {
  const strip = parentElement.querySelector('.timeline-strip')
  const range = parentElement.querySelector('input')
  range.own ??= {timer: null, until: 0, held: false}
  const {own} = range

  if (strip.innerHTML !== data.strip) strip.innerHTML = data.strip
  range.max = data.total
  range.disabled = data.recorded < 1
  const half = `(50% / ${data.total} - 8px)` // the middle of the thumb lies on the middle of its epoch
  range.style.marginLeft = `calc${half}`
  range.style.width = `calc(100% - 2 * ${half})`
  if (own.epoch === data.epoch) own.until = 0
  if (!own.held && performance.now() > own.until) range.value = data.epoch
  range.setAttribute('aria-valuetext', `epoch ${range.value} of ${data.total}`)

  // A switch between light and dark reaches the server only with the next run: ask for one.
  const seen = themeOf(parentElement)
  if (seen && seen !== data.theme && own.asked !== seen) {
    own.asked = seen
    setStateValue('theme', seen)
  }
  if (seen === data.theme) own.asked = null

  const tell = () => {
    own.timer = null
    own.epoch = +range.value
    setStateValue('choice', {epoch: own.epoch, at: Date.now()})
  }
  range.onpointerdown = () => {
    own.held = true
  }
  range.onpointerup = range.onpointercancel = () => {
    own.held = false
  }
  range.oninput = () => {
    if (+range.value > data.recorded) range.value = data.recorded
    own.epoch = null
    own.until = performance.now() + PATIENCE
    own.timer ??= setTimeout(tell, 120)
  }
}
