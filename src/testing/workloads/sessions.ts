/**
 * Sessions that this library numbers: inserts of fresh keys, many at once, none of which may meet itself,
 * some behind one key of the session, so that their kept answers stand together; and holders of one name, of
 * whom the one before writes nothing once the next has begun.
 */
import { isSillokError } from '../../base/errors.js'
import type { Random } from '../../base/random.js'
import type { Collection } from '../../store/collection.js'
import type { Session } from '../../store/session.js'
import type { Store } from '../../store/store.js'
import type { Workload, WorldClient } from './workload.js'

const collection = 'sessions'

/** Refusals of numbers, which nobody meets who does not choose them. */
const neverSaid = ['ALREADY_ACKNOWLEDGED', 'SEQUENCE_REUSED', 'WINDOW_FULL']

/** A write of one holder of the name that was acknowledged. */
interface Held {
  readonly name: string
  readonly epoch: number
  readonly version: number
}

/** So many clients, each with a session of its own or one that it takes from another. */
export class Sessions implements Workload {
  readonly name = 'sessions'
  readonly clients: number
  readonly #held: Held[] = []
  readonly #inserted = new Set<string>()
  readonly #refused = new Set<string>()
  #keys = 0

  constructor({ clients = 3 } = {}) {
    this.clients = clients
  }

  define(store: Store): Promise<void> {
    return store.define(collection, { key: 'id' })
  }

  async client(world: WorldClient, _: number, random: Random): Promise<void> {
    while (!world.isOver()) {
      await world.pause(random.below(1000))
      const name = random.chance(0.5) ? undefined : `holder ${random.below(2)}`
      await world.ask(random, async store => {
        const session = await store.session(name === undefined ? {} : { name })
        const isStubborn = random.chance(0.5)
        const rounds = 1 + random.below(random.pick(isStubborn ? [20, 100] : [5, 20]))
        for (let done = 0; done < rounds && !world.isOver(); done++) {
          await world.pause(random.below(random.chance(0.1) ? 6000 : 400))
          await this.#write(session, name, random).catch((error: unknown) => {
            if (!isStubborn || !isSillokError(error) || error.retry === 'never') throw error
          })
        }
        if (name === undefined) await session.close()
      })
    }
  }

  async check(store: Store): Promise<number> {
    const there = new Set<unknown>()
    for await (const { id } of store.collection<{ id: string }>(collection).scan()) there.add(id)
    for (const key of this.#inserted)
      if (!there.has(key)) throw new Error(`${key} was acknowledged and is gone`)
    for (const key of this.#refused) if (there.has(key)) throw new Error(`${key} was refused and is there`)
    for (const name of new Set(this.#held.map(one => one.name))) {
      const own = this.#held.filter(one => one.name === name).sort((a, b) => a.version - b.version)
      own.forEach(({ epoch, version }, at) => {
        const before = own[at - 1]
        if (before !== undefined && before.epoch > epoch)
          throw new Error(`epoch ${epoch} of ${name} wrote ${version}, epoch ${before.epoch} before it`)
      })
    }
    return this.#inserted.size + this.#held.length
  }

  /** All at once: what is answered later does not hold up the others. */
  async #write(session: Session, name: string | undefined, random: Random): Promise<void> {
    const rows = session.collection(collection)
    const isTogether = random.chance(0.7)
    const writes = Array.from({ length: 1 + random.below(4) }, async () => {
      const id = `i${++this.#keys}`
      const first = { put: { id: `first ${session.id}` }, in: collection }
      const insert = (): Promise<unknown> =>
        isTogether ? session.batch([first, { insert: { id }, in: collection }]) : rows.insert({ id })
      await this.#insert(id, insert)
    })
    if (name !== undefined) writes.push(this.#hold(rows, name, session))
    const results = await Promise.allSettled(writes)
    const errors: unknown[] = results.flatMap(one => (one.status === 'rejected' ? [one.reason] : []))
    const error = errors.find(one => !isSillokError(one)) ?? errors[0]
    if (error !== undefined) throw error
  }

  async #insert(id: string, insert: () => Promise<unknown>): Promise<void> {
    try {
      await insert()
    } catch (error) {
      if (isSillokError(error, 'EXISTS')) throw new Error(`the insert of ${id} was executed twice`)
      if (isSillokError(error) && error.outcome === 'not-applied') this.#refused.add(id)
      const isWrong = isSillokError(error) && neverSaid.includes(error.code)
      throw isWrong ? new Error(`the library numbered the insert of ${id} wrongly: ${error.code}`) : error
    }
    this.#inserted.add(id)
  }

  async #hold(rows: Collection, name: string, { id, epoch }: Session): Promise<void> {
    const { version } = await rows.put({ id: name, epoch })
    this.#held.push({ name: `${name} ${id}`, epoch, version })
  }
}
