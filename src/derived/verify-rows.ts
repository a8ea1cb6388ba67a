/**
 * Reads every row of an index store and says which fail: their checksums, marks that are missing or disagree
 * with what is known in memory, keys that are in no space.
 */
import { type IndexPosition, markerBatch, markerKey, markKeys, readPosition } from './index-marks.js'
import type { SharedView } from './index-snapshot.js'
import { openValue, spaces } from './stored-value.js'

const rowsPerRead = 1000
const known: readonly number[] = Object.values(spaces)

/** What the marks must say. */
export interface ExpectedMarks {
  readonly at: IndexPosition
  /** The marks of later batches must all be there. */
  readonly proven: number
}

/** What was read of a store. */
export interface VerifiedRows {
  /** The keys, in hex, of what fails its check or is missing. */
  readonly failing: string[]
  readonly rowCount: number
}

/** Reads all rows of the view, which it holds as its caller does. */
export async function verifyRows(view: SharedView, { at, proven }: ExpectedMarks): Promise<VerifiedRows> {
  let rowCount = 0
  const failing: string[] = []
  const missing = new Set<number>()
  for (let batch = proven + 1; batch <= at.batch; batch++) missing.add(batch)
  let isPositionThere = at.batch === 0
  const rows = view.store.iterate({ snapshot: view.snapshot })
  try {
    for (;;) {
      const page = await view.read(() => rows.next(rowsPerRead))
      if (page.length === 0) break
      rowCount += page.length
      for (const [key, stored] of page) {
        const rest = openValue(key, stored)
        if (rest === undefined || !known.includes(key[0] ?? 0)) failing.push(key.toString('hex'))
        else if (key.equals(markKeys.position)) isPositionThere = readPosition(rest)?.batch === at.batch
        else missing.delete(markerBatch(key) ?? 0)
      }
    }
  } finally {
    if (!view.isEnded) await rows.close()
  }
  if (!isPositionThere) failing.push(markKeys.position.toString('hex'))
  for (const batch of missing) failing.push(markerKey(batch).toString('hex'))
  return { failing, rowCount }
}
