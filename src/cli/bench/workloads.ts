/**
 * What a benchmark does to a store: one operation each, on keys and values made beforehand as far as
 * possible, so that what is measured is the store.
 */
import type { Random } from '../../base/random.js'
import type { Collection } from '../../store/collection.js'
import type { InsertResult } from '../../store/insert-many.js'
import type { Store } from '../../store/store.js'

/** The workloads, by name. */
export const workloadNames = ['put', 'insert-unique', 'get', 'overwrite'] as const

/** One of the workloads. */
export type WorkloadName = (typeof workloadNames)[number]

/** What a workload needs. */
export interface WorkloadOptions {
  readonly store: Store
  readonly random: Random
  /** Characters of the value in a document. */
  readonly valueBytes: number
  /** Documents that `get` and `overwrite` choose from. */
  readonly keyspace: number
  /** The documents are there from an earlier call. */
  readonly isFilled?: boolean
  /** Told of documents that were filled in before the run. */
  readonly filled: (count: number) => void
}

/** Documents that one step of the filling inserts. */
const fillStep = 10_000

/** Random text that values are cut from: making each anew would cost more than storing it. */
const poolBytes = 1024 * 1024

/** Makes ready what the workload works on, and answers the operation to be measured. */
export async function prepare(name: WorkloadName, options: WorkloadOptions): Promise<() => Promise<unknown>> {
  const { store, random, keyspace } = options
  const value = values(random, options.valueBytes)
  if (name === 'put' || name === 'insert-unique') {
    const collection = await freshCollection(store, name)
    let next = 0
    if (name === 'put') return () => collection.put({ id: keyOf(next++), value: value() })
    return () => {
      const id = keyOf(next++)
      return collection.insert({ id, email: `${id}@example.com`, value: value() })
    }
  }
  const collection = await freshCollection(store, 'filled')
  if (options.isFilled !== true) await fill(collection, keyspace, value, options.filled)
  if (name === 'get') return () => collection.get(keyOf(random.below(keyspace)))
  return () => collection.put({ id: keyOf(random.below(keyspace)), value: value() })
}

async function freshCollection(store: Store, name: string): Promise<Collection> {
  const unique = name === 'insert-unique' ? { email: { fields: ['email'] } } : {}
  await store.define(name, { key: 'id', unique })
  return store.collection(name)
}

/** Keys of one length, so that every document weighs the same. */
function keyOf(number: number): string {
  return `k${String(number).padStart(11, '0')}`
}

function values(random: Random, bytes: number): () => string {
  const pool = random.bytes(Math.ceil(Math.max(poolBytes, bytes * 2) * 0.75)).toString('base64')
  const last = pool.length - bytes
  let at = 0
  return () => {
    at = (at + 7919) % last
    return pool.slice(at, at + bytes)
  }
}

async function fill(
  collection: Collection,
  count: number,
  value: () => string,
  filled: (count: number) => void,
): Promise<void> {
  for (let from = 0; from < count; from += fillStep) {
    const length = Math.min(fillStep, count - from)
    const documents = Array.from({ length }, (_, i) => ({ id: keyOf(from + i), value: value() }))
    const results = await collection.insertMany(documents)
    const refused = results.find((result): result is InsertResult & { ok: false } => !result.ok)
    if (refused !== undefined) throw refused.error
    filled(length)
  }
}
