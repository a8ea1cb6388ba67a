/**
 * A log of documents, some of which an index cannot take, and an index store that is fed with them: what the
 * index must hold, whatever the batches were.
 */
import { must } from '../../../src/base/assert.js'
import type { ErrorPolicy } from '../../../src/base/error-policy.js'
import type { Random } from '../../../src/base/random.js'
import { decodeKey, encodeKey } from '../../../src/base/tuple.js'
import type { Document } from '../../../src/codec/document.js'
import type { DerivedIndex } from '../../../src/derived/contract.js'
import type { BuildProgress, DocumentChange, IndexStore } from '../../../src/derived/index-store.js'
import { change, KnownDocuments, randomDocument, readRows, standing, tagIndex } from './tag-index.js'

/** The index of tags, but documents with `bad` are too much for it until `mended` is true. */
export class PickyIndex implements Pick<DerivedIndex, 'apply'> {
  mended = false
  calls = 0

  async apply(...[changes, rows, ops]: Parameters<DerivedIndex['apply']>): Promise<void> {
    this.calls += 1
    // What was done before it throws must leave nothing behind.
    await tagIndex.apply(changes, rows, ops)
    for (const { key, document } of changes) {
      if (document?.['bad'] === true && !this.mended) throw new Error(`${String(key)} is bad`)
    }
  }
}

interface Logged {
  readonly key: number
  readonly document: Document | undefined
}

/** A log, and the index that follows it. */
export class ParkedWorld {
  readonly index = new PickyIndex()
  readonly onError: ErrorPolicy
  readonly #random: Random
  readonly #log: Logged[] = []
  answered = ''
  pending = ''

  constructor(random: Random, onError: ErrorPolicy) {
    this.#random = random
    this.onError = onError
  }

  get length(): number {
    return this.#log.length
  }

  grow(count: number, badShare = 0.2): void {
    for (let n = 0; n < count; n++) {
      const key = this.#random.below(25)
      const bad = this.#random.chance(badShare)
      const gone = this.#random.chance(0.25)
      this.#log.push({ key, document: gone ? undefined : { ...randomDocument(this.#random), bad } })
    }
  }

  /** The next batch: some changes, and while it is built a chunk of documents, as new as the log. */
  async write(store: IndexStore, count = this.#random.below(10)): Promise<void> {
    const from = store.isNew ? this.#random.below(this.#log.length + 1) : store.position
    const position = store.isNew ? from : Math.min(from + count, this.#log.length)
    const changes = this.#log
      .slice(from, position)
      .map(({ key, document }, at) => change(key, from + at + 1, document))
    let build: BuildProgress = { done: true }
    if (!store.build.done) {
      const { after } = store.build
      const known = this.stateAt(this.#log.length)
      const chunk = known.after(after === undefined ? -1 : Number(decodeKey(after)), 6)
      const isLast = chunk.length < 6
      const isDone = isLast && position === this.#log.length
      const last = chunk.at(-1)
      for (const { key, version, document } of chunk) changes.push(change(key, version, document))
      if (!isDone) build = { done: false, after: last === undefined ? after : encodeKey(last.key) }
    }
    this.pending = standing({ position, build })
    const { index, onError } = this
    await store.write({ index, onError, changes, position, build, wallMs: 1000 })
    this.answered = this.pending
  }

  async finish(store: IndexStore): Promise<void> {
    while (!store.build.done || store.position < this.#log.length) await this.write(store, 40)
  }

  /** Tells the index of what is parked again, as a runner does. */
  async retry(store: IndexStore): Promise<void> {
    const changes: DocumentChange[] = []
    for (const [name, { version }] of store.parked) {
      const { document } = must(this.#log[version - 1], 'the parked change')
      changes.push({ keyBytes: Buffer.from(name, 'latin1'), version, document })
    }
    const { index, onError } = this
    const { position, build } = store
    await store.write({ index, onError, changes, position, build, isRetry: true })
  }

  stateAt(position: number): KnownDocuments {
    const known = new KnownDocuments()
    for (const [at, { key, document }] of this.#log.slice(0, position).entries())
      known.tell(key, at + 1, document)
    return known
  }

  /** What is wrong with an index that is built; empty if nothing is. */
  async wrongs(store: IndexStore): Promise<string[]> {
    const wrongs: string[] = []
    const newest = new Map<number, { version: number; document: Document | undefined }>()
    const forms = new Map<number, string[]>()
    for (const [at, { key, document }] of this.#log.slice(0, store.position).entries()) {
      newest.set(key, { version: at + 1, document })
      const good = document?.['bad'] === true ? [] : [this.#entries(key, document).join()]
      // Of several changes in a batch the newest is told alone: so a removal may be passed over.
      forms.set(key, [...(forms.get(key) ?? ['']), ...good])
    }
    const rows = await readRows(store)
    const refused = this.onError === 'park' ? store.parked : new Map<string, { version: number }>()
    let bad = 0
    for (const [key, { version, document }] of newest) {
      const own = rows
        .filter(row => row.startsWith('entry/') && row.split('=')[0]?.endsWith(`/${key}`))
        .join()
      if (document?.['bad'] !== true) {
        if (own !== this.#entries(key, document).join()) wrongs.push(`${key} has ${own}`)
        continue
      }
      bad += 1
      if (this.onError === 'skip' && own !== '') wrongs.push(`${key} is skipped and has ${own}`)
      if (this.onError !== 'park') continue
      const parked = refused.get(encodeKey(key).toString('latin1'))
      if (parked?.version !== version) wrongs.push(`${key}, ${version}, is parked as ${parked?.version}`)
      if (!forms.get(key)?.includes(own)) wrongs.push(`${key} is parked and has ${own}`)
    }
    const counted = this.onError === 'park' ? store.parked.size : store.skipped
    if (counted !== bad) wrongs.push(`${counted} refused, ${bad} bad`)
    const counts = new Map<string, number>()
    for (const row of rows) {
      const [, tag] = /^entry\/(\w+)\//.exec(row) ?? []
      if (tag !== undefined) counts.set(`count/${tag}`, (counts.get(`count/${tag}`) ?? 0) + 1)
    }
    const told = rows.filter(row => row.startsWith('count/')).join()
    const wanted = [...counts].map(([tag, count]) => `${tag}=${count}`)
    if (told !== wanted.sort().join()) wrongs.push(`counts are ${told}, the rows say ${wanted.join()}`)
    return wrongs
  }

  #entries(key: number, document: Document | undefined): string[] {
    const tags = (document?.['tags'] as string[] | undefined) ?? []
    return tags.map(tag => `entry/${tag}/${key}=${document?.['text']}`).sort()
  }
}
