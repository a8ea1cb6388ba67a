/**
 * What indexes of the laws are fed from: a log of random changes to some documents, and the documents as of
 * each position. A document is decoded anew each time that it is told, as a store does it.
 */
import { must } from '../base/assert.js'
import type { Random } from '../base/random.js'
import { type DocumentKey, decodeKey, encodeKey } from '../base/tuple.js'
import { type Document, decodeDocument, encodeDocument } from '../codec/document.js'
import { packStrict, unpackStrict } from '../codec/msgpack.js'
import type { DerivedIndex } from '../derived/contract.js'
import type { DocumentChange } from '../derived/index-store.js'
import type { IndexSubject } from './index-subject.js'

/** An entry of the log. */
interface Entry {
  readonly keyBytes: Buffer
  /** The encoded document; undefined: it was deleted. */
  readonly bytes: Buffer | undefined
}

/** A key of the worlds: some are numbers, some texts. */
const keyOf = (n: number): DocumentKey => (n % 3 === 0 ? n : `k${n}`)

/** One log, and one configuration of the type. */
export class IndexWorld {
  readonly subject: IndexSubject
  readonly random: Random
  readonly config: unknown
  readonly #log: Entry[] = []

  constructor(subject: IndexSubject, random: Random) {
    this.subject = subject
    this.random = random
    this.config = subject.type.configure(subject.definition(random))
  }

  /** Entries so far; the version that an entry makes is its place, from 1. */
  get length(): number {
    return this.#log.length
  }

  /** The index, opened from its configuration as a log keeps it. */
  index(): DerivedIndex {
    return this.subject.type.open(unpackStrict(packStrict(this.config)))
  }

  /** The log grows by changes of that many documents' keys at most. */
  grow(count: number, keys = 25, deletes = 0.3): void {
    for (let n = 0; n < count; n++) {
      const isGone = this.random.chance(deletes)
      this.write(keyOf(this.random.below(keys)), isGone ? undefined : this.subject.document(this.random))
    }
  }

  /** One more change. */
  write(key: DocumentKey, document: Record<string, unknown> | undefined): void {
    const bytes = document === undefined ? undefined : encodeDocument(document)
    this.#log.push({ keyBytes: encodeKey(key), bytes })
  }

  /** All documents that are there go. */
  clear(): void {
    for (const key of this.documents().keys()) this.write(key, undefined)
  }

  /** The change that made the version. */
  change(version: number): DocumentChange {
    const { keyBytes, bytes } = must(this.#log[version - 1], 'an entry of the log')
    return { keyBytes: Buffer.from(keyBytes), version, document: bytes && decodeDocument(bytes) }
  }

  /** The changes behind one position, up to another. */
  changes(from: number, to: number): DocumentChange[] {
    return Array.from({ length: to - from }, (_, n) => this.change(from + n + 1))
  }

  /** The documents as of a position. */
  documents(position = this.length): Map<DocumentKey, Document> {
    const found = new Map<DocumentKey, Document>()
    for (const { keyBytes, document } of this.chunk(position, undefined, Number.POSITIVE_INFINITY)) {
      if (document !== undefined) found.set(decodeKey(keyBytes), document)
    }
    return found
  }

  /** Documents as of a position behind a key, in the order of their keys, as changes. */
  chunk(position: number, after: Buffer | undefined, count: number): DocumentChange[] {
    const versions = new Map<string, number>()
    for (const [n, { keyBytes, bytes }] of this.#log.slice(0, position).entries()) {
      if (bytes === undefined) versions.delete(keyBytes.toString('latin1'))
      else versions.set(keyBytes.toString('latin1'), n + 1)
    }
    return [...versions]
      .filter(([name]) => after === undefined || Buffer.compare(Buffer.from(name, 'latin1'), after) > 0)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .slice(0, count)
      .map(([, version]) => this.change(version))
  }
}
