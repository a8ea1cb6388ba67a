/** The name that somebody may have meant: for misspelt verbs. */

/**
 * The first of the names that is nearest to the word, if a letter or two make the one from the other; for a
 * short word one letter.
 */
export function nearName(word: string, names: readonly string[]): string | undefined {
  const most = word.length < 4 ? 1 : 2
  let nearest: { name: string; steps: number } | undefined
  for (const name of names) {
    if (Math.abs(name.length - word.length) > most) continue
    const steps = stepsBetween(word, name)
    if (steps <= most && steps < (nearest?.steps ?? Number.POSITIVE_INFINITY)) nearest = { name, steps }
  }
  return nearest?.name
}

/** Letters to be added, left out, changed, or swapped with their neighbour. */
function stepsBetween(from: string, to: string): number {
  let before: number[] = []
  let row = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const isSame = from[i - 1] === to[j - 1]
      let steps = Math.min((row[j - 1] ?? 0) + (isSame ? 0 : 1), (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1)
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      if (isSwap) steps = Math.min(steps, (before[j - 2] ?? 0) + 1)
      next.push(steps)
    }
    before = row
    row = next
  }
  return row[to.length] ?? 0
}
