// Gives the test what the offline page counts: the pools over the shares and the worth of a preview.

import {Model} from '../../../app/components/linked_views/model/model.js'
import {countedGrid} from '../../../app/components/linked_views/offline/counting.js'
import {inflated} from '../../../app/components/linked_views/offline/packing.js'
import {worthOf} from '../../../app/components/linked_views/offline/worth.js'
import {unpackPacket} from '../../../app/components/packet.js'

async function replayed(encoded, asks) {
  const bytes = await inflated(Uint8Array.from(atob(encoded), c => c.charCodeAt(0)))
  const model = new Model()
  model.take(unpackPacket(bytes))
  return asks.map(ask => ({grid: countedGrid(model, ask), worth: worthOf(model, model.effective(ask), ask.epoch)}))
}

Object.assign(window, {replayed})
