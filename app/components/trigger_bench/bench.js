// The trigger bench as a component of the page Bench.

import {addStyle} from '../elements.js'
import {Bench} from './app.js'
// biome-ignore lint/correctness/noUnresolvedImports: a text
import CSS from './bench.css' with {type: 'text'}

// Called with each message, and when the theme changes.
export default function mount({data, parentElement, setStateValue}) {
  const root = parentElement.querySelector('.bn')
  if (!root.app) {
    addStyle('bn', CSS)
    root.app = new Bench(root)
  }
  root.app.send = setStateValue
  root.app.receive(data)
}
