// The component that Streamlit gets: it fetches the script that the root element names, and passes every call to its
// mount.

import {staticFile} from './static_file.js'

const loaded = new Map()

function load(source) {
  if (!loaded.has(source)) {
    const name = source.split('?')[0]
    const failed = () => {
      loaded.delete(source)
      throw new Error(
        `The script app/static/${name} did not load, so there are no views here. ` +
          'Reload the page; if that does not help, check that server.enableStaticServing is on.'
      )
    }
    loaded.set(source, import(staticFile(source)).catch(failed))
  }
  return loaded.get(source)
}

export default function mount(component) {
  const root = component.parentElement.querySelector('[data-script]')
  root.latest = component
  load(root.dataset.script)
    .then(script => {
      if (root.isConnected && root.latest === component) script.default(component)
    })
    .catch(error => {
      root.textContent = error.message
      root.setAttribute('role', 'alert')
    })
  return () =>
    setTimeout(() => {
      if (!root.isConnected) root.app?.close()
    })
}
