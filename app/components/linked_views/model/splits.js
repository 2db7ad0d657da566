// The browser's twin of bsd_engine/splits.py and bsd_engine/method/pools.py. The server sends ranks (largest score
// first, equal ones by index), so every cut compares whole numbers. tests/browser/test_tune_twin.py checks it against
// the engine.

export function exactCount(share, n) {
  return Math.min(n, Math.floor(share * n + 1e-9))
}

// Eq. 11: alpha_T, half a cosine from the start of the schedule to alpha.
export function cleanRatio(t, {alpha, start, t1, init, t2}) {
  const from = t1 + init
  if (t >= t2) return alpha
  if (t <= from) return start
  return start + ((alpha - start) * (1 - Math.cos((Math.PI * (t - from)) / (t2 - from)))) / 2
}

function orderOf(rank) {
  const order = new Uint32Array(rank.length)
  for (let i = 0; i < rank.length; i++) order[rank[i]] = i
  return order
}

// Rank of each sample among those of its group (its class), and the sizes of the groups; -1 is no group.
export function groupRanks(rank, group, groups) {
  const order = orderOf(rank)
  const within = new Uint32Array(rank.length)
  const sizes = new Uint32Array(groups)
  for (let k = 0; k < order.length; k++) {
    const i = order[k]
    const g = group[i]
    if (g >= 0) within[i] = sizes[g]++
  }
  return {within, sizes}
}

// The group in which OSS ranks a sample: the suspected class, or with all-to-all (target null) the class of each
// sample.
export function ossGroups(labels, target) {
  const group = new Int32Array(labels.length)
  for (let i = 0; i < labels.length; i++) group[i] = target === null || labels[i] === target ? labels[i] : -1
  return group
}

// Eq. 3-7. Fills als, oss and pool with 0 and 1. `oss` is null before there are distances; `draw` is the random order
// of the run.
export function firstPool({gRank, oss, combine, draw}, alpha, beta, out) {
  const n = gRank.length
  const k = exactCount(alpha, n)
  const cuts = oss ? Array.from(oss.sizes, size => exactCount(beta, size)) : null
  let both = 0
  for (let i = 0; i < n; i++) {
    const a = gRank[i] < k ? 1 : 0
    const o = oss && oss.group[i] >= 0 && oss.within[i] >= cuts[oss.group[i]] ? 0 : 1
    out.als[i] = a
    out.oss[i] = o
    both += a & o
    out.pool[i] = combine === 'union' ? a | o : combine === 'als_only' ? a : combine === 'oss_only' ? o : a & o
  }
  if (combine === 'random') for (let i = 0; i < n; i++) out.pool[i] = draw[i] < both ? 1 : 0
  return out
}

function fewestQuota(counts, sizes, ratio) {
  const present = [...sizes.keys()].filter(c => sizes[c] > 0)
  if (present.length < 2) return null
  const [fewest, second] = present.sort((a, b) => counts[a] - counts[b] || a - b)
  return [fewest, Math.min(exactCount(ratio, sizes[fewest]), counts[second])]
}

// Eq. 8-10. Fills out.pool; `byClass` is groupRanks of the gap with the labels as groups.
export function laterPool(
  {gapRank, labels, byClass, completion, countBy, predicted, allPredicted, target, both, drops},
  ratio,
  out
) {
  const n = gapRank.length
  const k = exactCount(ratio, n)
  const {within, sizes} = byClass
  const pool = out.pool
  const counts = new Array(sizes.length).fill(0)
  let ofTarget = 0
  for (let i = 0; i < n; i++) {
    pool[i] = gapRank[i] < k ? 1 : 0
    if (!pool[i]) continue
    counts[countBy === 'pool_pred' ? predicted[i] : labels[i]]++
    if (labels[i] === target) ofTarget++
  }
  if (completion === 'fewest') {
    const quota = fewestQuota(countBy === 'all_pred' ? allPredicted : counts, sizes, ratio)
    if (quota) for (let i = 0; i < n; i++) if (labels[i] === quota[0] && within[i] < quota[1]) pool[i] = 1
  } else if (completion !== 'off') {
    const quotas = Array.from(sizes, size => exactCount(ratio, size))
    if (completion === 'balanced_others' && target !== null && sizes[target] > 0)
      quotas[target] = Math.min(quotas[target], ofTarget)
    for (let i = 0; i < n; i++) pool[i] = within[i] < quotas[labels[i]] ? 1 : 0
  }
  if (drops) for (let i = 0; i < n; i++) if (both[i]) pool[i] = 0
  return out
}
