// The run as far as the browser has it: what all epochs share, the columns of epochs, and the pools under any settings.

import {unpackBits} from '../../packet.js'
import {byEpoch} from './columns.js'
import {buildScene} from './scene.js'
import {cleanRatio, firstPool, laterPool} from './splits.js'

export class Model {
  constructor() {
    this.header = null
    this.epochs = new Map() // columns by epoch, as they came
    this.thumbs = new Map() // canvas by sample
    this.ready = false
  }

  get n() {
    return this.header?.samples ?? 0
  }
  get info() {
    return this.header?.epochs ?? []
  }
  get own() {
    return this.header.own
  }

  // (N,) of 0 and 1, which samples are poisoned; null where that is not known, or hidden for a moment.
  get poison() {
    return this.veil ? null : this.truth
  }

  // Hide the ground truth, or show it; returns whether that changes anything.
  setVeil(on) {
    if (!!this.veil === on) return false
    this.veil = on
    this.sideLists = new Map()
    this.scenes = new Map()
    return true
  }

  // Take a packet; returns whether what all epochs share is new.
  take({header, arrays}) {
    const {epochs, others} = byEpoch(arrays)
    const old = this.header
    const fresh = others.labels !== undefined
    if (fresh) this.setGeometry(header, others)
    // Another run, or the ground truth switched on or off, needs all of it anew.
    if (!fresh && (old?.run !== header.run || old.truth !== header.truth)) this.ready = false
    this.header = {...(fresh ? {} : old), thumbs: null, ...header}
    const rows = header.epochs.map(([stage, t, target, ca, asr, pool, poison, stamp, map, mapKey, distances]) => ({
      stage: this.header.stage_names?.[stage],
      t,
      target,
      ca,
      asr,
      pool,
      poison,
      stamp,
      map,
      mapKey: mapKey + 1,
      distances
    }))
    this.header.epochs = [...(old?.epochs ?? []).slice(0, header.from), ...rows]
    // An answer to a page that knew other epochs.
    if (this.header.epochs.length !== header.from + rows.length) this.ready = false
    for (const [epoch, stamp] of [...header.sent, ...header.maps])
      this.epochs.set(epoch, {
        ...(this.epochs.get(epoch)?.stamp === stamp ? this.epochs.get(epoch) : {}),
        stamp,
        ...epochs.get(epoch)
      })
    for (const [epoch, columns] of this.epochs) if (this.info[epoch]?.stamp !== columns.stamp) this.epochs.delete(epoch)
    if (header.thumbs && others.thumbs) this.takeThumbs(header.thumbs, others.thumbs)
    if (fresh || header.sent.length || header.maps.length) this.scenes = new Map()
    return fresh
  }

  setGeometry(header, {labels, poison, original, landmarks, draw}) {
    const n = header.samples
    Object.assign(this, {labels, landmarks, draw: draw ?? null, original: original ?? null, ready: true})
    this.truth = poison ? unpackBits(poison, n) : null
    this.everyone = Uint32Array.from({length: n}, (_, i) => i)
    this.jitter = Float32Array.from({length: n}, (_, i) => (Math.imul(i + 1, 2654435761) >>> 0) / 4294967296)
    this.sideLists = new Map()
    this.sizes = new Uint32Array(header.names.length)
    for (let i = 0; i < n; i++) this.sizes[labels[i]]++
    this.epochs.clear()
    this.thumbs.clear()
  }

  takeThumbs({ids, height, width, channels}, pixels) {
    const size = height * width
    for (const [k, id] of ids.entries()) {
      const canvas = document.createElement('canvas')
      canvas.width = width
      canvas.height = height
      const image = new ImageData(width, height)
      for (let p = 0; p < size; p++)
        for (let c = 0; c < 4; c++)
          image.data[4 * p + c] = c === 3 ? 255 : pixels[(k * size + p) * channels + (channels === 1 ? 0 : c)]
      canvas.getContext('2d').putImageData(image, 0, 0)
      this.thumbs.set(id, canvas)
    }
    while (this.thumbs.size > 600) this.thumbs.delete(this.thumbs.keys().next().value)
  }

  // Whether an epoch has a column.
  has(epoch, name = 'g_rank') {
    return this.epochs.get(epoch)?.[name] !== undefined
  }

  // The settings in effect at the shown epoch: within the OSS warm-up, the warm-up would end there.
  effective(view) {
    const info = this.info[view.epoch]
    return {...view.settings, t1: info?.stage === 'oss_warmup' ? info.t : view.settings.t1}
  }

