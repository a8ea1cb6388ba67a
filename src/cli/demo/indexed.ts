/** The demo's index: built from the places that are there, asked for a range, and everything verified. */
import type { Clock } from '../../env/clock.js'
import type { Store } from '../../store/store.js'
import type { Claims } from './claims.js'
import { type Place, placesDefinition } from './places.js'

const indexes = { byName: { type: 'secondary', fields: ['country', 'name'] } } as const
const range = { country: 'KR', from: 'S', to: 'T' } as const

/** What the index cost. */
export interface IndexFigures {
  readonly buildMs: number
  readonly documents: number
}

/** Builds the index and compares a range of it with the input, less the rejected rows. */
export async function checkIndex(
  store: Store,
  clock: Clock,
  places: readonly Place[],
  rejected: readonly number[],
  claims: Claims,
): Promise<IndexFigures> {
  const startMs = clock.monotonicMs()
  await store.define('places', { ...placesDefinition, indexes })
  const own = store.collection<Place>('places')
  // Waits until the index is there.
  for await (const _ of own.find('byName', { limit: 1 }));
  const buildMs = clock.monotonicMs() - startMs
  const isRejected = new Set(rejected)
  const expected = places
    .filter((_, i) => !isRejected.has(i + 1))
    .filter(({ country, name }) => country === range.country && name >= range.from && name < range.to)
    .sort((one, two) => order(one.name, two.name) || order(one.id, two.id))
  const found: Place[] = []
  const query = { eq: [range.country], gte: range.from, lt: range.to }
  for await (const place of own.find('byName', query)) found.push(place)
  const ids = (list: readonly Place[]): string => list.map(({ id }) => id).join(' ')
  const what = `places of ${range.country} from ${range.from} to ${range.to}, by name`
  claims.equal(what, found.length, expected.length)
  claims.equal('they are these, in this order', ids(found) === ids(expected), true)
  return { buildMs, documents: places.length - rejected.length }
}

/** Reads every byte of the closed store. */
export async function checkSound(folder: string, claims: Claims): Promise<void> {
  const { verifyFolder } = await import('../verify-folder.js')
  const { faults } = await verifyFolder(folder)
  claims.equal('faults that verify finds in the closed store', faults.length, 0)
}

/** By code points: the names of the range have none beyond U+FFFF. */
function order(one: string, two: string): number {
  return one < two ? -1 : one > two ? 1 : 0
}
