// What the views draw at one epoch and no cut changes: ranks, scores and places of all samples.

import {unpackBits} from '../../packet.js'
import {scoresByRank} from './columns.js'
import {lossUnit} from './scales.js'
import {groupRanks, ossGroups} from './splits.js'

// `source` is Model.sources of the epoch; `kind` names the columns of the distance.
export function buildScene(model, source, epoch, kind) {
  const loss = model.epochs.get(source.loss)
  const shown = model.epochs.get(source.shown)
  const gByRank = scoresByRank(loss.g_curve, model.n)
  const scene = {
    ...source,
    epoch,
    target: model.info[epoch].target,
    n: model.n,
    gRank: loss.g_rank,
    gByRank,
    gU: units(loss.g_rank, gByRank, lossUnit),
    t: model.info[source.shown].t,
    stage: model.info[epoch].stage,
    recorded: recordedPool(model, source, epoch)
  }
  if (source.phase === 'first') addDistance(model, scene, model.epochs.get(source.distance), kind)
  if (shown.f_level) addMainLoss(model, scene, shown.f_level)
  if (source.phase === 'later') addDiscrepancy(model, scene, shown)
  return scene
}

// Ranks and places by the OSS distance, in the first split.
function addDistance(model, scene, columns, kind) {
  const rank = columns[`${kind}_rank`]
  if (!rank) return
  const {n, labels} = model
  const group = ossGroups(labels, scene.target)
  scene.sRank = rank
  scene.sByRank = scoresByRank(columns[`${kind}_curve`], n)
  scene.endless = scene.sByRank[n - 1] > 1e8 // without a known class every distance is infinite
  if (scene.endless) scene.sByRank.fill(0)
  scene.oss = {group, ...groupRanks(rank, group, model.header.names.length)}
  const low = scene.sByRank[n - 1]
  const high = scene.sByRank[0]
  const span = high > low ? high - low : 1
  scene.sRange = [low - 0.04 * span, high + 0.04 * span]
  scene.sU = units(rank, scene.sByRank, v => (v - scene.sRange[0]) / (scene.sRange[1] - scene.sRange[0]))
}

// Places by the main loss. A level is a step of 5 %; samples are spread over it, so that no stripes show.
function addMainLoss({n, jitter}, scene, levels) {
  scene.fU = new Float32Array(n)
  scene.fX = new Float32Array(n) // main loss grows to the left, so that every view keeps its upper right
  for (let i = 0; i < n; i++) {
    const u = (levels[i] + jitter[i] - 0.5) / 255
    scene.fU[i] = u < 0 ? 0 : Math.min(u, 1)
    scene.fX[i] = 1 - scene.fU[i]
  }
}

// Ranks by the loss discrepancy, after the first split.
function addDiscrepancy({n, labels, header}, scene, columns) {
  scene.gapRank = columns.gap_rank
  scene.gapByRank = scoresByRank(columns.gap_curve, n)
  scene.byClass = groupRanks(columns.gap_rank, labels, header.names.length)
  scene.both = columns.both ? unpackBits(columns.both, n) : null
  scene.predicted = columns.predicted ?? null
}

// The place of each sample from 0 to 1, computed once for each rank.
function units(rank, byRank, unit) {
  const byUnit = new Float32Array(byRank.length)
  const places = new Float32Array(rank.length)
  for (let k = 0; k < byRank.length; k++) byUnit[k] = unit(byRank[k])
  for (let i = 0; i < rank.length; i++) places[i] = byUnit[rank[i]]
  return places
}

// The pool that the run had after the decision of this scene; null if the run did not come that far.
function recordedPool({own, epochs, n}, {phase}, epoch) {
  if (phase === 'alone') return null
  const pool = epochs.get(phase === 'later' ? epoch : own.altruistic_epochs + own.t1)?.pool
  return pool ? unpackBits(pool, n) : null
}
