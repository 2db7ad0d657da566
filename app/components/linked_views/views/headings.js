// The words above the views, and the sentences in place of views that cannot be shown yet.

export function paintHeadings(app, scene) {
  const {root, model, view} = app
  const info = model.info[view.epoch]
  const find = selector => root.querySelector(selector)
  for (const [panel, sentence] of Object.entries(emptyPanels(app, scene, info))) {
    const box = find(`.tn-${panel} .tn-empty`)
    box.textContent = sentence ?? ''
    box.hidden = !sentence
  }
  find('.tn-hero h2').textContent = title(scene)
  find('.tn-hero .tn-sub').textContent = info ? subtitle(app, scene, info) : ''
  find('.tn-other h2').textContent = scene?.phase === 'later' ? 'The first split' : 'Losses of both models'
  const landmarks = model.landmarks.length.toLocaleString('en')
  find('.tn-map .tn-sub').textContent = info?.map ? `${info.map} of ${landmarks} · not OSS distances` : ''
  find('.tn-legend').dataset.truth = model.poison ? 'shown' : 'hidden'
}

// The sentence for each panel that has nothing to show; null or nothing for the others.
function emptyPanels({model, view, tab}, scene, info) {
  const {header, own} = model
  const heat = tab === 'fig8' || header.grid ? null : header.grid_empty
  if (!info) {
    const hero = header.live
      ? 'The first epoch is being trained; the views fill when it is complete.'
      : 'This run has no complete epoch. Resume it on the page Run, or choose another run.'
    return {hero, map: 'no epoch yet', other: null, heat, curves: 'no epoch yet'}
  }
  return {
    hero: scene ? header.empty?.hero : `Epoch ${view.epoch + 1} is loading.`,
    map:
      scene && !scene.map && !model.epochs.get(view.epoch)?.map_xy
        ? 'This run has no features recorded, so there is no map.'
        : null,
    other: emptyOther(model, scene, own),
    heat,
    curves: null
  }
}

function emptyOther(model, scene, own) {
  if (scene?.phase === 'alone') return `Needs the main model, which begins in epoch ${own.altruistic_epochs + 1}.`
  return scene?.phase === 'later' && !model.has(own.altruistic_epochs + own.t1) ? 'loading' : null
}

function title(scene) {
  if (!scene) return 'Two views of each sample'
  if (scene.phase === 'later') return 'Main loss × altruistic loss'
  return scene.phase === 'alone' ? 'Altruistic loss' : 'Altruistic loss × OSS distance'
}

// Which epoch is shown, what is special about it, and which samples are drawn as what.
function subtitle({model, view}, scene, info) {
  const target = info.target === null ? null : model.header.names[info.target]
  const drawn =
    target === null
      ? 'every class is suspected'
      : `points: ${target} (suspected)${model.poison ? ' and poison' : ''}, ` +
        `${view.front === 'points' ? 'dots' : 'grey'}: other classes`
  return [`epoch ${view.epoch + 1}`, ...(scene ? remarks(model, view, scene, target) : []), drawn].join(' · ')
}

function remarks({own}, view, scene, target) {
  const first = scene.phase === 'first'
  const drops = scene.phase === 'later' && own.selective_drop && scene.both && scene.t >= own.drop_start
  const all = [
    first && scene.shown !== view.epoch && `decided in epoch ${scene.shown + 1}`,
    scene.phase === 'alone' &&
      `distances come with epoch ${own.altruistic_epochs + 1}; until then the height means nothing`,
    first && !scene.sRank && 'no distance was recorded in this epoch',
    drops && target !== null && `samples that both models predict as ${target} are dropped`,
    scene.n > 1 && scene.gByRank[0] === scene.gByRank[scene.n - 1] && 'all losses are equal: the cut goes by index',
    scene.endless && 'no other class has a sample, so there is no distance to one'
  ]
  return all.filter(Boolean)
}
