// Writes packets as app/components/packet.py does, for answers that are made in the page, and inflates the data of the
// page.

export function packPacket(header, arrays) {
  const kinds = {Uint8Array: 'u1', Uint16Array: 'u2', Uint32Array: 'u4', Float32Array: 'f4'}
  const index = []
  const aligned = n => Math.ceil(n / 8) * 8
  let end = 0
  for (const [name, values] of Object.entries(arrays)) {
    index.push([name, kinds[values.constructor.name], end, values.length])
    end += aligned(values.byteLength)
  }
  const head = new TextEncoder().encode(JSON.stringify({...header, arrays: index}))
  const begin = aligned(8 + head.length)
  const out = new Uint8Array(begin + end)
  out.set(new TextEncoder().encode('BSDP'))
  new DataView(out.buffer).setUint32(4, head.length, true)
  out.set(head, 8)
  for (const [k, {buffer, byteOffset, byteLength}] of Object.values(arrays).entries())
    out.set(new Uint8Array(buffer, byteOffset, byteLength), begin + index[k][2])
  return out
}

export async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}
