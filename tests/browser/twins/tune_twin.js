// Gives the test the browser's twin of the cuts: the pools of many cases at once, and the two counting rules.

import {byEpoch} from '../../../app/components/linked_views/model/columns.js'
import {
  cleanRatio,
  exactCount,
  firstPool,
  groupRanks,
  laterPool,
  ossGroups
} from '../../../app/components/linked_views/model/splits.js'
import {unpackBits, unpackPacket} from '../../../app/components/packet.js'

function cases(encoded) {
  const bytes = Uint8Array.from(atob(encoded), c => c.charCodeAt(0))
  const {header, arrays} = unpackPacket(bytes)
  return header.cases.map((spec, k) => {
    const {epochs} = byEpoch(arrays)
    const a = epochs.get(k)
    const n = a.labels.length
    const {own, target} = spec
    const out = {als: new Uint8Array(n), oss: new Uint8Array(n), pool: new Uint8Array(n)}
    if (spec.first) {
      const group = ossGroups(a.labels, target)
      const oss = {group, ...groupRanks(a.s_rank, group, spec.classes)}
      firstPool(
        {gRank: a.g_rank, oss, combine: own.combine, draw: a.draw},
        own.als_init_ratio ?? spec.alpha,
        spec.beta,
        out
      )
    } else {
      const ratio = cleanRatio(spec.t, {
        alpha: spec.alpha,
        start: own.alpha_start ?? spec.beta,
        t1: spec.t1,
        init: own.init_epochs,
        t2: own.t2
      })
      const drops = own.selective_drop && target !== null && spec.t >= own.drop_start
      laterPool(
        {
          gapRank: a.gap_rank,
          labels: a.labels,
          byClass: groupRanks(a.gap_rank, a.labels, spec.classes),
          completion: own.completion,
          countBy: own.count_by,
          predicted: a.predicted,
          allPredicted: a.predictions,
          target,
          both: unpackBits(a.both, n),
          drops
        },
        ratio,
        out
      )
    }
    return Array.from(out.pool)
  })
}

Object.assign(window, {cases, cleanRatio, exactCount})
