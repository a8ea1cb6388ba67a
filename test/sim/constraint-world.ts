/**
 * One simulated machine on which constraints come, change and go while documents are written, and whose
 * process is crashed again and again, also while it recovers; states and snapshots are lost in between. After
 * each crash the rows of claims and violations must be those that the documents say, wherever builds and
 * drops are; and a build goes on.
 */
import type { limits } from '../../src/base/limits.js'
import { Random } from '../../src/base/random.js'
import type { Row, RowKey } from '../../src/codec/row.js'
import type { Environment } from '../../src/env/environment.js'
import { isSillokError } from '../../src/index.js'
import { Host } from '../../src/replica/host.js'
import { Store } from '../../src/store/store.js'
import { allFaultsOf, type Rule, randomThing, ruleDefinitions } from '../unit/machine/build-oracle.js'
import { Mortal } from './mortal.js'
import { retentionLimits, smallLimits } from './small-limits.js'

/** What happened in a world. */
export interface ConstraintReport {
  crashes: number
  closes: number
  /** Openings that found a build, or a drop, on its way. */
  foundBuilding: number
  foundDropping: number
  written: number
  refused: number
  enforced: number
  violated: number
}

const keyCount = 60

export class ConstraintWorld {
  readonly report: ConstraintReport = {
    crashes: 0,
    closes: 0,
    foundBuilding: 0,
    foundDropping: 0,
    written: 0,
    refused: 0,
    enforced: 0,
    violated: 0,
  }
  readonly #random: Random
  readonly #mortal: Mortal
  /** How far each build was seen to be: it never goes back. */
  readonly #seen = new Map<number, number>()

  constructor(seed: string) {
    this.#random = new Random(seed)
    this.#mortal = new Mortal({ seed, random: this.#random })
  }

  /** Lives so often, then ends all builds. Throws what was found wrong, naming seed and life. */
  async run(lives: number): Promise<ConstraintReport> {
    await this.#mortal.run(
      life => life >= lives,
      (env, isLast) => this.#live(env, isLast),
    )
    return this.report
  }

  async #live(env: Environment, isLast: boolean): Promise<void> {
    const { machine } = this.#mortal
    const isEarly = this.#random.chance(0.2)
    const operations = 1 + this.#random.below(this.#random.pick([30, 150, 400]))
    const mode = this.#random.pick(['all', 'none', 'any', 'any'] as const)
    if (!isLast && isEarly) machine.crashAt(operations, mode)
    const life = async (): Promise<'closed'> => {
      const own = this.#limits()
      await this.#look(env, own)
      const store = await Store.open(env, 'data', {}, own)
      if (!isLast && !isEarly) machine.crashAt(operations, mode)
      await store.define('things', { key: 'id' }, { drop: this.#random.chance(0.1) }).catch(unlessInvalid)
      await this.#work(store)
      if (isLast) await this.#end(store)
      for (const { id, documents } of store.status().constraints) this.#progress(id, documents)
      await store.close()
      if (isLast) await this.#look(env, own)
      return 'closed'
    }
    if ((await this.#mortal.orCrash(life)) === 'closed') this.report.closes += 1
    else this.report.crashes += 1
  }

  #limits(): Partial<typeof limits> {
    const small = {
      ...smallLimits(this.#random),
      ...retentionLimits(this.#random),
      buildEntryDocuments: this.#random.pick([1, 2, 5]),
      buildEntryBytes: this.#random.pick([50, 2000]),
    }
    return small as unknown as Partial<typeof limits>
  }

  /** All rows at one moment, against the documents among them. */
  async #look(env: Environment, own: Partial<typeof limits>): Promise<void> {
    const host = await Host.open({ env, folder: 'data', limits: own })
    const rows = new Map<RowKey, Row>()
    const scan = host.data.state.scan({})
    const [schema] = host.schemas()
    for await (const page of scan) for (const [key, row] of page) rows.set(key, row)
    const faults = allFaultsOf({ rows }, schema?.unique ?? [])
    const { slots } = await host.data.state.scrub()
    await host.close()
    if (faults.length > 0) throw new Error(faults.slice(0, 5).join('; '))
    if (slots.length > 0) throw new Error(`digests of slots ${slots.join()} do not fit`)
  }

  #progress(id: number, documents: number): void {
    const before = this.#seen.get(id) ?? 0
    if (documents < before) throw new Error(`the build of ${id} looked at ${before}, then at ${documents}`)
    this.#seen.set(id, documents)
  }

  async #work(store: Store): Promise<void> {
    for (const { id, documents, state } of store.status().constraints) {
      this.#progress(id, documents)
      if (state === 'guard' || state === 'backfill') this.report.foundBuilding += 1
      if (state === 'dropping') this.report.foundDropping += 1
    }
    await Promise.all([this.#define(store), this.#write(store), this.#write(store)])
  }

  /** Other constraints, and at times another rule under an old name. */
  async #define(store: Store): Promise<void> {
    for (let n = this.#random.below(3); n > 0; n--) {
      const names = (Object.keys(ruleDefinitions) as Rule[]).filter(() => this.#random.chance(0.4))
      const unique = Object.fromEntries(
        names.map(name => {
          const rule = this.#random.chance(0.2) ? this.#random.pick(['mail', 'exact'] as const) : name
          return [name, ruleDefinitions[rule]]
        }),
      )
      await store.define('things', { key: 'id', unique }, { drop: true })
      await new Promise<void>(resolve => {
        this.#mortal.machine.environment.clock.after(this.#random.below(50), resolve)
      })
    }
  }

  async #write(store: Store): Promise<void> {
    const things = store.collection('things')
    for (let n = this.#random.below(60); n > 0; n--) {
      const thing = randomThing(this.#random, keyCount)
      const write = this.#random.chance(0.2) ? things.delete(thing.id) : things.put({ ...thing })
      try {
        await write
        this.report.written += 1
      } catch (error) {
        if (!isSillokError(error, 'UNIQUE_TAKEN') && !isSillokError(error, 'INVALID')) throw error
        this.report.refused += 1
      }
    }
  }

  /** When every document is gone, so is every violation. */
  async #end(store: Store): Promise<void> {
    this.report.violated += await this.#settle(store)
    for (let n = 0; n < keyCount; n++) await store.collection('things').delete(`k${n}`)
    const violated = await this.#settle(store)
    if (violated > 0)
      throw new Error(`violated without documents: ${JSON.stringify(store.status().constraints)}`)
    this.report.enforced += store.status().constraints.length
  }

  /** Until nothing is built or dropped any more; resolves with how many are violated. */
  async #settle(store: Store): Promise<number> {
    for (let tries = 0; ; tries++) {
      const { constraints } = store.status()
      const isOver = constraints.every(({ state }) => state === 'enforced' || state === 'violated')
      const names = constraints.map(({ name, state }) => (state === 'enforced' ? name : ''))
      const isRetired = constraints.every(({ name }, i) => names.lastIndexOf(name) <= i)
      if (isOver && isRetired) return constraints.filter(({ state }) => state === 'violated').length
      if (tries > 5000) throw new Error(`never over: ${JSON.stringify(constraints)}`)
      await new Promise<void>(resolve => {
        this.#mortal.machine.environment.clock.after(10, resolve)
      })
    }
  }
}

function unlessInvalid(error: unknown): void {
  if (!isSillokError(error, 'INVALID')) throw error
}
