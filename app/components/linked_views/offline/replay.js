// A page of its own, without a server: the run is in the page, and what the views ask for is answered here.

const SHARES = Array.from({length: 21}, (_, k) => k / 20)

const DISTANCES_COME = own => `The first split needs distances, which come with epoch ${own.altruistic_epochs + 1}.`

// The browser's twin of bsd_engine.method.preview.worth: what a preview says about a run with these settings.
function worthOf(model, settings, epoch) {
  const own = model.own, info = model.info[epoch], {altruistic_epochs: learned, t1, distance} = settings
  const same = name => settings[name] === own[name]
  if (['alpha', 'beta', 't1', 'altruistic_epochs', 'distance'].every(same)) return ['recorded', 'These are the settings of the run: what you see is what it did.']
  if (t1 > own.t1) return ['needs a run', `The main model warmed up for ${own.t1} epochs; what ${t1} would have given was not recorded.`]
  if (learned > own.altruistic_epochs) return ['needs a run', `The altruistic model warmed up for ${own.altruistic_epochs} epochs; a longer warm-up moves all that follows.`]
  const then = learned > 0 && learned <= Math.min(model.info.length, own.altruistic_epochs) ? model.info[learned - 1].target : null
  if (!same('altruistic_epochs') && then !== info.target) return ['needs a run', `After ${learned} epochs another class was suspected, so the main model would have warmed up without that class.`]
  if (info.stage === 'class_completion' || info.stage === 'selective_drop') {
    if (!same('t1') || !same('altruistic_epochs') || !same('distance')) return ['needs a run', 'Another warm-up or distance gives another first pool, so every model after it would be another one.']
    return ['one step', "This epoch's split of the two models as they are here. Earlier epochs would have been split otherwise too, which only a run can show."]
  }
  if (!same('altruistic_epochs')) {
    if (!own.updates_alike) return ['needs a run', 'The altruistic model learns otherwise after its warm-up, so another length gives other losses.']
    return ['one step', 'Losses and suspected class are those of the shorter warm-up, exactly; the distances are of this run, whose random draws would shift.']
  }
  if (info.stage === 'altruistic_warmup') return ['exact', 'Altruistic losses depend on neither share. The cut by distance follows when the main model has warmed up.']
  return ['exact', `Nothing the first split reads depends on alpha or beta${same('t1') ? '' : ', and T1 is an epoch that was recorded (T2 and T3 stay)'}: this is what a run would have done.`]
}

// Number of the first of the ascending shares that reaches each rank among so many; their number where none does.
function reached(size, shares) {
  const first = new Uint8Array(size), counts = shares.map(share => exactCount(share, size))
  for (let rank = 0, k = 0; rank < size; rank++) {
    while (k < counts.length && counts[k] <= rank) k++
    first[rank] = k
  }
  return first
}

// Samples of each class, clean and poison apart, by the first alpha and the first beta that keep them, summed up along both.
function talliedShares(model, scene) {
  const {own, labels, poison, sizes} = model, steps = SHARES.length, wide = steps + 1, tallies = Array.from({length: 2 * sizes.length}, () => new Float64Array(wide * wide))
  const byLoss = reached(model.n, own.als_init_ratio === null ? SHARES : SHARES.map(() => own.als_init_ratio)), byDistance = Array.from(scene.oss.sizes, size => reached(size, SHARES))
  for (let i = 0; i < model.n; i++) {
    const group = scene.oss.group[i], beta = group < 0 ? 0 : byDistance[group][scene.oss.within[i]]
    tallies[2 * labels[i] + (poison ? poison[i] : 0)][byLoss[scene.gRank[i]] * wide + beta]++
  }
  for (const tally of tallies) for (let a = 0; a < wide; a++) for (let b = 0; b < wide; b++)
    tally[a * wide + b] += (a ? tally[(a - 1) * wide + b] : 0) + (b ? tally[a * wide + b - 1] : 0) - (a && b ? tally[(a - 1) * wide + b - 1] : 0)
  return tallies
}

// Samples of each kind in the pool at a pair of shares; the run's random order decides for "random".
function pooled(model, tallies, a, b) {
  const steps = SHARES.length, wide = steps + 1, {combine} = model.own
  return tallies.map(tally => {
    const both = tally[a * wide + b], loss = tally[a * wide + steps], distance = tally[steps * wide + b]
    return combine === 'union' ? loss + distance - both : combine === 'als_only' ? loss : combine === 'oss_only' ? distance : both
  })
}

function firstDrawn(model, count) {
  const kinds = new Float64Array(2 * model.sizes.length)
  for (let i = 0; i < model.n; i++) if (model.draw[i] < count) kinds[2 * model.labels[i] + (model.poison ? model.poison[i] : 0)]++
  return kinds
}

