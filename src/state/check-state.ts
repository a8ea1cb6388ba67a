/**
 * Reads the rows of a replica that nobody has open, and says which fail their checksums; writes nothing. The
 * files that hold them are checked before, by `env/level-folder-check`; LevelDB opens a copy of these.
 *
 * Rows that only a log of LevelDB holds were written after the last checkpoint: opening applies them again.
 */
import { atKey, type Findings } from '../base/finding.js'
import type { LogIndex } from '../base/ids.js'
import { keyText, type Row, type RowKey, readRow } from '../codec/row.js'
import type { KeyValueStore } from '../env/key-value.js'
import { type LevelCheck, withLevelCopy } from '../env/level-folder-check.js'
import { markKeys, readMark } from './flush.js'
import { SessionWindows } from './windows.js'

/** What the store says of itself. */
export interface StoredMarks {
  /** No row is newer. */
  readonly newest: LogIndex
  /** All rows up to there are in tables. */
  readonly proven: LogIndex
  /** Recorded checkpoints up to there speak of another folder. */
  readonly rebuilding: LogIndex
  /** The synced write that follows a checkpoint names this one. */
  readonly probe: LogIndex
}

const rowsPerRead = 1000

/**
 * Opens a copy of these files and passes on every row whose checksum holds, kept replies one by one. Resolves
 * with the marks; with undefined when LevelDB refuses the copy, or a mark fails its check.
 */
export async function readRows(
  check: LevelCheck,
  names: readonly string[],
  findings: Findings,
  see: (key: RowKey, row: Row) => void,
): Promise<StoredMarks | undefined> {
  return await withLevelCopy(check, names, findings, store => readStore(store, check.folder, findings, see))
}

async function readStore(
  store: KeyValueStore,
  folder: string,
  findings: Findings,
  see: (key: RowKey, row: Row) => void,
): Promise<StoredMarks | undefined> {
  const windows = new SessionWindows()
  const marks = new Map<string, LogIndex | undefined>()
  const iterator = store.iterate({})
  try {
    for (;;) {
      const page = await iterator.next(rowsPerRead)
      if (page.length === 0) break
      for (const [key, value] of page) {
        findings.counts.rows++
        const text = keyText(key)
        const kind = text[0]
        const row = kind === '!' || kind === 's' ? undefined : readRow(key, value)
        if (row !== undefined) see(text, row)
        const mark = kind === '!' ? readMark(key, value) : undefined
        if (mark !== undefined) marks.set(text, mark)
        const holds = row !== undefined || mark !== undefined || (kind === 's' && windows.restore(key, value))
        if (!holds) findings.fault(folder, atKey(key), 'the row fails its checksum')
      }
    }
  } finally {
    await iterator.close()
  }
  for (const window of windows.all()) {
    for (const [place, row] of window.rows.entries()) see(window.keys[place] ?? '', row)
  }
  const mark = (key: Buffer): LogIndex => marks.get(keyText(key)) ?? 0
  return {
    newest: mark(markKeys.applied),
    proven: mark(markKeys.checkpoint),
    rebuilding: mark(markKeys.rebuilding),
    probe: mark(markKeys.probe),
  }
}
