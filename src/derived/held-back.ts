/**
 * What an index is behind with on purpose: its parked and skipped documents, as its rows say.
 *
 * Its rows are those of the log without these changes: of a parked document the index holds the form that its
 * note names, or nothing; of a skipped one nothing. So they are compared with rows that are computed from the
 * log in the same way, whatever the index's code would say of the documents today.
 */
import type { LogIndex, Version } from '../base/ids.js'
import type { KeyValueStore } from '../env/key-value.js'
import { markKeys, readNumber } from './index-marks.js'
import { nameOf, openParked } from './parked.js'
import { openNote, openValue, spaceKey, spaces } from './stored-value.js'

interface Held {
  /** The key of the row that says so. */
  readonly row: Buffer
  /** Of the newest change that the index knows of. */
  readonly version: Version
  /** Of the form that it holds; 0: none. */
  readonly held: Version | 0
  readonly isSkipped: boolean
  /** The newest change in the log so far. */
  newest: Version | 0
}

const rowsPerRead = 1000

/** The parked and skipped documents of one index store. */
export class HeldBack {
  readonly #documents = new Map<string, Held>()
  /** How many documents are skipped by the mark, and which ones by their notes. */
  #marked = 0
  readonly #skippedNotes = new Set<string>()

  /** Reads them from a store all of whose rows were checked. */
  static async read(store: KeyValueStore): Promise<HeldBack> {
    const heldBack = new HeldBack()
    await heldBack.#readParked(store)
    await heldBack.#readSkipped(store)
    return heldBack
  }

  /** True if the index's rows show that change: it is told of each in the order of the log. */
  shows(keyBytes: Buffer, version: Version): boolean {
    if (this.#documents.size === 0) return true
    const held = this.#documents.get(nameOf(keyBytes))
    if (held === undefined) return true
    held.newest = version
    return version <= held.held
  }

  /** True if the note of that document says that it is skipped, as it was found. */
  isSkippedNote(key: Buffer): boolean {
    return this.#skippedNotes.has(nameOf(key.subarray(1)))
  }

  /**
   * Names the rows that do not fit the log, all changes up to `position` of which were shown; what an index
   * that is being built knows of later ones is not looked at.
   */
  compare(position: LogIndex, isBuilt: boolean, differs: (row: Buffer, what: string) => void): void {
    for (const { row, version, held, newest, isSkipped } of this.#documents.values()) {
      if (held >= version) differs(row, `version ${version} of a document is parked, and ${held} is held`)
      if (version === newest || (!isBuilt && version > position)) continue
      const what = isSkipped ? 'skipped' : 'parked'
      differs(row, `a document is ${what} with version ${version}, in the log it has ${newest}`)
    }
    const found = this.#skippedNotes.size
    if (this.#marked === found) return
    differs(markKeys.skipped, `${this.#marked} documents are said to be skipped, ${found} are`)
  }

  async #readParked(store: KeyValueStore): Promise<void> {
    await eachRow(store, spaces.parked, async page => {
      const noteKeys = page.map(([key]) => spaceKey(spaces.note, key.subarray(1)))
      const notes = await store.getMany(noteKeys)
      for (const [at, [row, stored]] of page.entries()) {
        const [noteKey, noted] = [noteKeys[at], notes[at]]
        const note = noteKey && noted && openNote(noteKey, noted)
        const held = note === undefined || note.isGone || note.isSkipped ? 0 : note.version
        const { version } = openParked(row, stored)
        this.#documents.set(nameOf(row.subarray(1)), { row, version, held, isSkipped: false, newest: 0 })
      }
    })
  }

  async #readSkipped(store: KeyValueStore): Promise<void> {
    const [marked] = await store.getMany([markKeys.skipped])
    const rest = marked && openValue(markKeys.skipped, marked)
    this.#marked = (rest && readNumber(rest)) ?? 0
    if (this.#marked === 0) return
    await eachRow(store, spaces.note, async page => {
      for (const [row, stored] of page) {
        const { version, isSkipped } = openNote(row, stored)
        if (!isSkipped) continue
        const name = nameOf(row.subarray(1))
        this.#skippedNotes.add(name)
        // A parked document may have been skipped before.
        if (!this.#documents.has(name)) {
          this.#documents.set(name, { row, version, held: 0, isSkipped, newest: 0 })
        }
      }
    })
  }
}

async function eachRow(
  store: KeyValueStore,
  space: number,
  see: (page: [Buffer, Buffer][]) => Promise<void>,
): Promise<void> {
  const rows = store.iterate({ gte: Buffer.from([space]), lt: Buffer.from([space + 1]) })
  try {
    for (;;) {
      const page = await rows.next(rowsPerRead)
      if (page.length === 0) return
      await see(page)
    }
  } finally {
    await rows.close()
  }
}
