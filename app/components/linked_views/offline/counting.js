// What the server counts for the page Tune, counted in the page itself: what a preview is worth, and the pools over the shares.

import {exactCount} from '../model/splits.js'

// A page of its own, without a server: the run is in the page, and what the views ask for is answered here.

const SHARES = Array.from({length: 21}, (_, k) => k / 20)

// The browser's twin of bsd_engine.method.preview.worth: what a preview says about a run with these settings.
export function worthOf(model, settings, epoch) {
  const own = model.own
  const info = model.info[epoch]
  const {altruistic_epochs: learned, t1, distance} = settings
  const same = name => settings[name] === own[name]
  if (['alpha', 'beta', 't1', 'altruistic_epochs', 'distance'].every(same))
    return ['recorded', 'These are the settings of the run: what you see is what it did.']
  if (t1 > own.t1)
    return [
      'needs a run',
      `The main model warmed up for ${own.t1} epochs; what ${t1} would have given was not recorded.`
    ]
  if (learned > own.altruistic_epochs)
    return [
      'needs a run',
      `The altruistic model warmed up for ${own.altruistic_epochs} epochs; a longer warm-up moves all that follows.`
    ]
  const then =
    learned > 0 && learned <= Math.min(model.info.length, own.altruistic_epochs) ? model.info[learned - 1].target : null
  if (!same('altruistic_epochs') && then !== info.target)
    return [
      'needs a run',
      `After ${learned} epochs another class was suspected, so the main model would have warmed up without that class.`
    ]
  if (info.stage === 'class_completion' || info.stage === 'selective_drop') {
    if (!same('t1') || !same('altruistic_epochs') || !same('distance'))
      return [
        'needs a run',
        'Another warm-up or distance gives another first pool, so every model after it would be another one.'
      ]
    return [
      'one step',
      "This epoch's split of the two models as they are here. Earlier epochs would have been split otherwise too, which only a run can show."
    ]
  }
  if (!same('altruistic_epochs')) {
    if (!own.updates_alike)
      return [
        'needs a run',
        'The altruistic model learns otherwise after its warm-up, so another length gives other losses.'
      ]
    return [
      'one step',
      'Losses and suspected class are those of the shorter warm-up, exactly; the distances are of this run, whose random draws would shift.'
    ]
  }
  if (info.stage === 'altruistic_warmup')
    return [
      'exact',
      'Altruistic losses depend on neither share. The cut by distance follows when the main model has warmed up.'
    ]
  return [
    'exact',
    `Nothing the first split reads depends on alpha or beta${same('t1') ? '' : ', and T1 is an epoch that was recorded (T2 and T3 stay)'}: this is what a run would have done.`
  ]
}

// Number of the first of the ascending shares that reaches each rank among so many; their number where none does.
function reached(size, shares) {
  const first = new Uint8Array(size)
  const counts = shares.map(share => exactCount(share, size))
  for (let rank = 0, k = 0; rank < size; rank++) {
    while (k < counts.length && counts[k] <= rank) k++
    first[rank] = k
  }
  return first
}

// Samples of each class, clean and poison apart, by the first alpha and the first beta that keep them, summed up along both.
function talliedShares(model, scene) {
  const {own, labels, poison, sizes} = model
  const steps = SHARES.length
  const wide = steps + 1
  const tallies = Array.from({length: 2 * sizes.length}, () => new Float64Array(wide * wide))
  const byLoss = reached(model.n, own.als_init_ratio === null ? SHARES : SHARES.map(() => own.als_init_ratio))
  const byDistance = Array.from(scene.oss.sizes, size => reached(size, SHARES))
  for (let i = 0; i < model.n; i++) {
    const group = scene.oss.group[i]
    const beta = group < 0 ? 0 : byDistance[group][scene.oss.within[i]]
    tallies[2 * labels[i] + (poison ? poison[i] : 0)][byLoss[scene.gRank[i]] * wide + beta]++
  }
  for (const tally of tallies)
    for (let a = 0; a < wide; a++)
      for (let b = 0; b < wide; b++)
        tally[a * wide + b] +=
          (a ? tally[(a - 1) * wide + b] : 0) +
          (b ? tally[a * wide + b - 1] : 0) -
          (a && b ? tally[(a - 1) * wide + b - 1] : 0)
  return tallies
}

// Samples of each kind in the pool at a pair of shares; the run's random order decides for "random".
function pooled(model, tallies, a, b) {
  const steps = SHARES.length
  const wide = steps + 1
  const {combine} = model.own
  return tallies.map(tally => {
    const both = tally[a * wide + b]
    const loss = tally[a * wide + steps]
    const distance = tally[steps * wide + b]
    return combine === 'union'
      ? loss + distance - both
      : combine === 'als_only'
        ? loss
        : combine === 'oss_only'
          ? distance
          : both
  })
}

function firstDrawn(model, count) {
  const kinds = new Float64Array(2 * model.sizes.length)
  for (let i = 0; i < model.n; i++)
    if (model.draw[i] < count) kinds[2 * model.labels[i] + (model.poison ? model.poison[i] : 0)]++
  return kinds
}

// The first pool over alphas and betas, as bsd_engine.method.preview.pool_map counts it; null where there is no first split yet.
export function countedGrid(model, view, known = '') {
  const {own, poison, sizes} = model
  const info = model.info[view.epoch]
  if (!info || info.stage === 'altruistic_warmup') return null
  const first = info.stage === 'oss_warmup' || info.stage === 'initial_pools'
  const at = own.altruistic_epochs + own.t1
  const scene = model.scene(
    first
      ? view
      : {
          ...view,
          epoch: at,
          settings: {...view.settings, t1: own.t1, altruistic_epochs: own.altruistic_epochs, distance: own.distance}
        }
  )
  if (!scene?.sRank) return null
  const key = [scene.loss, scene.distance, first ? view.settings.distance : own.distance].join()
  if (key === known) return {key}
  const grid = {key, alphas: SHARES, betas: SHARES, size: [], smallest: [], poison: poison && [], clean: poison && []}
  const tallies = talliedShares(model, scene)
  for (const a of SHARES.keys())
    for (const b of SHARES.keys()) {
      const sum = (values, part) => values.reduce((s, v, k) => s + (part === undefined || k % 2 === part ? v : 0), 0)
      let kinds = pooled(model, tallies, a, b)
      if (own.combine === 'random') kinds = firstDrawn(model, sum(kinds))
      grid.size.push(sum(kinds))
      grid.smallest.push(
        Math.min(...[...sizes.keys()].filter(c => sizes[c] > 0).map(c => kinds[2 * c] + kinds[2 * c + 1]))
      )
      grid.poison?.push(sum(kinds, 1))
      grid.clean?.push(sum(kinds, 0))
    }
  return grid
}
