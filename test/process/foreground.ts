/**
 * What a build costs those who write meanwhile: those who write as fast as they can, by their writes a
 * second, and those who write a thousand times a second, by how long a write takes.
 */
import { type Place, readPlaces } from '../../src/cli/demo/places.js'
import { open, type Store } from '../../src/index.js'

/** Writers, each with one write in flight. */
const writers = 64
/** How long it is measured without a build. */
const restMs = 4000
/** One who does not write as fast as it can: so many writes every so many milliseconds. */
const paced = { writes: 5, everyMs: 5 }

/** Writes per second; `ratio` is of the last two, which do the same work. */
export interface Rates {
  readonly before: number
  readonly building: number
  readonly after: number
  readonly ratio: number
}

/** Milliseconds of a write, and how many were done in a second. */
export interface Latency {
  readonly median: number
  readonly p95: number
  readonly perSecond: number
}

/** Both ways to write. */
export interface Foreground {
  readonly writesPerSecond: Rates
  readonly paced: { readonly before: Latency; readonly building: Latency; readonly after: Latency }
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

/** Before, beside and after a build, twice; `build` resolves when it is built. */
export async function measureForeground(
  folder: string,
  build: (store: Store) => Promise<unknown>,
): Promise<Foreground> {
  const store = await open({ dir: folder })
  const all: Place[] = []
  for await (const place of store.collection<Place>('places').scan()) all.push(place)
  const pacedWrites = await measurePaced(store, all, build)
  await dropAll(store)
  const writesPerSecond = await measureRates(store, all, build)
  await dropAll(store)
  await store.close()
  return { writesPerSecond, paced: pacedWrites }
}

const rest = (): Promise<unknown> => new Promise(resolve => setTimeout(resolve, restMs))

/** Writers replace documents by equal ones, each as soon as its last write is answered. */
async function measureRates(
  store: Store,
  all: readonly Place[],
  build: (store: Store) => Promise<unknown>,
): Promise<Rates> {
  const places = store.collection<Place>('places')
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
  const before = await rate(rest())
  const building = await rate(build(store))
  const after = await rate(rest())
  isOver = true
  await Promise.all(run)
  return { before, building, after, ratio: Number((building / after).toFixed(2)) }
}

/** Writes that come when they are due, however long those before take. */
async function measurePaced(
  store: Store,
  all: readonly Place[],
  build: (store: Store) => Promise<unknown>,
): Promise<Foreground['paced']> {
  const places = store.collection<Place>('places')
  let tookMs: number[] = []
  const failures: unknown[] = []
  let sent = 0
  const beganMs = performance.now()
  const timer = setInterval(() => {
    const due = ((performance.now() - beganMs) * paced.writes) / paced.everyMs
    while (sent < due) {
      const place = all[(sent++ * 7919) % all.length]
      const sentMs = performance.now()
      if (place === undefined) continue
      places.put(place).then(
        () => tookMs.push(performance.now() - sentMs),
        (error: unknown) => failures.push(error),
      )
    }
  }, paced.everyMs)
  const latency = async (until: Promise<unknown>): Promise<Latency> => {
    tookMs = []
    const fromMs = performance.now()
    await until
    const seconds = (performance.now() - fromMs) / 1000
    const sorted = tookMs.sort((a, b) => a - b)
    const at = (share: number): number => Number((sorted[Math.floor(share * sorted.length)] ?? 0).toFixed(2))
    return { median: at(0.5), p95: at(0.95), perSecond: Math.round(sorted.length / seconds) }
  }
  await rest()
  const before = await latency(rest())
  const building = await latency(build(store))
  const after = await latency(rest())
  clearInterval(timer)
  if (failures.length > 0) throw new Error(`${failures.length} writes failed`, { cause: failures[0] })
  return { before, building, after }
}