// The first pool over alphas and betas, as bsd_engine.method.preview.pool_map counts it; null where there is no first split yet.
function countedGrid(model, view, known = '') {
  const {own, poison, sizes} = model, info = model.info[view.epoch]
  if (!info || info.stage === 'altruistic_warmup') return null
  const first = info.stage === 'oss_warmup' || info.stage === 'initial_pools', at = own.altruistic_epochs + own.t1
  const scene = model.scene(first ? view : {...view, epoch: at, settings: {...view.settings, ...pick(own, ['t1', 'altruistic_epochs', 'distance'])}})
  if (!scene?.sRank) return null
  const key = [scene.loss, scene.distance, first ? view.settings.distance : own.distance].join()
  if (key === known) return {key}
  const grid = {key, alphas: SHARES, betas: SHARES, size: [], smallest: [], poison: poison && [], clean: poison && []}, tallies = talliedShares(model, scene)
  for (const a of SHARES.keys()) for (const b of SHARES.keys()) {
    const sum = (values, part) => values.reduce((s, v, k) => s + (part === undefined || k % 2 === part ? v : 0), 0)
    let kinds = pooled(model, tallies, a, b)
    if (own.combine === 'random') kinds = firstDrawn(model, sum(kinds))
    grid.size.push(sum(kinds))
    grid.smallest.push(Math.min(...[...sizes.keys()].filter(c => sizes[c] > 0).map(c => kinds[2 * c] + kinds[2 * c + 1])))
    grid.poison?.push(sum(kinds, 1))
    grid.clean?.push(sum(kinds, 0))
  }
  return grid
}

function pick(object, names) { return Object.fromEntries(names.map(name => [name, object[name]])) }

// The twin of app/components/packet.py, for what is made here.
function packPacket(header, arrays) {
  const kinds = {Uint8Array: 'u1', Uint16Array: 'u2', Uint32Array: 'u4', Float32Array: 'f4'}, index = [], aligned = n => Math.ceil(n / 8) * 8
  let end = 0
  for (const [name, values] of Object.entries(arrays)) {
    index.push([name, kinds[values.constructor.name], end, values.length])
    end += aligned(values.byteLength)
  }
  const head = new TextEncoder().encode(JSON.stringify({...header, arrays: index})), begin = aligned(8 + head.length), out = new Uint8Array(begin + end)
  out.set(new TextEncoder().encode('BSDP'))
  new DataView(out.buffer).setUint32(4, head.length, true)
  out.set(head, 8)
  Object.values(arrays).forEach((values, k) => out.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), begin + index[k][2]))
  return out
}

// Stands in for the server: images from the sheet, the map over the shares and the word on a preview, counted here.
class Offline {
  constructor(root, packet, sheet) {
    Object.assign(this, {root, sheet, header: packet.header, answered: ''})
    this.port = {setStateValue: (_, ask) => this.ask(ask), setTriggerValue: () => {}}
  }

  open(bytes) { show(this.root, {data: bytes, ...this.port}) }

  // After the frame in which it was asked: a row of gestures needs the last answer only.
  ask(message) {
    this.message = message
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.reply(this.message), 0)
  }

  reply({want}) {
    const {app} = this.root, {model, view} = app, news = {}, arrays = {}
    if (view.epoch === null) return
    const settings = model.effective(view), key = app.key(settings, view.epoch)
    if (this.answered !== key) {
      const [honesty, sentence] = worthOf(model, settings, view.epoch)
      this.answer = {settings, epoch: view.epoch, honesty, sentence}
      news.answer = this.answered = key
    }
    const grid = countedGrid(model, view, want.grid)
    if (grid?.size) Object.assign(news, {grid, grid_empty: null})
    else if (!grid && model.header.grid_empty !== DISTANCES_COME(model.own)) Object.assign(news, {grid: null, grid_empty: DISTANCES_COME(model.own)})
    const ids = want.thumbs.filter(id => id < (this.sheet?.count ?? 0))
    if (ids.length) { news.thumbs = {ids, height: this.sheet.height, width: this.sheet.width, channels: 4}; arrays.thumbs = this.pixels(ids) }
    if (Object.keys(news).length) this.open(packPacket({...pick(this.header, ['run', 'samples', 'truth', 'live', 'busy', 'from', 'epochs', 'rows']), sent: [], maps: [], ...news, answer: this.answer}, arrays))
  }

  // (K, H, W, 4) of some tiles, one below the other.
  pixels(ids) {
    const {image, width, height, columns} = this.sheet, canvas = document.createElement('canvas')
    canvas.width = width
    canvas.height = height * ids.length
    const g = canvas.getContext('2d', {willReadFrequently: true})
    ids.forEach((id, k) => g.drawImage(image, id % columns * width, Math.floor(id / columns) * height, width, height, 0, k * height, width, height))
    return new Uint8Array(g.getImageData(0, 0, canvas.width, canvas.height).data.buffer)
  }
}

const block = id => Uint8Array.from(atob(document.getElementById(id).textContent.trim()), c => c.charCodeAt(0))

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

async function play(root) {
  const bytes = await inflated(block('rp-run')), sheet = JSON.parse(document.getElementById('rp-images').dataset.sheet)
  if (sheet.count) sheet.image = await createImageBitmap(new Blob([block('rp-images')], {type: 'image/webp'}))
  new Offline(root, unpackPacket(bytes), sheet).open(bytes)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => root.app.draw('all'))
}

const page = document.querySelector('main .tn')
if (page) play(page).catch(error => {
  page.textContent = typeof DecompressionStream === 'undefined' ? 'This page needs a browser of 2023 or newer.' : `This page cannot be shown: ${error.message}`
  page.setAttribute('role', 'alert')
})
