/** What is looked up in the imported store, and compared with the input itself. */
import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { isSillokError } from '../../base/errors.js'
import { slotCount } from '../../base/ids.js'
import type { Clock } from '../../env/clock.js'
import { systemRandom } from '../../env/system-random.js'
import type { Store } from '../../store/store.js'
import { type LoadResult, runLoad } from '../bench/closed-loop.js'
import { prepare } from '../bench/workloads.js'
import type { Claims } from './claims.js'
import { expectedPlaces, type Place } from './places.js'

/**
 * Digests of all documents, claims and kept replies, with their versions. What the partition keeps for itself
 * is left out: it notes each process that resumes the session.
 */
export function slotDigests(store: Store): string {
  const hexDigitsPerSlot = 16
  return store.digest().slice(0, slotCount * hexDigitsPerSlot)
}

/** Rows that the report names as rejected. */
export async function reportedRows(report: string): Promise<number[]> {
  const lines = (await readFile(report, 'utf8')).split('\n').filter(line => line !== '')
  return lines.map(line => (JSON.parse(line) as { row: number }).row)
}

/** Every row is either a document that equals it, or in the report; never both, never neither. */
export async function checkDocuments(
  store: Store,
  places: readonly Place[],
  rejected: readonly number[],
  claims: Claims,
) {
  const isRejected = new Set(rejected)
  let [kept, wrong, next] = [0, 0, 0]
  for await (const document of store.collection<Place>('places').scan()) {
    while (isRejected.has(next + 1)) next++
    if (JSON.stringify(document) !== JSON.stringify(places[next])) wrong++
    kept++
    next++
  }
  claims.equal('documents kept', kept, expectedPlaces.kept)
  claims.equal('rows rejected, each once in the report', isRejected.size, expectedPlaces.rejected)
  claims.equal('lines of the report', rejected.length, expectedPlaces.rejected)
  claims.equal('documents that differ from their row', wrong, 0)
}

/** Looks a place up however it is spelt, and tries to add it again. */
export async function checkUnique(store: Store, places: readonly Place[], claims: Claims): Promise<void> {
  const collection = store.collection<Place>('places')
  const seoul = places.find(({ name, country }) => name === 'Seoul' && country === 'KR')
  if (seoul === undefined) {
    claims.equal('Seoul is among the places', false, true)
    return
  }
  const { country, admin1, admin2 } = seoul
  const found = await collection.getBy('place', [country, admin1, admin2, '  SEOUL '])
  claims.equal(`getBy place [${country}, ${admin1}, ${admin2 || "''"}, '  SEOUL ']`, found?.id, seoul.id)
  const taken = await collection.insert({ ...seoul, id: '999999', name: 'SEOUL' }).then(
    () => 'inserted',
    (error: unknown) =>
      isSillokError(error) ? `${error.code}, held by ${String(error.details['holder'])}` : 'failed',
  )
  claims.equal('insert SEOUL again', taken, `UNIQUE_TAKEN, held by ${seoul.id}`)
}

/** Reads a hundred keys by their common beginning. */
export async function checkPrefix(store: Store, rejected: readonly number[], claims: Claims): Promise<void> {
  const prefix = '1234'
  const missing = rejected.filter(row => String(row).padStart(6, '0').startsWith(prefix)).length
  let [count, last, inOrder] = [0, '', true]
  for await (const { id } of store.collection<Place>('places').scan({ prefix })) {
    inOrder &&= id > last && id.startsWith(prefix)
    last = id
    count++
  }
  claims.equal(`scan of the keys ${prefix}…, in order`, inOrder ? count : 'out of order', 100 - missing)
}

/** Durable writes, one at a time, for about two seconds. */
export async function measureWrites(store: Store, clock: Clock): Promise<LoadResult> {
  const options = { store, random: systemRandom(), valueBytes: 256, keyspace: 0, filled: () => {} }
  const operation = await prepare('put', options)
  return runLoad({ clock, concurrency: 1, durationMs: 2000, warmUpMs: 300, operation })
}

/** Lengths of all files in the folder. */
export async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names
    .filter(name => name.isFile())
    .map(name => path.join(name.parentPath ?? name.path, name.name))
  const sizes = await Promise.all(files.map(async file => (await stat(file)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** Digest of a file's bytes. */
export async function digestOf(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
}
