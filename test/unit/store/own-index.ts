/**
 * An index type as a user writes one, from the public face alone: how many documents have each word in a
 * field, and which. A count is a row of its own, so this one reads rows; a note remembers the words of a
 * document.
 */
import type { IndexChange, IndexOps, IndexRows, IndexType } from '../../../src/index.js'
import { SillokError } from '../../../src/index.js'

export interface WordHit {
  readonly word: string
  readonly documents: number
}

const countOf = (word: string): Buffer => Buffer.from(`n${word}`)

function wordsOf(change: IndexChange, field: string): Set<string> {
  const text = change.document?.[field]
  return new Set(typeof text === 'string' ? text.split(' ').filter(word => word !== '') : [])
}

export const words: IndexType<{ readonly field: string }, { readonly from?: string }, WordHit> = {
  type: 'words',
  version: 1,
  configure({ field }) {
    if (typeof field === 'string') return { field }
    throw new SillokError('INVALID', 'words: field must name a field')
  },
  open: ({ field }) => ({
    async apply(changes: readonly IndexChange[], rows: IndexRows, ops: IndexOps) {
      const deltas = new Map<string, number>()
      for (const change of changes) {
        const before = new Set(change.note?.toString().split(' ') ?? [])
        const after = wordsOf(change, field)
        for (const word of before) if (!after.has(word)) deltas.set(word, (deltas.get(word) ?? 0) - 1)
        for (const word of after) if (!before.has(word)) deltas.set(word, (deltas.get(word) ?? 0) + 1)
        ops.note(change, after.size === 0 ? undefined : Buffer.from([...after].join(' ')))
      }
      const changed = [...deltas].filter(([, delta]) => delta !== 0)
      const counts = await rows.getMany(changed.map(([word]) => countOf(word)))
      for (const [i, [word, delta]] of changed.entries()) {
        const count = Number(counts[i]?.toString() ?? 0) + delta
        if (count === 0) ops.delete(countOf(word))
        else ops.put(countOf(word), Buffer.from(String(count)))
      }
    },
    async *query({ from = '' }, rows) {
      for await (const page of rows.scan({ gte: countOf(from), lt: Buffer.from('o') })) {
        yield page.map(([key, value]) => ({ word: key.toString().slice(1), documents: Number(value) }))
      }
    },
  }),
}
