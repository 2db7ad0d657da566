// What the teaching layout adds to the views: steps by stage, the speed of play, captions, and buttons that enlarge a
// view.

import {PANELS, SPEEDS} from './layout.js'

export function addTimeControls(learn, box) {
  const button = (sign, title, by) => {
    const node = document.createElement('button')
    node.type = 'button'
    node.textContent = sign
    node.setAttribute('aria-label', title)
    node.title = title
    node.className = 'tn-stage-step'
    node.addEventListener('click', () => learn.stageStep(by))
    return node
  }
  box.querySelector('.tn-back').before(button('«', 'Previous stage', -1))
  box.querySelector('.tn-next').after(button('»', 'Next stage', 1))
  const select = document.createElement('select')
  select.className = 'tn-speed'
  select.setAttribute('aria-label', 'Speed of play')
  for (const [name, [words]] of Object.entries(SPEEDS)) {
    const option = document.createElement('option')
    option.value = name
    option.textContent = words
    select.append(option)
  }
  select.value = learn.speed
  select.addEventListener('change', () => learn.setSpeed(select.value))
  box.querySelector('.tn-now').after(select)
}

// Returns the captions by the name of their panel.
export function addCaptions(learn) {
  const captions = {}
  for (const [name, selector] of Object.entries(PANELS)) {
    const panel = learn.root.querySelector(selector)
    const caption = document.createElement('p')
    caption.className = 'tn-caption'
    const head = panel.querySelector(':scope > header:not(.tn-gridhead), :scope > h2')
    if (head) head.after(caption)
    else panel.prepend(caption)
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'tn-enlarge'
    button.textContent = '⤢'
    button.setAttribute('aria-label', 'Show this view large')
    button.title = 'Show this view large'
    button.addEventListener('click', () => learn.swap(name))
    panel.append(button)
    captions[name] = caption
  }
  return captions
}
