/** Types of index that break one law each. */
import type { DerivedIndex, IndexOps, IndexType } from '../../src/derived/contract.js'
import { type TagConfig, tagIndexOf, tagsOf, tagType } from './tag-type.js'

type TagIndex = DerivedIndex<string, string>

/** The type of tags, with something else in its index. */
const ofIndex = (change: (right: TagIndex, config: TagConfig) => Partial<TagIndex>): IndexType => ({
  ...tagType,
  open(config) {
    const right = tagIndexOf(config as TagConfig)
    return { ...right, ...change(right, config as TagConfig) } as DerivedIndex
  },
})

/** The same, with another value in the rows of documents. */
const ofValues = (value: () => unknown): IndexType =>
  ofIndex(right => ({
    apply: (changes, rows, ops) => right.apply(changes, rows, valued(ops, value)),
  }))

function valued(ops: IndexOps, value: () => unknown): IndexOps {
  return {
    put: (key, given) => ops.put(key, given.length > 0 ? given : Buffer.from(`${value()}`)),
    delete: key => ops.delete(key),
    note: (change, note) => ops.note(change, note),
  }
}

/** Counts in memory what it should count in its rows. */
const countsInMemory = ofIndex((right, { field }) => {
  const seen = new Map<string, number>()
  return {
    async apply(changes, rows, ops) {
      for (const { document } of changes)
        for (const tag of tagsOf(document, field)) seen.set(tag, (seen.get(tag) ?? 0) + 1)
      const total = [...seen.values()].reduce((sum, count) => sum + count, 0)
      await right.apply(changes, rows, ops)
      ops.put(Buffer.from('total'), Buffer.from(`${total}`))
    },
  }
})

/** By the title of the law that must find them. */
export const indexMutants: Readonly<Record<string, readonly IndexType[]>> = {
  'a configuration is plain values, and its normal form gives itself': [
    { ...tagType, configure: ({ field }) => ({ field: `${field} ` }) },
    { ...tagType, configure: ({ field }) => ({ field, more: undefined }) },
  ],
  'a wrong definition and a wrong question are INVALID': [
    { ...tagType, configure: ({ field = 'tags' }) => ({ field: String(field) }) },
    ofIndex(right => ({ query: (tag, rows) => right.query(String(tag), rows) })),
  ],
  'the same changes over the same rows give the same operations, at any time and place': [
    ofValues(() => Date.now()),
    ofValues(() => new Date()),
    ofValues(() => new Date(0).getHours()),
    ofValues(() => Math.random()),
    ofValues(() => performance.now()),
    ofValues(() => 'a'.localeCompare('B')),
    ofValues(() => new Intl.NumberFormat('de').format(1000)),
    ofValues(() => (1000).toLocaleString()),
  ],
  'an index keeps nothing from one call to the next that changes what it does': [countsInMemory],
  'changes stay as they were given': [
    ofIndex((right, { field }) => ({
      apply(changes, rows, ops) {
        for (const { document } of changes) if (Array.isArray(document?.[field])) document[field].push('more')
        return right.apply(changes, rows, ops)
      },
    })),
  ],
  'equal positions mean equal rows, whatever batches the changes came in': [
    ofIndex(right => ({
      apply: (changes, rows, ops) =>
        right.apply(
          changes,
          rows,
          valued(ops, () => changes.length),
        ),
    })),
  ],
  'built from the documents of any moment, with changes meanwhile, it is as if told of all': [
    ofIndex(right => ({
      async apply(changes, rows, ops) {
        // How many there were when it came.
        let count = 0
        for await (const page of rows.scan({})) count += page.length
        await right.apply(
          changes,
          rows,
          valued(ops, () => count),
        )
      },
    })),
  ],
  'a document that is written again as it is changes no row': [
    ofIndex(right => ({
      async apply(changes, rows, ops) {
        await right.apply(changes, rows, ops)
        const [had] = await rows.getMany([Buffer.from('writes')])
        ops.put(Buffer.from('writes'), Buffer.from(`${Number(had ?? 0) + changes.length}`))
      },
    })),
  ],
  'what a document added goes with it: when all are gone nothing is left': [
    ofIndex(right => ({
      apply: (changes, rows, ops) =>
        right.apply(
          changes.filter(({ document }) => document !== undefined),
          rows,
          ops,
        ),
    })),
  ],
  'rows and configuration survive a restart between any two batches': [countsInMemory],
  'answers are those of a reading of all documents': [
    ofIndex(right => ({
      async *query(tag, rows) {
        const hits: string[] = []
        for await (const page of right.query(tag, rows)) hits.push(...page)
        yield hits.slice(0, 3)
      },
    })),
  ],
  'answers do not depend on batches, nor on the pages in which rows come': [
    ofIndex(right => ({
      async *query(tag, rows) {
        for await (const page of right.query(tag, rows)) {
          yield page
          return
        }
      },
    })),
  ],
  'a document that fails its batch is parked alone, and is taken once it can be': [countsInMemory],
  'what check lets pass is taken, and what cannot be taken harms no other document': [
    ofIndex(() => ({ check: () => {} })),
    ofIndex(() => ({
      check() {
        throw new Error('no code')
      },
    })),
  ],
}
