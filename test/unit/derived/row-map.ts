/** An index's rows in memory, with the notes of its documents: what a store keeps for it, put plainly. */
import { type DocumentKey, encodeKey } from '../../../src/base/tuple.js'
import type {
  DerivedIndex,
  IndexChange,
  IndexOps,
  IndexRange,
  IndexRow,
  IndexRows,
} from '../../../src/derived/contract.js'

export class RowMap implements IndexRows {
  /** By key as latin1, whose order is that of the bytes. */
  readonly rows = new Map<string, Buffer>()
  readonly notes = new Map<DocumentKey, Buffer>()
  /** Rows in a page at most, whatever was asked for. */
  pageRows = 1000

  /** What long work waits for. */
  pause: () => Promise<void> | undefined = () => undefined

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    return keys.map(key => this.rows.get(name(key)))
  }

  async *scan(range: IndexRange, pageRows = 1000): AsyncGenerator<readonly IndexRow[]> {
    const found: IndexRow[] = []
    for (const key of [...this.rows.keys()].sort()) {
      if (range.gte !== undefined && key < name(range.gte)) continue
      if (range.gt !== undefined && key <= name(range.gt)) continue
      if (range.lt !== undefined && key >= name(range.lt)) continue
      if (range.lte !== undefined && key > name(range.lte)) continue
      found.push([Buffer.from(key, 'latin1'), this.rows.get(key) ?? Buffer.alloc(0)])
    }
    if (range.reverse === true) found.reverse()
    const size = Math.max(1, Math.min(pageRows, this.pageRows))
    for (let at = 0; at < found.length; at += size) yield found.slice(at, at + size)
  }

  /**
   * One batch: the changes with their notes are told, then what the index answered is written. `written`
   * hears of each row and note as the index puts it.
   */
  async tell(
    index: DerivedIndex,
    documents: ReadonlyMap<DocumentKey, Record<string, unknown> | undefined>,
    written: (bytes: number) => void = () => {},
  ): Promise<number> {
    const ops = new Map<string, Buffer | undefined>()
    const notes = new Map<DocumentKey, Buffer | undefined>()
    const once = (key: string, value: Buffer | undefined): void => {
      if (ops.has(key)) throw new Error('two operations on one row')
      ops.set(key, value)
    }
    const sink: IndexOps = {
      put: (key, value) => {
        once(name(key), Buffer.from(value))
        written(key.length + value.length)
      },
      delete: key => once(name(key), undefined),
      note: (change, note) => {
        notes.set(change.key, note && Buffer.from(note))
        written(note?.length ?? 0)
      },
    }
    const changes: IndexChange[] = [...documents].map(([key, document]) => {
      return { key, keyBytes: encodeKey(key), version: 1, document, note: this.notes.get(key) }
    })
    await index.apply(changes, this, sink)
    for (const [key, value] of ops) {
      if (value === undefined) this.rows.delete(key)
      else this.rows.set(key, value)
    }
    for (const [key, note] of notes) {
      if (note === undefined) this.notes.delete(key)
      else this.notes.set(key, note)
    }
    return ops.size + notes.size
  }
}

function name(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1')
}
