// The pools over the shares, which the server counts for the page Tune, counted in the page itself.

import {exactCount} from '../model/splits.js'

const SHARES = Array.from({length: 21}, (_, k) => k / 20)

// For each of so many ranks, which of the ascending shares is the first that reaches it; their number where none does.
function reached(size, shares) {
  const first = new Uint8Array(size)
  const counts = shares.map(share => exactCount(share, size))
  for (let rank = 0, k = 0; rank < size; rank++) {
    while (k < counts.length && counts[k] <= rank) k++
    first[rank] = k
  }
  return first
}

// Samples of each class, clean and poisoned ones apart, by the first alpha and the first beta that keep them,
// cumulated.
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

// Samples of each kind in the pool at a pair of shares.
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

// The first pool over alphas and betas, as `pool_map` in bsd_engine/method/preview.py counts it; null before the first
// split.
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
