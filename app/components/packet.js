// The bytes of app/components/packet.py and what they mean.

function unpackPacket(bytes) {
  const text = new TextDecoder()
  if (text.decode(bytes.subarray(0, 4)) !== 'BSDP') throw new Error('The page received data it does not know; reload it.')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getUint32(4, true), begin = Math.ceil((8 + length) / 8) * 8
  const header = JSON.parse(text.decode(bytes.subarray(8, 8 + length)))
  const kinds = {u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array}
  const arrays = {}
  for (const [name, kind, offset, count] of header.arrays) {
    const size = kinds[kind].BYTES_PER_ELEMENT * count
    arrays[name] = new kinds[kind](bytes.slice(begin + offset, begin + offset + size).buffer)  // a copy is aligned, a view may not be
  }
  return {header, arrays}
}

function unpackBits(bytes, n) {
  const out = new Uint8Array(n)
  for (let i = 0; i < n; i++) out[i] = bytes[i >> 3] >> (i & 7) & 1
  return out
}

function packBits(mask) {
  const bytes = new Uint8Array(Math.ceil(mask.length / 8))
  for (let i = 0; i < mask.length; i++) if (mask[i]) bytes[i >> 3] |= 1 << (i & 7)
  let text = ''
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return btoa(text)
}

// The rank at which a curve holds the score, dense at both ends, as in app/tune/columns.py.
function knotPlace(j, last, n) {
  return Math.round((n - 1) * (1 - Math.cos(Math.PI * j / last)) / 2)
}

// The score of one rank, to the nearest knot.
function scoreNear(curve, rank, n) {
  const last = curve.length - 1
  return curve.length === n ? curve[rank] : curve[Math.round(Math.acos(1 - 2 * rank / (n - 1)) / Math.PI * last)]
}

// The scores of all ranks, from the curve of the sorted scores.
function scoresByRank(curve, n) {
  const out = new Float32Array(n), last = curve.length - 1
  if (curve.length === n) { out.set(curve); return out }
  for (let j = 0, from = 0; j < last; j++) {
    const to = knotPlace(j + 1, last, n)
    for (let k = from; k < to; k++) out[k] = curve[j] + (curve[j + 1] - curve[j]) * (k - from) / (to - from)
    from = to
  }
  out[n - 1] = curve[last]
  return out
}

// Arrays named "12/g_rank" belong to epoch 12, others to the run.
function byEpoch(arrays) {
  const epochs = new Map(), others = {}
  for (const [name, values] of Object.entries(arrays)) {
    const [head, tail] = name.split('/')
    if (tail === undefined) { others[name] = values; continue }
    if (!epochs.has(+head)) epochs.set(+head, {})
    epochs.get(+head)[tail] = values
  }
  return {epochs, others}
}
