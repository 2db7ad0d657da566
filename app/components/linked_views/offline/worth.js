// The browser's twin of bsd_engine/method/worth.py: how far a preview can be trusted. The sentences are the same, so
// change both.

export function worthOf(model, settings, epoch) {
  const {own} = model
  const info = model.info[epoch]
  const {altruistic_epochs: learned, t1} = settings
  const same = name => settings[name] === own[name]
  const needsRun = sentence => ['needs a run', sentence]
  if (['alpha', 'beta', 't1', 'altruistic_epochs', 'distance'].every(same))
    return ['recorded', 'These are the settings of the run: what you see is what it did.']
  if (t1 > own.t1)
    return needsRun(`The main model warmed up for ${own.t1} epochs; what ${t1} would have given was not recorded.`)
  if (learned > own.altruistic_epochs)
    return needsRun(
      `The altruistic model warmed up for ${own.altruistic_epochs} epochs; a longer warm-up moves all that follows.`
    )
  const known = learned > 0 && learned <= Math.min(model.info.length, own.altruistic_epochs)
  const then = known ? model.info[learned - 1].target : null
  if (!same('altruistic_epochs') && then !== info.target)
    return needsRun(
      `After ${learned} epochs another class was suspected, ` +
        'so the main model would have warmed up without that class.'
    )
  if (info.stage === 'class_completion' || info.stage === 'selective_drop') return laterWorth(same, needsRun)
  if (!same('altruistic_epochs')) return shorterWorth(own, needsRun)
  if (info.stage === 'altruistic_warmup')
    return [
      'exact',
      'Altruistic losses depend on neither share. The cut by distance follows when the main model has warmed up.'
    ]
  const stays = same('t1') ? '' : ', and T1 is an epoch that was recorded (T2 and T3 stay)'
  return [
    'exact',
    `Nothing the first split reads depends on alpha or beta${stays}: this is what a run would have done.`
  ]
}

function laterWorth(same, needsRun) {
  if (!same('t1') || !same('altruistic_epochs') || !same('distance'))
    return needsRun(
      'Another warm-up or distance gives another first pool, so every model after it would be another one.'
    )
  return [
    'one step',
    "This epoch's split of the two models as they are here. " +
      'Earlier epochs would have been split otherwise too, which only a run can show.'
  ]
}

function shorterWorth(own, needsRun) {
  if (!own.updates_alike)
    return needsRun('The altruistic model learns otherwise after its warm-up, so another length gives other losses.')
  return [
    'one step',
    'Losses and suspected class are those of the shorter warm-up, exactly; ' +
      'the distances are of this run, whose random draws would shift.'
  ]
}
