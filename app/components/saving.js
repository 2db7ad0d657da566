// Saves a figure as app/components/saving.py describes: three buttons in the bar of a chart.

const ARRAYS = {
  i1: Int8Array,
  u1: Uint8Array,
  u1c: Uint8ClampedArray,
  i2: Int16Array,
  u2: Uint16Array,
  i4: Int32Array,
  u4: Uint32Array,
  f4: Float32Array,
  f8: Float64Array
}

function rows(values, shape) {
  if (shape.length < 2) return values
  const size = values.length / shape[0]
  return Array.from({length: shape[0]}, (_, i) => rows(values.slice(i * size, (i + 1) * size), shape.slice(1)))
}

function plain(value) {
  // arrays arrive as base64, which would be unreadable in a file
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object') return value
  if (typeof value.bdata === 'string') {
    const bytes = Uint8Array.from(atob(value.bdata), c => c.charCodeAt(0))
    const shape = value.shape === undefined ? [] : String(value.shape).split(',').map(Number)
    return rows(Array.from(new ARRAYS[value.dtype](bytes.buffer)), shape)
  }
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]))
}

function record(chart) {
  const {data, layout} = JSON.parse(chart.live.spec)
  const {template, ...rest} = layout
  return {summary: layout?.meta?.summary ?? '', command: chart.live.remake, data: plain(data), layout: plain(rest)}
}

function download(content, type, name) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([content], {type}))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10000)
}

async function image(chart, format, scale) {
  const ground = getComputedStyle(chart).getPropertyValue('--st-background-color').trim() || '#ffffff'
  const layout = {...chart.layout, paper_bgcolor: ground}
  return window.Plotly.toImage(
    {data: chart.data, layout},
    {format, scale, width: chart.clientWidth, height: chart.clientHeight}
  )
}

function inside(text) {
  return '<![CDATA[' + text.replaceAll(']]>', ']]]]><![CDATA[>') + ']]>'
}

async function saveSVG(chart) {
  const url = await image(chart, 'svg', 1)
  const saved = record(chart)
  const svg = decodeURIComponent(url.slice(url.indexOf(',') + 1))
  const end = svg.indexOf('>') + 1
  const words = '<title>' + inside(saved.summary) + '</title><desc>' + inside(saved.command) + '</desc>'
  const content =
    svg.slice(0, end) + words + '<metadata>' + inside(JSON.stringify(saved)) + '</metadata>' + svg.slice(end)
  download(content, 'image/svg+xml', chart.live.name + '.svg')
}

async function savePNG(chart) {
  const url = await image(chart, 'png', 2)
  download(
    Uint8Array.from(atob(url.slice(url.indexOf(',') + 1)), c => c.charCodeAt(0)),
    'image/png',
    chart.live.name + '.png'
  )
}

export const saveButtons = () => [
  {name: 'svg', title: 'Save as SVG, with data and command inside', icon: window.Plotly.Icons.camera, click: saveSVG},
  {name: 'png', title: 'Save as PNG', icon: window.Plotly.Icons['camera-retro'], click: savePNG},
  {
    name: 'data',
    title: 'Save the data and the command (JSON)',
    icon: window.Plotly.Icons.disk,
    click: chart => download(JSON.stringify(record(chart), null, 1), 'application/json', chart.live.name + '.json')
  }
]
