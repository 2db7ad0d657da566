// The linked views as a component of the pages Tune and Learn.

import {addStyle} from '../elements.js'
import {App} from './app.js'
// biome-ignore lint/correctness/noUnresolvedImports: a text
import LEARN_CSS from './lesson/learn.css' with {type: 'text'}
import {Learn} from './lesson/learn.js'
// biome-ignore lint/correctness/noUnresolvedImports: a text
import TUNE_CSS from './tune.css' with {type: 'text'}

// Called with each message, and when the theme changes.
export default function mount({data, parentElement, setStateValue, setTriggerValue}) {
  const root = parentElement.querySelector('.tn')
  if (!root.app) {
    addStyle('tn', TUNE_CSS + LEARN_CSS)
    root.app = new App(root, root.dataset.mode === 'learn' ? Learn : null)
  }
  Object.assign(root.app, {send: setStateValue, fire: setTriggerValue})
  root.app.receive(data)
}
