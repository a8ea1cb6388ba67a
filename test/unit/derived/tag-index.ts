/**
 * A small index for tests, and what it must hold: a row per tag of a document, and how many documents have
 * the tag. The counts double or stay behind as soon as a change comes twice, or its document's old form is
 * wrong.
 */
import type { Version } from '../../../src/base/ids.js'
import type { Random } from '../../../src/base/random.js'
import { encodeKey } from '../../../src/base/tuple.js'
import type { Document } from '../../../src/codec/document.js'
import type { DerivedIndex } from '../../../src/derived/contract.js'
import type { BuildProgress, DocumentChange, IndexStore } from '../../../src/derived/index-store.js'

const tags = ['red', 'green', 'blue', 'black', 'white']

export function randomDocument(random: Random): Document {
  return { tags: tags.filter(() => random.chance(0.3)), text: 'x'.repeat(random.below(40)) }
}

function tagsOf(document: Readonly<Record<string, unknown>> | undefined): string[] {
  return (document?.['tags'] as string[] | undefined) ?? []
}

const countKey = (tag: string): Buffer => Buffer.from(`count/${tag}`)
const entryKey = (tag: string, key: unknown): Buffer => Buffer.from(`entry/${tag}/${String(key)}`)

export const tagIndex: DerivedIndex = {
  async apply(changes, rows, ops) {
    const found = await rows.getMany(tags.map(countKey))
    const counts = new Map(tags.map((tag, at) => [tag, Number(found[at]?.toString() ?? 0)]))
    const add = (tag: string, number: number): void => {
      counts.set(tag, (counts.get(tag) ?? 0) + number)
    }
    for (const change of changes) {
      for (const tag of JSON.parse(change.note?.toString() ?? '[]') as string[]) {
        add(tag, -1)
        ops.delete(entryKey(tag, change.key))
      }
      const now = tagsOf(change.document)
      for (const tag of now) {
        add(tag, 1)
        ops.put(entryKey(tag, change.key), Buffer.from(String(change.document?.['text'])))
      }
      ops.note(change, now.length === 0 ? undefined : Buffer.from(JSON.stringify(now)))
    }
    for (const [tag, count] of counts) {
      if (count === 0) ops.delete(countKey(tag))
      else ops.put(countKey(tag), Buffer.from(String(count)))
    }
  },
  async *query() {},
}

/** Documents as an index knows them: the newest form of each, by key. */
export class KnownDocuments {
  readonly #known: Map<number, { version: Version; document: Document | undefined }>

  constructor(known = new Map<number, { version: Version; document: Document | undefined }>()) {
    this.#known = known
  }

  tell(key: number, version: Version, document: Document | undefined): void {
    if ((this.#known.get(key)?.version ?? 0) < version) this.#known.set(key, { version, document })
  }

  clone(): KnownDocuments {
    return new KnownDocuments(new Map(this.#known))
  }

  /** Documents that are there, in the order of their keys, from there on. */
  after(key: number, count: number): { key: number; version: Version; document: Document }[] {
    const found: { key: number; version: Version; document: Document }[] = []
    for (const [at, { version, document }] of [...this.#known].sort(([a], [b]) => a - b)) {
      if (at > key && document !== undefined && found.length < count) {
        found.push({ key: at, version, document })
      }
    }
    return found
  }

  /** What the rows of the index must be, as texts. */
  rows(): string[] {
    const counts = new Map<string, number>()
    const entries: string[] = []
    for (const [key, { document }] of this.#known) {
      for (const tag of tagsOf(document)) {
        counts.set(tag, (counts.get(tag) ?? 0) + 1)
        entries.push(`${entryKey(tag, key)}=${document?.['text']}`)
      }
    }
    return [...[...counts].map(([tag, count]) => `${countKey(tag)}=${count}`), ...entries].sort()
  }
}

export function change(key: number, version: Version, document: Document | undefined): DocumentChange {
  return { keyBytes: encodeKey(key), version, document }
}

/** A name for where an index stands. */
export function standing(at: { position: number; build: BuildProgress }): string {
  return `${at.position} ${at.build.done ? 'done' : (at.build.after?.toString('hex') ?? 'begun')}`
}

/** All rows of the index, as texts. */
export async function readRows(store: IndexStore): Promise<string[]> {
  const rows = store.rows()
  try {
    return await textsOf(rows)
  } finally {
    await rows.close()
  }
}

export async function textsOf(rows: ReturnType<IndexStore['rows']>): Promise<string[]> {
  const texts: string[] = []
  for await (const page of rows.scan({}, 7)) for (const [key, value] of page) texts.push(`${key}=${value}`)
  return texts.sort()
}
