// Why a sample is in the pool or not, in ranks: every number is one that a cut compared.

import {exactCount} from '../model/splits.js'

const count = n => n.toLocaleString('en')
const rankOf = rank => count(rank + 1)

export function reasonOf({model, view}, scene, masks, id) {
  const settings = model.effective(view)
  return scene.phase === 'later'
    ? laterReason(model, scene, model.ratio(scene, settings), id)
    : firstReason(model, scene, settings, masks, id)
}

function laterReason(model, scene, ratio, id) {
  const {n} = scene
  const byClass = model.own.completion.startsWith('balanced')
  const size = scene.byClass.sizes[model.labels[id]]
  const rank = byClass
    ? `rank ${rankOf(scene.byClass.within[id])} of ${count(size)} in its class`
    : `rank ${rankOf(scene.gapRank[id])} of ${count(n)}`
  const cut = count(exactCount(ratio, byClass ? size : n))
  const both = scene.both?.[id] ? ' Both models predict the suspected class.' : ''
  return `The gap altruistic − main is ${rank} (cut: ${cut}).${both}`
}

function firstReason(model, scene, settings, masks, id) {
  const {n, gRank, gByRank, oss} = scene
  const cut = count(exactCount(model.own.als_init_ratio ?? settings.alpha, n))
  const loss = gByRank[gRank[id]].toPrecision(2)
  const easy = masks.als[id] ? '' : ': learned too easily'
  const parts = [`Altruistic loss ${loss} is rank ${rankOf(gRank[id])} of ${count(n)} (cut: ${cut})${easy}.`]
  if (!oss) return parts[0]
  const suspected = oss.group[id] >= 0
  parts.push(
    suspected ? distanceReason(scene, settings, id) : 'Not of the suspected class, so distance does not matter.'
  )
  if (model.own.combine === 'intersection') {
    const beta = suspected ? ` and beta ≥ ${shareFor(oss.within[id], oss.sizes[oss.group[id]])}` : ''
    parts.push(`It is in the pool with alpha ≥ ${shareFor(gRank[id], n)}${beta}.`)
  }
  return parts.join(' ')
}

function distanceReason({oss, sByRank, sRank}, settings, id) {
  const size = oss.sizes[oss.group[id]]
  const distance = sByRank[sRank[id]].toPrecision(3)
  const cut = count(exactCount(settings.beta, size))
  return `Distance ${distance} is rank ${rankOf(oss.within[id])} of ${count(size)} in its class (cut: ${cut}).`
}

// The smallest share in thousandths that reaches a rank.
function shareFor(rank, n) {
  let share = Math.ceil((1000 * (rank + 1)) / n) / 1000
  while (exactCount(share, n) <= rank && share < 1) share = Math.round(1000 * share + 1) / 1000
  return share.toFixed(3)
}