  // The epochs whose columns a view needs, by the rules of loss_epoch and distance_epoch in
  // bsd_engine/method/preview.py.
  sources(view) {
    const info = this.info[view.epoch]
    const own = this.own
    if (!info) return null
    if (info.stage === 'altruistic_warmup') return {phase: 'alone', loss: view.epoch, distance: null, shown: view.epoch}
    if (info.stage !== 'oss_warmup' && info.stage !== 'initial_pools')
      return {phase: 'later', loss: view.epoch, distance: null, shown: view.epoch}
    const settings = this.effective(view)
    const t1 = info.stage === 'oss_warmup' ? info.t : Math.min(settings.t1, own.t1)
    const fewer = Math.min(settings.altruistic_epochs, own.altruistic_epochs)
    const learned = fewer + (own.als_current ? t1 : 0)
    const shown = own.altruistic_epochs + t1
    return {phase: 'first', loss: learned <= own.altruistic_epochs ? learned - 1 : learned, distance: shown, shown}
  }

  // What is missing for a view, as {epoch, kind}; `distances` asks for all three of them.
  needed(view, distances) {
    const source = this.sources(view)
    if (!source) return []
    const all = [source.loss, source.distance, view.epoch].filter(e => e !== null && e < this.info.length)
    const missing = [...new Set(all)].filter(e => !this.has(e)).map(epoch => ({epoch, kind: 'columns'}))
    if (
      distances &&
      source.distance !== null &&
      this.info[source.distance]?.distances &&
      !this.has(source.distance, 'min_rank')
    )
      missing.push({epoch: source.distance, kind: 'distances'})
    const here = this.epochs.get(view.epoch)
    if (this.info[view.epoch].map && here?.g_rank && here.map_key?.[0] !== this.info[view.epoch].mapKey)
      missing.push({epoch: view.epoch, kind: 'maps'})
    return missing
  }

  // The scene of a view; null while its columns are missing.
  scene(view) {
    const source = this.sources(view)
    if (
      !source ||
      !this.has(source.loss) ||
      (source.distance !== null && !this.has(source.distance)) ||
      !this.has(view.epoch)
    )
      return null
    const own = this.own
    const kind = view.settings.distance
    const other = source.phase === 'first' && kind !== own.distance && this.has(source.distance, `${kind}_rank`)
    const key = [source.phase, source.loss, source.distance, view.epoch, other ? kind : ''].join()
    if (!this.scenes.has(key)) {
      if (this.scenes.size > 6) this.scenes.delete(this.scenes.keys().next().value)
      this.scenes.set(key, buildScene(this, source, view.epoch, other ? kind : 's'))
    }
    return this.scenes.get(key)
  }

  // The samples drawn as points (the suspected class, and poison wherever it is known), and the others.
  sides(target) {
    if (!this.sideLists.has(target)) {
      const {labels, poison, n} = this
      const lists = {target: [], clean: [], poison: [], others: []}
      for (let i = 0; i < n; i++) {
        const suspected = target === null || labels[i] === target
        const bad = poison !== null && poison[i] === 1
        if (suspected) lists.target.push(i)
        const list = bad ? lists.poison : suspected ? lists.clean : lists.others
        list.push(i)
      }
      this.sideLists.set(
        target,
        Object.fromEntries(Object.entries(lists).map(([name, ids]) => [name, Uint32Array.from(ids)]))
      )
    }
    return this.sideLists.get(target)
  }

  // alpha_T at a scene.
  ratio(scene, settings) {
    const own = this.own
    const start = own.alpha_start ?? settings.beta
    return cleanRatio(scene.t, {alpha: settings.alpha, start, t1: settings.t1, init: own.init_epochs, t2: own.t2})
  }

  // Fill the given masks with the pool under some settings.
  pool(scene, settings, out) {
    const own = this.own
    if (scene.phase === 'later') {
      out.als.fill(1)
      out.oss.fill(1)
      const drops = own.selective_drop && scene.target !== null && scene.t >= own.drop_start && scene.both
      return laterPool(
        {
          ...scene,
          labels: this.labels,
          completion: own.completion,
          countBy: own.count_by,
          drops,
          allPredicted: this.epochs.get(scene.shown)?.predictions
        },
        this.ratio(scene, settings),
        out
      )
    }
    const combine = scene.oss ? own.combine : 'als_only'
    return firstPool(
      {gRank: scene.gRank, oss: scene.oss, combine, draw: this.draw},
      own.als_init_ratio ?? settings.alpha,
      settings.beta,
      out
    )
  }

  masks() {
    return {als: new Uint8Array(this.n), oss: new Uint8Array(this.n), pool: new Uint8Array(this.n)}
  }
}
