/**
 * Compares the rows of an index with those that it must have, key by key in their order.
 *
 * Notes of deleted documents may be there until they are cleared away, if the list for that has them. An
 * index that is being built may lack rows, and may know documents as they became after its position; what it
 * knows of the time before must be right.
 */
import type { KeyValueIterator, KeyValueStore } from '../env/key-value.js'
import type { IndexPosition } from './index-marks.js'
import { openNote, spaces } from './stored-value.js'

/** Called for each difference, with its key. */
export type Differs = (key: Buffer, what: string) => void

type StoredRow = readonly [key: Buffer, stored: Buffer]

const rowsPerRead = 1000

/** Compares all rows and notes; each was checked before. */
export async function compareRows(
  stored: KeyValueStore,
  expected: KeyValueStore,
  at: IndexPosition,
  differs: Differs,
): Promise<void> {
  const range = { gte: Buffer.from([spaces.note]) }
  const comparison = new Comparison(at, differs)
  const found = new Walk(stored.iterate(range))
  const wanted = new Walk(expected.iterate(range))
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
  comparison.end()
}

/** Rows one by one. */
class Walk {
  readonly #rows: KeyValueIterator
  #page: readonly StoredRow[] = []
  #at = 0
  #ended = false

  constructor(rows: KeyValueIterator) {
    this.#rows = rows
  }

  /** The next row; undefined at the end. */
  async peek(): Promise<StoredRow | undefined> {
    if (this.#at >= this.#page.length && !this.#ended) {
      this.#page = await this.#rows.next(rowsPerRead)
      this.#at = 0
      this.#ended = this.#page.length === 0
    }
    return this.#page[this.#at]
  }

  step(): void {
    this.#at++
  }

  async close(): Promise<void> {
    await this.#rows.close()
  }
}

class Comparison {
  readonly #at: IndexPosition
  readonly #differs: Differs
  /** Encoded keys of deleted documents with a note that is not listed so far. */
  readonly #unlisted = new Map<string, Buffer>()

  constructor(at: IndexPosition, differs: Differs) {
    this.#at = at
    this.#differs = differs
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
      if (!isGone) this.#differs(key, 'a note of a document that is not there')
    } else if (!wanted[1].equals(stored)) {
      const { version: newest } = openNote(...wanted)
      this.#differs(key, `the document gives another note: it has version ${newest}, the note ${version}`)
    }
  }
}

function nounOf(key: Buffer): string {
  return key[0] === spaces.note ? 'note' : 'row'
}

function documentOf(key: Buffer): string {
  return key.toString('latin1', 1)
}
