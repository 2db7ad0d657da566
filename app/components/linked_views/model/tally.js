// Counts of samples: the 2 × 2 table of ALS and OSS, the pool, and what changes against another pool.
export function tally(masks, before, poison) {
  const cells = [0, 0, 0, 0]
  const poisoned = [0, 0, 0, 0]
  const out = {cells, poisoned, size: 0, poison: 0, gained: 0, lost: 0, gainedPoison: 0, lostPoison: 0}
  for (let i = 0; i < masks.pool.length; i++) {
    const cell = 2 * masks.als[i] + masks.oss[i]
    const bad = poison ? poison[i] : 0
    const now = masks.pool[i]
    cells[cell]++
    poisoned[cell] += bad
    out.size += now
    out.poison += now & bad
    if (!before) continue
    if (now && !before[i]) {
      out.gained++
      out.gainedPoison += bad
    } else if (!now && before[i]) {
      out.lost++
      out.lostPoison += bad
    }
  }
  return out
}
