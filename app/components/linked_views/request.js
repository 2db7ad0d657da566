// What the views ask the server for, and the state that they tell it.

import {packBits} from '../packet.js'

// Bytes of columns up to which the whole run is fetched; of a larger one only the epochs around the shown one.
const LARGEST_RECORD = 4e8

// Everything that is missing: first what is shown, then the rest of the run, nearest epochs first.
export function wanted(app, geometry) {
  const {model, view} = app
  const want = {
    geometry: geometry || !model.ready,
    columns: [],
    distances: [],
    maps: [],
    thumbs: [],
    grid: model.header?.grid?.key ?? '',
    rows: model.ready ? model.header.rows : '',
    last: Math.max(-1, ...model.epochs.keys())
  }
  if (!model.ready || view.epoch === null) return want
  const distances = app.tab === 'fig8' || view.settings.distance !== model.own.distance
  for (const {epoch, kind} of model.needed(view, distances)) want[kind].push(epoch)
  const near = [...model.info.keys()]
    .filter(e => !model.has(e) && !want.columns.includes(e))
    .sort((a, b) => Math.abs(a - view.epoch) - Math.abs(b - view.epoch))
  want.columns.push(...near.slice(0, model.n * model.info.length * 6 < LARGEST_RECORD ? 64 : 4))
  want.thumbs = app.inspector.wantedThumbs()
  return want
}

// What the address and the other pages keep; the epoch is null while the views follow a training.
export function stateOf({model, view, learn}) {
  return {
    epoch: view.following ? null : view.epoch,
    pin: view.pin,
    selected: view.count ? packBits(view.selected) : '',
    settings: model.effective(view),
    shown: view.epoch,
    lesson: learn?.lesson
  }
}
