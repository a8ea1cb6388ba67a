/**
 * Compares the rows of an index with those that it must have, key by key in their order.
 *
 * Notes of deleted documents may be there until they are cleared away, if the list for that has them. An
 * index that is being built may lack rows, and may know documents as they became after its position; what it
 * knows of the time before must be right.
 */
import { must } from '../base/assert.js'
import { messageOf } from '../base/errors.js'
import type { KeyRange, KeyValueStore } from '../env/key-value.js'
import type { DerivedIndex } from './contract.js'
import type { HeldBack } from './held-back.js'
import type { IndexPosition } from './index-marks.js'
import { IndexSnapshot, SharedView } from './index-snapshot.js'
import { openNote, spaceKey, spaces } from './stored-value.js'

/** How far the stored rows are. */
export interface Standing {
  readonly at: IndexPosition
  readonly heldBack: HeldBack
}

/** Called for each difference, with its key. */
export type Differs = (key: Buffer, what: string) => void

type StoredRow = readonly [key: Buffer, stored: Buffer]

const rowsPerRead = 1000

/** How an index says what its rows mean, where they depend on batches. */
export type Canonical = Pick<DerivedIndex, 'canonical' | 'canonicalNote'>

/** Compares all rows and notes; each was checked before. */
export async function compareRows(
  stored: KeyValueStore,
  expected: KeyValueStore,
  standing: Standing,
  differs: Differs,
  index: Canonical = {},
): Promise<void> {
  const { at } = standing
  const notes = { gte: Buffer.from([spaces.note]), lt: Buffer.from([spaces.note + 1]) }
  const rest = { gte: Buffer.from([spaces.note + 1]) }
  const gone = { gte: Buffer.from([spaces.gone]) }
  const comparison = new Comparison(standing, differs, index)
  const stores = [stored, expected] as const
  const compareRanges = async (range: KeyRange): Promise<void> => {
    await compareWalks(
      comparison,
      stores.map(store => new Walk(pagesOf(store, range))),
    )
  }
  await compareRanges(notes)
  // What an index means that is being built cannot be told.
  const canonical = at.build.done ? index.canonical?.bind(index) : undefined
  if (canonical === undefined) await compareRanges(rest)
  else {
    try {
      await compareWalks(
        comparison,
        stores.map(store => new Walk(canonicalPages(store, canonical))),
      )
    } catch (error) {
      differs(Buffer.from([spaces.row]), `the rows cannot be read together: ${messageOf(error)}`)
    }
    await compareRanges(gone)
  }
  comparison.end()
}

async function compareWalks(comparison: Comparison, walks: readonly Walk[]): Promise<void> {
  const [found, wanted] = [must(walks[0], 'what is stored'), must(walks[1], 'what is expected')]
  try {
    for (;;) {
      const [one, other] = [await found.peek(), await wanted.peek()]
      if (one === undefined && other === undefined) break
      const order = one === undefined ? 1 : other === undefined ? -1 : Buffer.compare(one[0], other[0])
      comparison.see(order <= 0 ? one : undefined, order >= 0 ? other : undefined)
      if (order <= 0) found.step()
      if (order >= 0) wanted.step()
    }
  } finally {
    await found.close()
    await wanted.close()
  }
}

async function* pagesOf(store: KeyValueStore, range: KeyRange): AsyncGenerator<readonly StoredRow[]> {
  const rows = store.iterate(range)
  try {
    for (;;) {
      const page = await rows.next(rowsPerRead)
      if (page.length === 0) return
      yield page
    }
  } finally {
    await rows.close()
  }
}

/** What the rows mean, as if they were stored like any others. */
async function* canonicalPages(
  store: KeyValueStore,
  canonical: NonNullable<Canonical['canonical']>,
): AsyncGenerator<readonly StoredRow[]> {
  const view = new SharedView(store, 0, () => {})
  const rows = new IndexSnapshot(view)
  try {
    for await (const page of canonical(rows)) {
      yield page.map(([key, value]): StoredRow => [spaceKey(spaces.row, key), value])
    }
  } finally {
    await rows.close()
    await view.release()
  }
}

/** Rows one by one. */
class Walk {
  readonly #pages: AsyncGenerator<readonly StoredRow[]>
  #page: readonly StoredRow[] = []
  #at = 0
  #ended = false

  constructor(pages: AsyncGenerator<readonly StoredRow[]>) {
    this.#pages = pages
  }

  /** The next row; undefined at the end. */
  async peek(): Promise<StoredRow | undefined> {
    while (this.#at >= this.#page.length && !this.#ended) {
      const { value, done } = await this.#pages.next()
      this.#page = done === true ? [] : value
      this.#at = 0
      this.#ended = done === true
    }
    return this.#page[this.#at]
  }

  step(): void {
    this.#at++
  }

  async close(): Promise<void> {
    await this.#pages.return(undefined)
  }
}

class Comparison {
  readonly #at: IndexPosition
  readonly #heldBack: HeldBack
  readonly #differs: Differs
  readonly #index: Canonical
  /** Encoded keys of deleted documents with a note that is not listed so far. */
  readonly #unlisted = new Map<string, Buffer>()

  constructor({ at, heldBack }: Standing, differs: Differs, index: Canonical) {
    this.#at = at
    this.#heldBack = heldBack
    this.#differs = differs
    this.#index = index
  }

  /** What is there under one key, and what should be. */
  see(found: StoredRow | undefined, wanted: StoredRow | undefined): void {
    if (found === undefined) {
      if (wanted !== undefined && this.#at.build.done)
        this.#differs(wanted[0], `the ${nounOf(wanted[0])} is missing`)
      return
    }
    const [key, stored] = found
    if (key[0] === spaces.gone) this.#unlisted.delete(documentOf(key))
    else if (key[0] === spaces.note) this.#note(found, wanted)
    else if (this.#at.build.done) {
      if (wanted === undefined) this.#differs(key, 'the documents give no such row')
      else if (!wanted[1].equals(stored)) this.#differs(key, 'the documents give another value')
    }
  }

  /** All rows were passed to `see`. */
  end(): void {
    for (const key of this.#unlisted.values())
      this.#differs(key, 'the note of a deleted document is not listed to be cleared away')
  }

  #note([key, stored]: StoredRow, wanted: StoredRow | undefined): void {
    const { version, isGone } = openNote(key, stored)
    if (isGone) this.#unlisted.set(documentOf(key), key)
    if (!this.#at.build.done && version > this.#at.position) return
    if (wanted === undefined) {
      if (!isGone && !this.#heldBack.isSkippedNote(key))
        this.#differs(key, 'a note of a document that is not there')
    } else if (!this.#isSameNote([key, stored], wanted)) {
      const { version: newest } = openNote(...wanted)
      this.#differs(key, `the document gives another note: it has version ${newest}, the note ${version}`)
    }
  }

  #isSameNote(found: StoredRow, wanted: StoredRow): boolean {
    if (found[1].equals(wanted[1])) return true
    const [one, other] = [openNote(...found), openNote(...wanted)]
    if (one.version !== other.version || one.isGone !== other.isGone) return false
    if (this.#index.canonicalNote === undefined || one.note === undefined || other.note === undefined)
      return false
    const [mine, theirs] = [this.#index.canonicalNote(one.note), this.#index.canonicalNote(other.note)]
    return Buffer.compare(mine, theirs) === 0
  }
}

function nounOf(key: Buffer): string {
  return key[0] === spaces.note ? 'note' : 'row'
}

function documentOf(key: Buffer): string {
  return key.toString('latin1', 1)
}
