/**
 * What an index is fed from: a log of changes and the state that it makes, given in random batches. Keeps
 * what the index must hold after each batch, by where it stands then.
 */
import { must } from '../../../src/base/assert.js'
import type { Random } from '../../../src/base/random.js'
import { decodeKey, encodeKey } from '../../../src/base/tuple.js'
import type { Document } from '../../../src/codec/document.js'
import type {
  BuildProgress,
  DocumentChange,
  IndexBatch,
  IndexStore,
} from '../../../src/derived/index-store.js'
import { change, KnownDocuments, randomDocument, standing, tagIndex } from './tag-index.js'

export class Feed {
  readonly #random: Random
  readonly #keys: number
  #log: { key: number; document: Document | undefined }[] = []
  #state = new KnownDocuments()
  /** What the index holds, by where it stands. */
  readonly history = new Map<string, KnownDocuments>()
  /** The batch that is being written, and the last that was answered. */
  pending = ''
  answered = ''
  /** Where the index began to listen: it was told of all entries from there on, as far as its position. */
  #begun = 0
  #chunk: { from: number; documents: ReturnType<KnownDocuments['after']> } | undefined

  constructor(random: Random, keys: number) {
    this.#random = random
    this.#keys = keys
  }

  /** The same log, state and history, to go on with by itself. */
  clone(random: Random): Feed {
    const feed = new Feed(random, this.#keys)
    feed.#log = [...this.#log]
    feed.#state = this.#state.clone()
    for (const [at, known] of this.history) feed.history.set(at, known)
    feed.answered = this.answered
    feed.#begun = this.#begun
    return feed
  }

  /** The log grows. */
  grow(count: number): void {
    for (let n = 0; n < count; n++) {
      const key = this.#random.below(this.#keys)
      const document = this.#random.chance(0.35) ? undefined : randomDocument(this.#random)
      this.#log.push({ key, document })
      this.#state.tell(key, this.#log.length, document)
    }
  }

  /** An index begins anew: nothing of the old one holds. */
  forget(): void {
    this.history.clear()
    this.#chunk = undefined
    this.answered = standing({ position: 0, build: { done: false, after: undefined } })
    this.history.set(this.answered, new KnownDocuments())
  }

  /** Writes one random batch: changes in the order of the log, old ones again, a chunk of the build. */
  async write(store: IndexStore, live = this.#random.below(12)): Promise<void> {
    const { batch, known } = this.#next(store, live)
    this.pending = standing(batch)
    this.history.set(this.pending, known)
    await store.write(batch)
    this.answered = this.pending
  }

  /** Feeds until all is in the index. */
  async finish(store: IndexStore): Promise<void> {
    while (!store.build.done || store.position < this.#log.length) await this.write(store, 40)
  }

  /** What the index must hold in the end. */
  finalRows(): string[] {
    return this.#state.rows()
  }

  #next(store: IndexStore, live: number): { batch: IndexBatch; known: KnownDocuments } {
    const random = this.#random
    const known = must(this.history.get(standing(store)), `what was known at ${standing(store)}`).clone()
    const changes: DocumentChange[] = []
    const tell = (key: number, version: number, document: Document | undefined): void => {
      known.tell(key, version, document)
      const at = random.chance(0.3) ? random.below(changes.length + 1) : changes.length
      changes.splice(at, 0, change(key, version, document))
    }
    const tellEntry = (at: number): void => {
      const { key, document } = must(this.#log[at], 'an entry')
      tell(key, at + 1, document)
    }
    const wanted = store.isNew ? random.below(this.#log.length + 1) : store.position + live
    const position = Math.min(wanted, this.#log.length)
    if (store.isNew) this.#begun = position
    for (let at = store.isNew ? position : store.position; at < position; at++) {
      tellEntry(at)
      if (random.chance(0.2)) tellEntry(at)
    }
    // Late copies. After the build, deleted documents are forgotten, and nobody sends such.
    for (let n = random.below(4); n > 0 && !store.build.done && position > this.#begun; n--) {
      tellEntry(this.#begun + random.below(position - this.#begun))
    }
    const build = store.build.done ? store.build : this.#goOn(store, store.build.after, tell)
    return { batch: { index: tagIndex, changes, position, build }, known }
  }

  /** Reads the next chunk of the state, and tells of it at once or some batches later. */
  #goOn(
    store: IndexStore,
    after: Buffer | undefined,
    tell: (key: number, version: number, document: Document) => void,
  ): BuildProgress {
    const from = after === undefined ? -1 : Number(decodeKey(after))
    if (store.isNew || this.#chunk?.from !== from) {
      this.#chunk = { from, documents: this.#state.after(from, 1 + this.#random.below(8)) }
    }
    if (this.#random.chance(0.5)) return { done: false, after }
    const { documents } = this.#chunk
    for (const { key, version, document } of documents) tell(key, version, document)
    const last = documents.at(-1)
    return last === undefined ? { done: true } : { done: false, after: encodeKey(last.key) }
  }
}
