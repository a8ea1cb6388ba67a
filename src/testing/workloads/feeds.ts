/**
 * Readers of the feed of changes, who go on at other nodes and stop in the middle of batches: each sees a
 * stretch of the log without a gap, in its order and nothing twice, and all see the same.
 */
import { isSillokError } from '../../base/errors.js'
import type { Random } from '../../base/random.js'
import type { Change } from '../../store/options.js'
import type { Store } from '../../store/store.js'
import type { Workload, WorldClient } from './workload.js'

const collection = 'followed'

/** A place in the log: store, entry, and number of the change in it. */
type Place = readonly [index: number, count: number]

/** What one reader saw without a break. */
interface Stretch {
  readonly places: Place[]
  /** Where to go on: the position of the last change, or where there was nothing yet. */
  from: string
}

/** So many readers, and so many who write batches of documents. */
export class Feeds implements Workload {
  readonly name = 'feeds'
  readonly clients: number
  readonly #readers: number
  readonly #keys: readonly string[]
  readonly #stretches: Stretch[] = []
  /** All changes that anybody saw, by their place, as texts. */
  readonly #seen = new Map<string, string>()
  /** Entries of writes that were acknowledged. */
  readonly #written = new Set<number>()

  constructor({ readers = 2, writers = 1, keys = 6 } = {}) {
    this.clients = readers + writers
    this.#readers = readers
    this.#keys = Array.from({ length: keys }, (_, number) => `f${number}`)
  }

  define(store: Store): Promise<void> {
    return store.define(collection, { key: 'id' })
  }

  async client(world: WorldClient, number: number, random: Random): Promise<void> {
    let stretch: Stretch | undefined
    while (!world.isOver()) {
      await world.pause(random.below(400))
      if (number >= this.#readers) await this.#write(world, random)
      else stretch = await this.#read(world, stretch, random)
    }
  }

  async check(): Promise<number> {
    const all = [...this.#seen.keys()].map(placeOf).sort(byPlace)
    for (const { places } of this.#stretches) this.#checkStretch(places, all)
    return this.#seen.size
  }

  async #write(world: WorldClient, random: Random): Promise<void> {
    const some = this.#keys.filter(() => random.chance(0.5))
    if (some.length === 0) return
    const steps = some.map(id =>
      random.chance(0.2)
        ? { delete: id, in: collection }
        : { put: { id, value: random.below(1000) }, in: collection },
    )
    const told = await world.ask(random, store => store.batch(steps))
    // An entry that only deletes what is not there may change nothing.
    if (told.how === 'answered' && steps.some(step => 'put' in step)) this.#written.add(told.value.version)
  }

  /** Reads on, or begins anew where the log has gone on without the reader. */
  async #read(world: WorldClient, known: Stretch | undefined, random: Random): Promise<Stretch | undefined> {
    const stretch = known ?? { places: [], from: random.pick(['now', 'start']) }
    if (known === undefined) this.#stretches.push(stretch)
    const most = random.pick([1, 5, 1000])
    const follow = random.chance(0.3)
    const stop = new AbortController()
    if (follow) void world.pause(random.below(2000)).then(() => stop.abort())
    let isOver = false
    const told = await world.ask(random, async store => {
      let left = most
      const { from } = stretch
      for await (const change of store.changes({ collection, from, follow, signal: stop.signal })) {
        if (isOver) return
        this.#take(stretch, change)
        if (--left === 0) return
      }
    })
    // A process that is gone says no more.
    isOver = true
    const isLost = told.how === 'refused' && isSillokError(told.error, 'LOG_TRUNCATED')
    return isLost || stretch.places.length === 0 ? undefined : stretch
  }

  #take(stretch: Stretch, { position, key, op, version, document }: Change): void {
    const [, index, count] = position.split('.')
    const place = [Number(index), Number(count)] as const
    const before = stretch.places.at(-1)
    if (before !== undefined && byPlace(before, place) >= 0)
      throw new Error(`a reader was told of ${place} behind ${before}`)
    const name = place.join('.')
    const what = `${op} ${String(key)} ${version} ${JSON.stringify(document)}`
    const other = this.#seen.get(name)
    if (other !== undefined && other !== what) throw new Error(`change ${name} is ${what}, and ${other}`)
    this.#seen.set(name, what)
    stretch.places.push(place)
    stretch.from = position
  }

  #checkStretch(places: readonly Place[], all: readonly Place[]): void {
    const [first] = places
    const last = places.at(-1)
    if (first === undefined || last === undefined) return
    const own = new Set(places.map(place => place.join('.')))
    const entries = new Set(places.map(([index]) => index))
    for (const place of all) {
      const isWithin = byPlace(first, place) <= 0 && byPlace(place, last) <= 0
      if (isWithin && !own.has(place.join('.')))
        throw new Error(`a reader was not told of change ${place.join('.')}, another one was`)
    }
    for (const index of this.#written) {
      if (index > first[0] && index < last[0] && !entries.has(index))
        throw new Error(`a reader was not told of entry ${index}, which was acknowledged`)
    }
  }
}

function placeOf(name: string): Place {
  const [index, count] = name.split('.').map(Number)
  return [index ?? 0, count ?? 0]
}

function byPlace(left: Place, right: Place): number {
  return left[0] - right[0] || left[1] - right[1]
}
