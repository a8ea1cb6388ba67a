/** Sorting of many texts in slices: runs first, then the runs merged pair by pair. */

/** Undefined: go on. Else the slice has lasted long enough: go on when it resolves. */
export type Pause = () => Promise<void> | undefined

const runTexts = 2048
const textsPerLook = 512

/** The texts in the order of their units. */
export async function sortedTexts(texts: readonly string[], pause: Pause): Promise<readonly string[]> {
  let runs: (readonly string[])[] = []
  for (let from = 0; from < texts.length; from += runTexts) {
    runs.push(texts.slice(from, from + runTexts).sort())
    const late = pause()
    if (late !== undefined) await late
  }
  while (runs.length > 1) {
    const merged: (readonly string[])[] = []
    for (let at = 0; at < runs.length; at += 2) {
      const [one, other] = [runs[at] as readonly string[], runs[at + 1]]
      merged.push(other === undefined ? one : await mergedTexts(one, other, pause))
    }
    runs = merged
  }
  return runs[0] ?? []
}

async function mergedTexts(
  ones: readonly string[],
  others: readonly string[],
  pause: Pause,
): Promise<readonly string[]> {
  const merged = new Array<string>(ones.length + others.length)
  let one = 0
  let other = 0
  for (let at = 0; at < merged.length; at++) {
    const takesOne =
      other >= others.length || (one < ones.length && (ones[one] as string) <= (others[other] as string))
    merged[at] = (takesOne ? ones[one++] : others[other++]) as string
    const late = at % textsPerLook === 0 ? pause() : undefined
    if (late !== undefined) await late
  }
  return merged
}
