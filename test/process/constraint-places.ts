/** A constraint over all places that many of them violate, and its violations computed again. */
import type { Place } from '../../src/cli/demo/places.js'
import type { Store } from '../../src/index.js'
import { normalizer } from '../../src/machine/normalize.js'

export const placeConstraint = {
  key: 'id',
  unique: {
    place: { fields: ['country', 'admin1', 'admin2', 'name'], normalize: ['trim', 'nfc', 'fold'] },
  },
} as const

/** What is shared: values that several places have, and how many places have one of these. */
export interface Shared {
  readonly keys: number
  readonly rows: number
}

/** Compares the listed violations with the documents; throws at a difference. While nobody writes. */
export async function comparePlaces(store: Store): Promise<Shared> {
  const normal = normalizer(placeConstraint.unique.place.normalize)
  const places = new Map<string, string[]>()
  for await (const place of store.collection<Place>('places').scan()) {
    const { country, admin1, admin2, name, id } = place
    const values = [country, admin1, admin2, name].map(normal)
    if (values.some(value => value === null || value === undefined)) continue
    const text = JSON.stringify(values)
    places.set(text, [...(places.get(text) ?? []), id])
  }
  const sharing = new Map<string, Set<string>>()
  for (const ids of places.values()) {
    if (ids.length < 2) continue
    for (const id of ids) sharing.set(id, new Set(ids))
  }
  const listed = new Set<string>()
  const holders = new Set<string>()
  for (let after: string | undefined; ; ) {
    const page = await store.violations('places', 'place', { limit: 500, after })
    for (const { key, holder } of page.violations) {
      if (holder === undefined || sharing.get(String(key))?.has(String(holder)) !== true || key === holder)
        throw new Error(`${key} does not share its value with ${holder}`)
      listed.add(String(key))
      holders.add(String(holder))
    }
    after = page.after
    if (after === undefined) break
  }
  const shared = { keys: holders.size, rows: holders.size + listed.size }
  const keys = [...places.values()].filter(ids => ids.length > 1).length
  const { violations, values } = store.status().constraints.at(-1) ?? {}
  if (shared.rows !== sharing.size || shared.keys !== keys || violations !== listed.size || values !== keys) {
    throw new Error(`listed ${JSON.stringify(shared)}, there are ${keys} keys and ${sharing.size} rows`)
  }
  return shared
}
