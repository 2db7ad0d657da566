// The panels that the teaching layout places, and the speeds of play: words, and milliseconds for each epoch or line.

export const PANELS = {
  hero: '.tn-hero',
  map: '.tn-map',
  other: '.tn-other',
  curves: '.tn-curves',
  side: '.tn-side',
  heat: '.tn-heat',
  controls: '.tn-controls'
}
export const SPEEDS = {lines: ['line by line', 800], slow: ['slow', 1400], normal: ['normal', 350], fast: ['fast', 110]}
