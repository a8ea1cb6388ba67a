/** An index type that counts: a row per document and tag, and for each tag how many documents have it. */
import { SillokError } from '../../src/base/errors.js'
import { type DocumentKey, decodeTuple, encodeTuple } from '../../src/base/tuple.js'
import type { DerivedIndex, IndexType } from '../../src/derived/contract.js'
import type { KnownDocuments } from '../../src/testing/index-subject.js'
import { byKey } from './index-subjects.js'

/** Which field has the tags. */
export interface TagConfig {
  readonly field: string
}

/** The tags of a document, as its note keeps them. */
export function tagsOf(document: Readonly<Record<string, unknown>> | undefined, field: string): string[] {
  const tags = document?.[field]
  return Array.isArray(tags) ? tags.filter(tag => typeof tag === 'string') : []
}

function invalid(message: string): SillokError {
  return new SillokError('INVALID', message)
}

/** The index over one field. */
export function tagIndexOf({ field }: TagConfig): DerivedIndex<string, string> {
  return {
    check({ document }) {
      const long = tagsOf(document, field).find(tag => tag.length > 900)
      if (long !== undefined) throw new SillokError('TOO_LARGE', `a tag of ${long.length} characters`)
    },
    async apply(changes, rows, ops) {
      const counts = new Map<string, number>()
      const add = (tag: string, more: number): void => void counts.set(tag, (counts.get(tag) ?? 0) + more)
      for (const change of changes) {
        const before = change.note === undefined ? [] : (JSON.parse(change.note.toString()) as string[])
        const now = tagsOf(change.document, field)
        for (const tag of before) {
          add(tag, -1)
          ops.delete(encodeTuple([tag, change.key]))
        }
        for (const tag of now) {
          add(tag, 1)
          ops.put(encodeTuple([tag, change.key]), Buffer.of())
        }
        ops.note(change, now.length === 0 ? undefined : Buffer.from(JSON.stringify(now)))
      }
      const names = [...counts.keys()]
      const found = await rows.getMany(names.map(tag => encodeTuple([tag])))
      for (const [n, tag] of names.entries()) {
        const count = Number(found[n]?.toString() ?? 0) + (counts.get(tag) ?? 0)
        if (count === 0) ops.delete(encodeTuple([tag]))
        else ops.put(encodeTuple([tag]), Buffer.from(`${count}`))
      }
    },
    async *query(tag, rows) {
      if (typeof tag !== 'string') throw invalid('a question is a tag')
      const begin = encodeTuple([tag])
      for await (const page of rows.scan({ gte: begin, lt: Buffer.concat([begin, Buffer.of(0xff)]) })) {
        yield page.map(([row, value]) => hitOf(row, value))
      }
    },
  }
}

function hitOf(row: Buffer, value: Buffer): string {
  const [tag, key] = decodeTuple(row)
  return key === undefined ? `${tag}: ${value}` : `${typeof key} ${key}`
}

/** The type. */
export const tagType: IndexType = {
  type: 'tags',
  version: 1,
  configure({ field, ...more }) {
    if (typeof field !== 'string') throw invalid('field: the name of a field')
    if (Object.keys(more).length > 0) throw invalid('a field is all there is to say')
    return { field }
  },
  open: config => tagIndexOf(config as TagConfig) as DerivedIndex,
}

/** What a question is answered with. */
export function tagAnswer(config: unknown, tag: unknown, documents: KnownDocuments): unknown[] {
  const { field } = config as TagConfig
  const keys: DocumentKey[] = []
  for (const [key, document] of documents) if (tagsOf(document, field).includes(String(tag))) keys.push(key)
  if (keys.length === 0) return []
  return [`${tag}: ${keys.length}`, ...keys.sort(byKey).map(key => `${typeof key} ${key}`)]
}
