/**
 * Clients that race for a few documents, each write on condition of a version, and look again at once, at any
 * node: whoever is told of a version, also by a refusal, is told of no older one after that, a version has
 * one value, what was refused is not there, and nothing came between a version and the write upon it.
 */
import type { Random } from '../../base/random.js'
import type { Store } from '../../store/store.js'
import { isRefused, type Workload, type WorldClient } from './workload.js'

const collection = 'races'

type Document = { readonly id: string; readonly value: number }

/** What was told of a document. */
interface Known {
  /** The newest version that anybody was told of. */
  newest: number
  readonly values: Map<number, number>
  /** Values that were not written, as was told. */
  readonly refused: Set<number>
  /** Versions that were told. */
  readonly versions: Set<number>
  /** Writes that were acknowledged: upon which version, and the one that they made. */
  readonly writes: [upon: number, made: number][]
}

/** How long the same documents are raced for. */
const roundNs = 2e9

/** So many documents at a time, under so many clients. */
export class Races implements Workload {
  readonly name = 'races'
  readonly clients: number
  readonly #keys: number
  readonly #known = new Map<string, Known>()
  #values = 0
  #looks = 0

  constructor({ keys = 2, clients = 4 } = {}) {
    this.clients = clients
    this.#keys = keys
  }

  define(store: Store): Promise<void> {
    return store.define(collection, { key: 'id' })
  }

  async client(world: WorldClient, _: number, random: Random): Promise<void> {
    while (!world.isOver()) {
      await world.pause(random.below(600))
      const key = `d${Math.floor(world.nowNs() / roundNs)}.${random.below(this.#keys)}`
      let ifVersion = await this.#look(world, key, random)
      for (let tries = random.below(4); tries > 0 && ifVersion !== undefined; tries--) {
        await this.#race(world, key, ifVersion, random)
        ifVersion = await this.#look(world, key, random)
      }
    }
  }

  async check(store: Store): Promise<number> {
    for (const [key, known] of this.#known) {
      const { newest, versions, writes } = known
      for (const [upon, made] of writes) {
        const between = [...versions].find(version => upon < version && version < made)
        if (between !== undefined)
          throw new Error(`${key}: ${made} was written upon ${upon}, over ${between}`)
      }
      const found = await store.collection<Document>(collection).getVersioned(key)
      this.#told(key, newest, found?.version ?? 0, found?.document.value)
    }
    return this.#looks
  }

  /** The version there is, 0 for none; undefined if that is not told. */
  async #look(world: WorldClient, key: string, random: Random): Promise<number | undefined> {
    const { newest } = this.#of(key)
    const told = await world.ask(random, store => store.collection<Document>(collection).getVersioned(key))
    if (told.how !== 'answered') return undefined
    const version = told.value?.version ?? 0
    this.#told(key, newest, version, told.value?.document.value)
    return version
  }

  async #race(world: WorldClient, key: string, ifVersion: number, random: Random): Promise<void> {
    const { newest } = this.#of(key)
    const value = ++this.#values
    const told = await world.ask(random, store =>
      ifVersion === 0
        ? store.collection(collection).insert({ id: key, value })
        : store.collection(collection).put({ id: key, value }, { ifVersion }),
    )
    if (told.how === 'answered') {
      this.#told(key, newest, told.value.version, value)
      this.#of(key).writes.push([ifVersion, told.value.version])
    }
    if (told.how !== 'refused' || told.error.outcome !== 'not-applied') return
    this.#refused(key, value)
    if (!isRefused(told, 'CONFLICT') && !isRefused(told, 'EXISTS')) return
    const version = Number(told.error.details['version'] ?? 0)
    this.#told(key, newest, version, undefined)
    if (version === ifVersion) throw new Error(`${key}: refused because it has the version ${version}`)
  }

  #refused(key: string, value: number): void {
    const { refused, values } = this.#of(key)
    refused.add(value)
    if ([...values.values()].includes(value))
      throw new Error(`${key} had the value ${value}, which was then refused`)
  }

  /** Told of the version, by a call that began when `before` was the newest. */
  #told(key: string, before: number, version: number, value: number | undefined): void {
    const known = this.#of(key)
    this.#looks += 1
    if (version < before) throw new Error(`${key} has the version ${version}, and ${before} was told before`)
    known.newest = Math.max(known.newest, version)
    known.versions.add(version)
    if (value === undefined) return
    if (known.refused.has(value)) throw new Error(`${key} has the value ${value}, which was refused`)
    const other = known.values.get(version) ?? value
    if (other !== value) throw new Error(`${key} has the values ${other} and ${value} at version ${version}`)
    known.values.set(version, value)
  }

  #of(key: string): Known {
    const known = this.#known.get(key) ?? {
      newest: 0,
      values: new Map(),
      refused: new Set(),
      versions: new Set(),
      writes: [],
    }
    this.#known.set(key, known)
    return known
  }
}
