// The run as far as the browser has it, what is looked at, and what follows from both: the scene.

import {unpackBits} from '../../packet.js'
import {byEpoch, scoresByRank} from './columns.js'
import {lossUnit} from './scales.js'
import {cleanRatio, firstPool, groupRanks, laterPool, ossGroups} from './splits.js'

export class Model {
  constructor() {
    this.header = null
    this.epochs = new Map() // epoch -> columns as they came
    this.thumbs = new Map() // sample -> canvas
    this.pending = null
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

  // Which samples are poisoned, where that is known and not kept back for a moment; (N,) of 0 and 1, or null.
  get poison() {
    return this.veil ? null : this.truth
  }

  // Keep the truth back, or show it; true if that changes anything.
  setVeil(on) {
    if (!!this.veil === on) return false
    this.veil = on
    this.sideLists = new Map()
    this.scenes = new Map()
    return true
  }

  // Take a packet in; true if the geometry is new.
  take({header, arrays}) {
    const {epochs, others} = byEpoch(arrays)
    const old = this.header
    const fresh = others.labels !== undefined
    if (fresh) this.setGeometry(header, others)
    // A page of another run, or with the truth switched on or off, has another geometry.
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
    if (this.header.epochs.length !== header.from + rows.length) this.ready = false // an answer to what an earlier page knew
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
    ids.forEach((id, k) => {
      const canvas = document.createElement('canvas')
      canvas.width = width
      canvas.height = height
      const image = new ImageData(width, height)
      for (let p = 0; p < size; p++)
        for (let c = 0; c < 4; c++)
          image.data[4 * p + c] = c === 3 ? 255 : pixels[(k * size + p) * channels + (channels === 1 ? 0 : c)]
      canvas.getContext('2d').putImageData(image, 0, 0)
      this.thumbs.set(id, canvas)
    })
    while (this.thumbs.size > 600) this.thumbs.delete(this.thumbs.keys().next().value)
  }

  has(epoch, name = 'g_rank') {
    return this.epochs.get(epoch)?.[name] !== undefined
  }

  // Settings in effect at a cursor: in the OSS warm-up the cursor itself says where it would have ended.
  effective(view) {
    const info = this.info[view.epoch]
    return {...view.settings, t1: info?.stage === 'oss_warmup' ? info.t : view.settings.t1}
  }

  // Epochs whose columns a cursor needs, as whatif.loss_epoch and distance_epoch have it.
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

  // Everything that the views draw at a cursor and that no cut changes; null while its columns are on their way.
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
      this.scenes.set(key, this.build(source, view.epoch, other ? kind : 's'))
    }
    return this.scenes.get(key)
  }

  build(source, epoch, kind) {
    const {n, labels} = this
    const shown = this.info[source.shown]
    const target = this.info[epoch].target
    const loss = this.epochs.get(source.loss)
    const at = this.epochs.get(source.shown)
    const scene = {
      ...source,
      epoch,
      target,
      n,
      gRank: loss.g_rank,
      gByRank: scoresByRank(loss.g_curve, n),
      t: shown.t,
      stage: this.info[epoch].stage
    }
    scene.gU = this.units(scene.gRank, scene.gByRank, lossUnit)
    if (source.phase === 'first') {
      const distance = this.epochs.get(source.distance)
      const rank = distance[`${kind}_rank`]
      const group = ossGroups(labels, target)
      if (rank) {
        scene.sRank = rank
        scene.sByRank = scoresByRank(distance[`${kind}_curve`], n)
        scene.endless = scene.sByRank[n - 1] > 1e8 // without a known class every distance is infinite
        if (scene.endless) scene.sByRank.fill(0)
        scene.oss = {group, ...groupRanks(rank, group, this.header.names.length)}
        const low = scene.sByRank[n - 1]
        const high = scene.sByRank[0]
        const span = high > low ? high - low : 1
        scene.sRange = [low - 0.04 * span, high + 0.04 * span]
        scene.sU = this.units(rank, scene.sByRank, v => (v - scene.sRange[0]) / (scene.sRange[1] - scene.sRange[0]))
      }
    }
    const levels = at.f_level
    // A level is a step of 5 %; samples are spread over it, so that no stripes show.
    if (levels) {
      scene.fU = new Float32Array(n)
      scene.fX = new Float32Array(n) // main loss grows to the left, so that upper right stays in every view
      for (let i = 0; i < n; i++) {
        const u = (levels[i] + this.jitter[i] - 0.5) / 255
        scene.fU[i] = u < 0 ? 0 : Math.min(u, 1)
        scene.fX[i] = 1 - scene.fU[i]
      }
    }
    if (source.phase === 'later') {
      scene.gapRank = at.gap_rank
      scene.gapByRank = scoresByRank(at.gap_curve, n)
      scene.byClass = groupRanks(at.gap_rank, labels, this.header.names.length)
      scene.both = at.both ? unpackBits(at.both, n) : null
      scene.predicted = at.predicted ?? null
    }
    scene.recorded = this.recordedPool(source, epoch)
    return scene
  }

  // Who is drawn as a point: the suspected class, and poison wherever it is known; the others are context.
  sides(target) {
    if (!this.sideLists.has(target)) {
      const {labels, poison, n} = this
      const lists = {target: [], clean: [], poison: [], others: []}
      for (let i = 0; i < n; i++) {
        const suspected = target === null || labels[i] === target
        const bad = poison !== null && poison[i] === 1
        if (suspected) lists.target.push(i)
        ;(bad ? lists.poison : suspected ? lists.clean : lists.others).push(i)
      }
      this.sideLists.set(
        target,
        Object.fromEntries(Object.entries(lists).map(([name, ids]) => [name, Uint32Array.from(ids)]))
      )
    }
    return this.sideLists.get(target)
  }

  units(rank, byRank, unit) {
    const units = new Float32Array(byRank.length)
    const out = new Float32Array(rank.length)
    for (let k = 0; k < byRank.length; k++) units[k] = unit(byRank[k])
    for (let i = 0; i < rank.length; i++) out[i] = units[rank[i]]
    return out
  }

  // The pool that the run had where this scene's decision is, if it came that far.
  recordedPool(source, epoch) {
    const own = this.own
    const where = source.phase === 'later' ? epoch : source.phase === 'first' ? own.altruistic_epochs + own.t1 : null
    const pool = where === null ? null : this.epochs.get(where)?.pool
    return pool ? unpackBits(pool, this.n) : null
  }

  // The share that the vertical cut or the diagonal means at a scene.
  ratio(scene, settings) {
    const own = this.own
    const start = own.alpha_start ?? settings.beta
    return cleanRatio(scene.t, {alpha: settings.alpha, start, t1: settings.t1, init: own.init_epochs, t2: own.t2})
  }

  // The pool under some settings, into the given masks.
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

// How many of each kind are where: the 2 x 2 table of ALS and OSS, and what changes against another pool.
export function tally(masks, before, poison) {
  const cells = [0, 0, 0, 0]
  const poisoned = [0, 0, 0, 0]
  const out = {cells, poisoned, size: 0, poison: 0, gained: 0, lost: 0, gainedPoison: 0, lostPoison: 0}
  for (let i = 0; i < masks.pool.length; i++) {
    const cell = 2 * masks.als[i] + masks.oss[i]
    const bad = poison ? poison[i] : 0
    const now = masks.pool[i]
    cells[cell]++
    poisoned[cell] += bad
    out.size += now
    out.poison += now & bad
    if (!before) continue
    if (now && !before[i]) {
      out.gained++
      out.gainedPoison += bad
    } else if (!now && before[i]) {
      out.lost++
      out.lostPoison += bad
    }
  }
  return out
}
