// The lists of samples whose images can be shown: the selected ones, those that a cut moves, and those nearest to the
// cuts.

import {exactCount} from '../model/splits.js'

// Sample numbers by the name of the list; lists without a sample are left out.
export function sampleLists({view, model, quadrant}, scene, masks) {
  const out = {}
  if (view.count) out.selected = indices(model.n, i => view.selected[i])
  if (scene?.recorded && masks) {
    out.in = indices(model.n, i => masks.pool[i] && !scene.recorded[i])
    out.out = indices(model.n, i => !masks.pool[i] && scene.recorded[i])
  }
  if (scene && scene.phase !== 'alone') out.edge = borderline(model, model.effective(view), quadrant, scene)
  return Object.fromEntries(Object.entries(out).filter(([, ids]) => ids.length))
}

// Samples of the suspected class, those first that the smallest move of a cut would flip.
function borderline(model, settings, quadrant, scene) {
  const n = scene.n
  const margin = new Float32Array(n)
  if (scene.phase === 'later') {
    const gaps = quadrant.gaps(scene).length
    const whole = gaps === n
    const k = exactCount(model.ratio(scene, settings), gaps)
    for (const i of scene.targetIds)
      margin[i] = Math.abs((whole ? scene.gapRank[i] : scene.byClass.within[i]) + 0.5 - k) / gaps
  } else {
    const k = exactCount(model.own.als_init_ratio ?? settings.alpha, n)
    for (const i of scene.targetIds) {
      const g = (scene.gRank[i] + 0.5 - k) / n
      const size = scene.oss ? scene.oss.sizes[model.labels[i]] : 0
      const s = size ? (scene.oss.within[i] + 0.5 - exactCount(settings.beta, size)) / size : -1
      margin[i] = g < 0 && s < 0 ? Math.min(-g, -s) : Math.max(g, s)
    }
  }
  return scene.targetIds
    .slice()
    .sort((a, b) => margin[a] - margin[b])
    .slice(0, 300)
}

function indices(n, claim) {
  const out = new Uint32Array(n)
  let k = 0
  for (let i = 0; i < n; i++) if (claim(i)) out[k++] = i
  return out.slice(0, k)
}
