// A Plotly chart that is mounted once and then only updated. Streamlit calls mount again for each change of data or
// theme. It calls the returned clean-up at unmount, but also when the next run overtakes one, so the clean-up checks
// whether the chart is really gone. An update while the mouse is pressed would swallow the click, so it waits for the
// release.

import {saveButtons} from './saving.js'
import {staticFile} from './static_file.js'

let library = null
let config = null // the same object for all charts: with another one `react` would start over

function script(source) {
  return new Promise((done, fail) => {
    const tag = document.createElement('script')
    tag.src = staticFile(source)
    tag.onload = () => (window.Plotly ? done(window.Plotly) : fail())
    tag.onerror = () => {
      tag.remove()
      fail()
    }
    document.head.append(tag)
  })
}

function load(source) {
  library ??= window.Plotly ? Promise.resolve(window.Plotly) : script(source)
  return library.catch(() => {
    library = null
    throw new Error(
      'The chart library app/static/plotly.min.js did not load, so there is no chart here. ' +
        'Reload the page; if that does not help, check that server.enableStaticServing is on.'
    )
  })
}

const CONFIG = {
  displayModeBar: 'hover',
  doubleClick: 'reset',
  typesetMath: false,
  modeBarButtonsToRemove: [
    'toImage',
    'autoScale2d',
    'zoomIn2d',
    'zoomOut2d',
    'toggleSpikelines',
    'hoverClosestCartesian',
    'hoverCompareCartesian'
  ]
}

function prepare(chart) {
  if (chart.live) return chart.live
  const live = {next: null, drawing: false, held: false}
  chart.live = live
  chart.addEventListener(
    'pointerdown',
    () => {
      live.held = true
      const release = () =>
        setTimeout(() => {
          live.held = false
          draw(chart)
        }, 60)
      window.addEventListener('pointerup', release, {once: true})
      window.addEventListener('pointercancel', release, {once: true})
    },
    true
  )
  live.observer = new ResizeObserver(() => {
    if (chart.clientWidth && live.drawn) window.Plotly.Plots.resize(chart)
  })
  live.observer.observe(chart)
  return live
}

function listen(chart) {
  chart.on('plotly_click', event => {
    const point = event.points.find(p => Number.isInteger(p.pointIndex))
    if (point) chart.live.send({curve: point.curveNumber, index: point.pointIndex})
  })
}

async function draw(chart) {
  const live = chart.live
  if (live.drawing) return
  live.drawing = true
  try {
    while (live.next && !live.held && chart.isConnected) {
      const {figure, source, options} = live.next
      live.next = null
      const Plotly = await load(source)
      if (!chart.isConnected) return
      config ??= {...CONFIG, ...options, modeBarButtonsToAdd: saveButtons()}
      await Plotly.react(chart, figure.data, figure.layout, config)
      if (!live.drawn) listen(chart)
      live.drawn = true
      settle(chart, figure.layout?.meta?.summary ?? '', '')
    }
  } catch (error) {
    settle(chart, '', error.message)
  } finally {
    live.drawing = false
  }
}

function settle(chart, summary, problem) {
  const frame = chart.parentElement
  frame.setAttribute('aria-busy', 'false')
  const note = frame.querySelector('.live-plot-note')
  note.textContent = problem
  if (problem) note.setAttribute('role', 'alert')
  else note.removeAttribute('role')
  if (summary) {
    chart.setAttribute('role', 'figure')
    chart.setAttribute('aria-label', summary)
  }
}

export default function mount({data, parentElement, setTriggerValue}) {
  const frame = parentElement.querySelector('.live-plot')
  const chart = frame.querySelector('.live-plot-chart')
  frame.style.height = data.height + 'px'
  const live = prepare(chart)
  live.name = data.name
  live.remake = data.remake
  live.send = point => setTriggerValue('picked', point)
  if (live.spec !== data.spec) {
    live.spec = data.spec
    live.next = {figure: JSON.parse(data.spec), source: data.source, options: data.options}
  }
  draw(chart)
  return () =>
    setTimeout(() => {
      if (chart.isConnected) return
      live.observer.disconnect()
      if (live.drawn) window.Plotly.purge(chart)
    })
}
