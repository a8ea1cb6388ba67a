/**
 * Which files LevelDB's MANIFEST names: the tables that hold rows, with their lengths, and the log that
 * follows them.
 *
 *   edit   { varint tag | fields }*, of which several make up the newest version:
 *          1 comparator's name | 2 log number | 3 next file number | 4 last sequence
 *          5 level, compact pointer
 *          6 level, number: a table goes | 7 level, number, length, least key, greatest key: a table comes
 *          9 previous log number
 *
 * Source: LevelDB, db/version_edit.cc.
 */

/** What a MANIFEST adds up to. */
export interface LevelFiles {
  /** Length of each table, by its number. */
  readonly tables: ReadonlyMap<number, number>
  /** Logs from this number on are read when the store is opened. */
  readonly logNumber: number
  /** No file of this number, or a higher one, was made before the last edit. */
  readonly nextNumber: number
}

/** Reads the edits of a MANIFEST, in order; undefined if one of them makes no sense. */
export function readManifest(edits: readonly Buffer[]): LevelFiles | undefined {
  const tables = new Map<number, number>()
  let logNumber = 0
  let nextNumber = 0
  for (const edit of edits) {
    const reader = new EditReader(edit)
    while (!reader.done) {
      const tag = reader.number()
      if (tag === 1) reader.skip()
      else if (tag === 2) logNumber = reader.number()
      else if (tag === 3) nextNumber = reader.number()
      else if (tag === 4 || tag === 9) reader.number()
      else if (tag === 5) {
        reader.number()
        reader.skip()
      } else if (tag === 6) {
        reader.number()
        tables.delete(reader.number())
      } else if (tag === 7) {
        reader.number()
        const table = reader.number()
        tables.set(table, reader.number())
        reader.skip()
        reader.skip()
      } else return undefined
      if (reader.failed) return undefined
    }
  }
  return { tables, logNumber, nextNumber }
}

class EditReader {
  readonly #bytes: Buffer
  #at = 0
  failed = false

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.failed || this.#at >= this.#bytes.length
  }

  number(): number {
    let value = 0
    for (let scale = 1; scale < 2 ** 64; scale *= 128) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) break
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    this.failed = true
    return 0
  }

  skip(): void {
    const length = this.number()
    this.#at += length
    if (this.#at > this.#bytes.length) this.failed = true
  }
}
