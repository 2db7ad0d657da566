// Scales of the views: a loss as a place from 0 to 1 on a logarithmic axis and back, and a share in steps of a
// thousandth.

export const LOSS_LOW = 1e-4
const LOSS_HIGH = 20

export function lossUnit(value) {
  const low = Math.log10(LOSS_LOW)
  const high = Math.log10(LOSS_HIGH)
  return (Math.log10(Math.min(LOSS_HIGH, Math.max(LOSS_LOW, value))) - low) / (high - low)
}

export function lossOf(unit) {
  const low = Math.log10(LOSS_LOW)
  const high = Math.log10(LOSS_HIGH)
  return 10 ** (low + unit * (high - low))
}

export function clampShare(value) {
  return Math.min(1, Math.max(0.01, Math.round(value * 1000) / 1000))
}
