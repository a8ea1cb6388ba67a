/** Compares secondary indexes with what they must be: a function of the documents of the same moment. */
import { isDeepStrictEqual } from 'node:util'
import type { Store } from '../src/store/store.js'

/** Indexes by name, over fields that hold text or numbers, or are missing. */
export type TextIndexes = Readonly<Record<string, { readonly fields: readonly string[] }>>

type Keyed = Readonly<Record<string, unknown>> & { readonly id: string }

/** Missing stands before numbers, numbers before text, text by its bytes. */
function compareValues(one: unknown, two: unknown): number {
  const ranks = [one, two].map(value => (value === undefined ? 0 : typeof value === 'number' ? 1 : 2))
  if (ranks[0] !== ranks[1]) return (ranks[0] ?? 0) - (ranks[1] ?? 0)
  if (typeof one === 'number') return one - (two as number)
  return Buffer.compare(Buffer.from(String(one)), Buffer.from(String(two)))
}

function order(fields: readonly string[]): (one: Keyed, two: Keyed) => number {
  return (one, two) => {
    for (const field of [...fields, 'id']) {
      const by = compareValues(one[field], two[field])
      if (by !== 0) return by
    }
    return 0
  }
}

/** Throws at the first difference. While nobody writes. */
export async function checkIndexes(store: Store, collection: string, indexes: TextIndexes): Promise<void> {
  const documents = new Map<string, Keyed>()
  for await (const document of store.collection<Keyed>(collection).scan())
    documents.set(document.id, document)
  for (const [name, { fields }] of Object.entries(indexes)) {
    const expected = [...documents.values()].sort(order(fields)).map(({ id }) => id)
    const found: string[] = []
    for await (const document of store.collection<Keyed>(collection).find(name)) {
      if (!isDeepStrictEqual(documents.get(document.id), document)) {
        throw new Error(`${name} shows ${JSON.stringify(document).slice(0, 300)}`)
      }
      found.push(document.id)
    }
    const at = expected.findIndex((id, i) => id !== found[i])
    if (at >= 0 || found.length !== expected.length) {
      const wrong = `at ${at} of ${expected.length}: ${found[at]}, it should be ${expected[at]}`
      throw new Error(`${name} has ${found.length} documents, wrong ${wrong}`)
    }
  }
}
