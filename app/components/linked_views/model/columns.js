// Reads the columns that app/tune/columns.py writes: scores by rank, and which arrays belong to which epoch.

// The rank of a knot of a curve. The knots are dense at both ends, as in app/tune/columns.py.
function knotRank(j, last, n) {
  return Math.round(((n - 1) * (1 - Math.cos((Math.PI * j) / last))) / 2)
}

// The score of one rank: that of the nearest knot.
export function scoreNear(curve, rank, n) {
  const last = curve.length - 1
  return curve.length === n ? curve[rank] : curve[Math.round((Math.acos(1 - (2 * rank) / (n - 1)) / Math.PI) * last)]
}

// The scores of all ranks, interpolated from the curve of the sorted scores.
export function scoresByRank(curve, n) {
  const out = new Float32Array(n)
  const last = curve.length - 1
  if (curve.length === n) {
    out.set(curve)
    return out
  }
  for (let j = 0, from = 0; j < last; j++) {
    const to = knotRank(j + 1, last, n)
    for (let k = from; k < to; k++) out[k] = curve[j] + ((curve[j + 1] - curve[j]) * (k - from)) / (to - from)
    from = to
  }
  out[n - 1] = curve[last]
  return out
}

// Arrays named like "12/g_rank" belong to epoch 12, the others to the run.
export function byEpoch(arrays) {
  const epochs = new Map()
  const others = {}
  for (const [name, values] of Object.entries(arrays)) {
    const [head, tail] = name.split('/')
    if (tail === undefined) {
      others[name] = values
      continue
    }
    if (!epochs.has(+head)) epochs.set(+head, {})
    epochs.get(+head)[tail] = values
  }
  return {epochs, others}
}
