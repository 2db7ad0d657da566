// Reads the bytes that app/components/packet.py writes, and packs masks and bytes as text.

export function unpackPacket(bytes) {
  const text = new TextDecoder()
  if (text.decode(bytes.subarray(0, 4)) !== 'BSDP')
    throw new Error('The page received data in an unknown format; reload it.')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getUint32(4, true)
  const begin = Math.ceil((8 + length) / 8) * 8
  const header = JSON.parse(text.decode(bytes.subarray(8, 8 + length)))
  const kinds = {u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array}
  const arrays = {}
  for (const [name, kind, offset, count] of header.arrays) {
    const size = kinds[kind].BYTES_PER_ELEMENT * count
    // A copy is aligned; a view might not be.
    arrays[name] = new kinds[kind](bytes.slice(begin + offset, begin + offset + size).buffer)
  }
  return {header, arrays}
}

export function unpackBits(bytes, n) {
  const out = new Uint8Array(n)
  for (let i = 0; i < n; i++) out[i] = (bytes[i >> 3] >> (i & 7)) & 1
  return out
}

export function packBits(mask) {
  const bytes = new Uint8Array(Math.ceil(mask.length / 8))
  for (let i = 0; i < mask.length; i++) if (mask[i]) bytes[i >> 3] |= 1 << (i & 7)
  return toBase64(bytes)
}

export function toBase64(bytes) {
  let text = ''
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return btoa(text)
}
