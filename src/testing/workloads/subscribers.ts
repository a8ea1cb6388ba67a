/**
 * Holders of one named feed, who take it from each other: what was acknowledged is never told again, what was
 * not is told to whoever comes next, and who lost the feed acknowledges no more.
 */
import { isSillokError } from '../../base/errors.js'
import type { Random } from '../../base/random.js'
import type { Store } from '../../store/store.js'
import type { Workload, WorldClient } from './workload.js'

const collection = 'notified'

/** A place in the log as one number. */
type Place = number

/** What one holder was told, from when it took the feed. */
interface Holding {
  readonly feed: string
  /** Acknowledged for certain when it began. */
  readonly certain: Place
  readonly told: Place[]
}

/** What is known of one feed. */
interface Known {
  /** The furthest place that was acknowledged for certain. */
  certain: Place
  /** The furthest that somebody tried to acknowledge. */
  perhaps: Place
  /** When the newest of those began who were told something by it. */
  newest: number
}

/** So many who take the feed, beside one who writes. */
export class Subscribers implements Workload {
  readonly name = 'subscribers'
  readonly clients: number
  readonly #holdings: { readonly holding: Holding; readonly perhaps: Place }[] = []
  readonly #feeds = new Map<string, Known>()
  readonly #seen = new Set<Place>()
  #feed = 0
  #written = 0
  #steps = 0

  constructor({ holders = 2 } = {}) {
    this.clients = holders + 1
  }

  define(store: Store): Promise<void> {
    return store.define(collection, { key: 'id' })
  }

  async client(world: WorldClient, number: number, random: Random): Promise<void> {
    while (!world.isOver()) {
      await world.pause(random.below(number === 0 ? 300 : 1000))
      if (number === 0) await this.#write(world, random)
      else await this.#hold(world, random)
    }
  }

  async check(): Promise<number> {
    const all = [...this.#seen].sort((a, b) => a - b)
    for (const { holding, perhaps } of this.#holdings) {
      const own = new Set(holding.told)
      const last = holding.told.at(-1) ?? 0
      // What nobody may have acknowledged before it ended was told to it, up to the last.
      const first = perhaps > 0 ? perhaps : (holding.told[0] ?? 0)
      const missed = all.find(place => place > first && place < last && !own.has(place))
      if (missed !== undefined) throw new Error(`${holding.feed} passed over change ${textOf(missed)}`)
    }
    return all.length
  }

  async #write(world: WorldClient, random: Random): Promise<void> {
    const steps = Array.from({ length: 1 + random.below(4) }, () => ({
      put: { id: `n${++this.#written}` },
      in: collection,
    }))
    await world.ask(random, store => store.batch(steps))
  }

  /** Takes the feed, reads some, acknowledges some. One that the log went on without gets another name. */
  async #hold(world: WorldClient, random: Random): Promise<void> {
    const feed = `feed ${this.#feed}`
    const known = this.#feeds.get(feed) ?? { certain: 0, perhaps: 0, newest: 0 }
    this.#feeds.set(feed, known)
    const holding: Holding = { feed, certain: known.certain, told: [] }
    const before = { perhaps: known.perhaps }
    let isOver = false
    const told = await world.ask(random, async store => {
      const began = ++this.#steps
      const changes = store.changes({ collection, name: feed, from: 'start', follow: false })
      let held: number | undefined
      let first: string | undefined
      let left = random.pick([3, 20])
      for await (const { position } of changes) {
        if (isOver) return
        const place = placeOf(position)
        this.#take(holding, place)
        held ??= ++this.#steps
        known.newest = Math.max(known.newest, began)
        if (random.chance(0.3))
          await this.#acknowledge(known, held, place, () => changes.acknowledge(position))
        // A late copy of an older one changes nothing.
        first ??= position
        known.perhaps = Math.max(known.perhaps, placeOf(first))
        if (random.chance(0.1)) await changes.acknowledge(first)
        if (--left === 0 || isOver) return
      }
    })
    isOver = true
    // Others may have acknowledged what they were told meanwhile: it is not told to this one.
    this.#holdings.push({ holding, perhaps: Math.max(before.perhaps, known.perhaps) })
    if (told.how === 'refused' && isSillokError(told.error, 'LOG_TRUNCATED') && `feed ${this.#feed}` === feed)
      this.#feed += 1
  }

  #take({ feed, certain, told }: Holding, place: Place): void {
    if (place <= certain)
      throw new Error(`${feed} told of ${textOf(place)}, acknowledged up to ${textOf(certain)}`)
    const last = told.at(-1) ?? 0
    if (place <= last) throw new Error(`${feed} told of ${textOf(place)} behind ${textOf(last)}`)
    told.push(place)
    this.#seen.add(place)
  }

  /** Who held it before another one began to take it, and was told of it, has lost it. */
  async #acknowledge(known: Known, held: number, place: Place, call: () => Promise<void>): Promise<void> {
    const isOld = held < known.newest
    known.perhaps = Math.max(known.perhaps, place)
    await call()
    if (isOld) throw new Error(`who had lost a feed acknowledged ${textOf(place)}`)
    known.certain = Math.max(known.certain, place)
  }
}

const countMax = 1000

function placeOf(position: string): Place {
  const [, index, count] = position.split('.').map(Number)
  return (index ?? 0) * countMax + (count ?? 0)
}

function textOf(place: Place): string {
  return `${Math.floor(place / countMax)}.${place % countMax}`
}
