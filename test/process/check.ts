/** Compares an opened store with everything that the parent knows of it, document by document. */
import { isDeepStrictEqual } from 'node:util'
import type { Store } from '../../src/store/store.js'
import { type Item, itemOf, normalTag, type Row, rowOf } from './items.js'
import type { Expected } from './model.js'
import type { Change, Line, Unknown } from './protocol.js'

type Seen = { readonly document: Item; readonly version: number } | undefined

/** Told of each unanswered write what became of it. */
export type Resolved = (line: Extract<Line, { type: 'resolved' }>) => void

/** Throws at the first thing that is wrong. */
export async function checkStore(store: Store, expected: Expected, resolved: Resolved): Promise<void> {
  const known = new Map(expected.items.map(([key, write, version]) => [key, { write, version }]))
  for (const unknown of expected.unknown) await resolve(store, unknown, known, resolved)
  for (const [key, { write, version }] of known) {
    const seen = await readItem(store, key)
    if (seen === undefined) throw new Error(`${key} is lost: write ${write}, version ${version}`)
    if (seen.document.write !== write || seen.version !== version) {
      const found = `write ${seen.document.write}, version ${seen.version}`
      throw new Error(`${key} should be write ${write}, version ${version}, and is ${found}`)
    }
  }
  await checkScan(store, known)
  await checkRows(store, expected)
  const slots = await store.scrub()
  if (slots.length > 0) throw new Error(`digests of slots ${slots.join(', ')} do not fit the rows`)
}

/** The document as it is stored; throws if it is not one that its own write made. */
async function readItem(store: Store, key: string): Promise<Seen> {
  const seen = await store.collection<Item>('items').getVersioned(key)
  if (seen !== undefined && !isDeepStrictEqual(seen.document, itemOf(key, seen.document.write))) {
    throw new Error(`${key} holds what nobody wrote: ${JSON.stringify(seen).slice(0, 300)}`)
  }
  return seen
}

/** A write without an answer is there whole, under one version, or not at all. */
async function resolve(
  store: Store,
  { operation, changes }: Unknown,
  known: Map<string, { write: number; version: number }>,
  resolved: Resolved,
): Promise<void> {
  let applied: boolean | undefined
  let version: number | undefined
  for (const [key, write] of changes) {
    const seen = await readItem(store, key)
    const before = known.get(key)
    const isNew = (seen?.document.write ?? null) === write
    const isOld = seen?.document.write === before?.write && seen?.version === before?.version
    if (isNew && isOld) continue
    if (!isNew && !isOld) throw new Error(`${key} is neither as before nor as after write ${operation}`)
    if (applied !== undefined && applied !== isNew) {
      throw new Error(`write ${operation} is there in part: ${JSON.stringify(changes)}`)
    }
    applied = isNew
    if (isNew && seen !== undefined) {
      if (version !== undefined && version !== seen.version)
        throw new Error(`write ${operation} has two versions`)
      version = seen.version
    }
  }
  if (applied === true) take(known, changes, version ?? 0)
  resolved({ type: 'resolved', operation, version, applied: applied === true })
}

function take(
  known: Map<string, { write: number; version: number }>,
  changes: readonly Change[],
  version: number,
): void {
  for (const [key, write] of changes) {
    if (write === null) known.delete(key)
    else known.set(key, { write, version })
  }
}

/** A scan shows the same documents and no other; each unique value has one holder, who is found by it. */
async function checkScan(store: Store, known: ReadonlyMap<string, { write: number }>): Promise<void> {
  const items = store.collection<Item>('items')
  const holders = new Map<string, string>()
  let count = 0
  for await (const { id, tag, write } of items.scan()) {
    count += 1
    if (known.get(id)?.write !== write) throw new Error(`a scan shows ${id} as write ${write}`)
    const other = holders.get(normalTag(tag))
    if (other !== undefined) throw new Error(`${other} and ${id} both hold ${tag}`)
    holders.set(normalTag(tag), id)
  }
  if (count !== known.size) throw new Error(`a scan shows ${count} documents, there are ${known.size}`)
  await Promise.all(
    [...holders].map(async ([tag, id]) => {
      const found = await items.getBy('tag', tag.toUpperCase())
      if (found?.id !== id) throw new Error(`${tag} is held by ${id}, its claim names ${found?.id}`)
    }),
  )
}

/** An answered row is there under its version, or was refused and is not; one never sent is not. */
async function checkRows(store: Store, { rows }: Expected): Promise<void> {
  const answers = new Map(rows.answers)
  const missing = new Set(rows.answers.filter(([, answer]) => typeof answer === 'number').map(([row]) => row))
  const collection = store.collection<Row>('rows')
  const found: number[] = []
  for await (const document of collection.scan()) {
    const row = Number(document.id.slice(1))
    if (!isDeepStrictEqual(document, rowOf(row))) throw new Error(`row ${row} is ${JSON.stringify(document)}`)
    if (row > rows.highest) throw new Error(`row ${row} was never sent`)
    if (typeof answers.get(row) === 'string')
      throw new Error(`row ${row} is there; ${answers.get(row)} was the answer`)
    missing.delete(row)
    found.push(row)
  }
  if (missing.size > 0) throw new Error(`rows ${[...missing].slice(0, 10).join(', ')} are lost`)
  const versions = await Promise.all(found.map(row => collection.getVersioned(`r${row}`)))
  for (const [at, row] of found.entries()) {
    const answer = answers.get(row)
    const version = versions[at]?.version
    if (answer !== undefined && answer !== version) {
      throw new Error(`row ${row} was answered ${answer}, and has version ${version}`)
    }
  }
}
