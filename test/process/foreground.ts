/** What a build costs those who write as fast as they can: their writes before, beside and after it. */
import { type Place, readPlaces } from '../../src/cli/demo/places.js'
import { open, type Store } from '../../src/index.js'

/** Writers, each with one write in flight. */
const writers = 64
/** How long the rates without a build are measured. */
const restMs = 4000

/** Writes per second; `ratio` is of the last two, which do the same work. */
export interface Foreground {
  readonly before: number
  readonly building: number
  readonly after: number
  readonly ratio: number
}

/** A folder with all places and no constraint or index: resolves to their number. */
export async function fillPlaces(folder: string): Promise<number> {
  const places = await readPlaces()
  const store = await open({ dir: folder })
  await store.define('places', { key: 'id' })
  await store.collection('places').insertMany(places)
  await store.close()
  return places.length
}

/** Drops what was built, and resolves to the milliseconds that it took. */
export async function dropAll(store: Store): Promise<number> {
  const beganMs = performance.now()
  await store.define('places', { key: 'id' }, { drop: true })
  while (store.status().constraints.length > 0) await new Promise(resolve => setTimeout(resolve, 5))
  return performance.now() - beganMs
}

/** Writers replace documents by equal ones while `build` runs, which resolves when it is built. */
export async function measureForeground(
  folder: string,
  build: (store: Store) => Promise<unknown>,
): Promise<Foreground> {
  const store = await open({ dir: folder })
  const places = store.collection<Place>('places')
  const all: Place[] = []
  for await (const place of places.scan()) all.push(place)
  let writes = 0
  let isOver = false
  const run = Array.from({ length: writers }, async (_, writer) => {
    for (let at = writer; !isOver; at += 7919) {
      const place = all[at % all.length]
      if (place !== undefined) await places.put(place)
      writes += 1
    }
  })
  const rate = async (until: Promise<unknown>): Promise<number> => {
    const [before, beganMs] = [writes, performance.now()]
    await until
    return Math.round(((writes - before) * 1000) / (performance.now() - beganMs))
  }
  const rest = (): Promise<unknown> => new Promise(resolve => setTimeout(resolve, restMs))
  const before = await rate(rest())
  const building = await rate(build(store))
  const after = await rate(rest())
  isOver = true
  await Promise.all(run)
  await dropAll(store)
  await store.close()
  return { before, building, after, ratio: Number((building / after).toFixed(2)) }
}
