/** Documents that many clients write, swap, delete and read at once: one order explains all of it. */
import type { Random } from '../../base/random.js'
import type { Versioned } from '../../store/options.js'
import type { Store } from '../../store/store.js'
import { checkLinearizability } from '../linearizability.js'
import { register } from '../models.js'
import { HistoryRecorder, type Pending } from '../recorder.js'
import { checkSessionOrder } from '../session-order.js'
import { isRefused, mustHold, settle, type Workload, type WorldClient } from './workload.js'

const collection = 'registers'

type Document = { readonly id: string; readonly value: number }

/** So many keys, under so many clients. */
export class Registers implements Workload {
  readonly name = 'registers'
  readonly clients: number
  readonly #keys: readonly string[]
  readonly #recorder: HistoryRecorder
  /** Keys and values that somebody wanted to write. */
  readonly #written = new Set<string>()
  #values = 0

  constructor(nowNs: () => number, { keys = 4, clients = 5 } = {}) {
    this.clients = clients
    this.#keys = Array.from({ length: keys }, (_, number) => `k${number}`)
    this.#recorder = new HistoryRecorder(nowNs)
  }

  define(store: Store): Promise<void> {
    return store.define(collection, { key: 'id' })
  }

  async client(world: WorldClient, number: number, random: Random): Promise<void> {
    for (let run = 0; !world.isOver(); run++) {
      await world.pause(random.below(300))
      const client = `${number}.${run}`
      const key = random.pick(this.#keys)
      const seen = await this.#read(world, client, key, random)
      if (seen === undefined || random.chance(0.3)) continue
      if (random.chance(0.4)) await this.#put(world, client, key, random)
      else if (random.chance(0.1)) await this.#delete(world, client, key, random)
      else await this.#swap(world, client, key, seen.found, random)
    }
  }

  async check(store: Store): Promise<number> {
    for (const key of this.#keys) {
      const pending = this.#recorder.begin({ client: 'the end', op: 'get', key, in: null })
      const found = await store.collection<Document>(collection).get(key)
      pending.ok(found?.value ?? null)
    }
    const { history } = this.#recorder
    mustHold(checkLinearizability(history, register))
    mustHold(checkSessionOrder(history))
    return history.length
  }

  #newValue(key: string): number {
    this.#values += 1
    this.#written.add(`${key} ${this.#values}`)
    return this.#values
  }

  /** What a linearizable read saw; undefined: nothing, or it was another read. */
  async #read(
    world: WorldClient,
    client: string,
    key: string,
    random: Random,
  ): Promise<{ readonly found: Versioned<Document> | undefined } | undefined> {
    const level = random.chance(0.2) ? ('stale' as const) : ('linearizable' as const)
    const pending = this.#recorder.begin({ client, op: 'get', key, in: null, level })
    const told = await world.ask(random, store =>
      store.collection<Document>(collection).getVersioned(key, { level }),
    )
    if (told.how !== 'answered') {
      pending.fail()
      return undefined
    }
    const value = told.value?.document.value ?? null
    if (value !== null && !this.#written.has(`${key} ${value}`)) {
      throw new Error(`${key} shows ${value}, which nobody wrote`)
    }
    pending.ok(value)
    return level === 'linearizable' ? { found: told.value } : undefined
  }

  async #put(world: WorldClient, client: string, key: string, random: Random): Promise<void> {
    const value = this.#newValue(key)
    const pending = this.#recorder.begin({ client, op: 'put', key, in: value })
    const told = await world.ask(random, store => store.collection(collection).put({ id: key, value }))
    settle(pending, told, () => null)
  }

  async #delete(world: WorldClient, client: string, key: string, random: Random): Promise<void> {
    const pending = this.#recorder.begin({ client, op: 'delete', key, in: null })
    const told = await world.ask(random, store => store.collection(collection).delete(key))
    settle(pending, told, ({ existed }) => existed)
  }

  async #swap(
    world: WorldClient,
    client: string,
    key: string,
    found: Versioned<Document> | undefined,
    random: Random,
  ): Promise<void> {
    const to = this.#newValue(key)
    const from = found?.document.value ?? null
    const pending: Pending<'cas'> = this.#recorder.begin({ client, op: 'cas', key, in: { from, to } })
    const ifVersion = found?.version ?? null
    const told = await world.ask(random, store =>
      store.collection(collection).put({ id: key, value: to }, { ifVersion }),
    )
    if (isRefused(told, 'CONFLICT')) pending.ok(false)
    else settle(pending, told, () => true)
  }
}
