/**
 * Everything at once on one simulated machine: constraints and indexes come, change and go, documents that an
 * index cannot take, sessions, a named feed, snapshots and a log that is trimmed, while states and snapshot
 * files are lost between lives and the process is crashed, or closed in the midst of all of it.
 */
import type { limits } from '../../src/base/limits.js'
import { Random } from '../../src/base/random.js'
import type { Row, RowKey } from '../../src/codec/row.js'
import type { Environment } from '../../src/env/environment.js'
import {
  type IndexChange,
  type IndexOps,
  type IndexType,
  isSillokError,
  type SillokError,
} from '../../src/index.js'
import { Host } from '../../src/replica/host.js'
import { IndexTypes } from '../../src/store/index-types.js'
import { Store } from '../../src/store/store.js'
import { checkIndexes } from '../index-check.js'
import {
  allFaultsOf,
  type Rule,
  randomThing,
  ruleDefinitions,
  type Thing,
} from '../unit/machine/build-oracle.js'
import { CrashModel } from './crash-model.js'
import { emptyReport } from './crash-world.js'
import { ImportClient } from './import-client.js'
import { Mortal } from './mortal.js'
import { retentionLimits, smallLimits } from './small-limits.js'

/** What happened in a world. */
export type WholeReport = Record<string, number>

const clientCount = 3
const keysPerClient = 15
const hardWords = ['hard 0', 'hard 1']

type Wordy = Thing & { readonly word: string }

export class WholeWorld {
  readonly report: WholeReport = {}
  readonly #seed: string
  readonly #random: Random
  readonly #mortal: Mortal
  readonly #model = new CrashModel()
  readonly #importer: ImportClient
  /** Documents as the named feed told of them up to what was acknowledged. */
  #told = new Map<string, number>()
  #isMended = false
  #isClosing = false
  #isLast = false
  #hasPicky = true

  constructor(seed: string) {
    this.#seed = seed
    this.#random = new Random(seed)
    this.#importer = new ImportClient(this.#random.split('import'), emptyReport())
    this.#mortal = new Mortal({ seed, random: this.#random })
  }

  /** Lives so often, then lets all of it settle. Throws what was found wrong, naming seed and life. */
  async run(lives: number): Promise<WholeReport> {
    await this.#mortal.run(
      life => life >= lives,
      (env, isLast) => this.#live(env, isLast),
    )
    return this.report
  }

  #count(what: string, more = 1): void {
    this.report[what] = (this.report[what] ?? 0) + more
  }

  async #live(env: Environment, isLast: boolean): Promise<void> {
    const { machine } = this.#mortal
    const random = this.#random
    const isEarly = random.chance(0.2)
    const operations = 1 + random.below(random.pick([50, 400, 1500, 4000]))
    const mode = random.pick(['all', 'none', 'any', 'any'] as const)
    if (!isLast && isEarly) machine.crashAt(operations, mode)
    this.#isMended = isLast || random.chance(0.5)
    this.#isClosing = false
    this.#isLast = isLast
    this.#hasPicky = isLast || random.chance(0.85)
    const own = this.#limits()
    const life = async (): Promise<'closed'> => {
      if (isLast || random.chance(0.4)) await this.#look(env, own)
      const rebuilt = (reason: string): void => {
        this.#count(reason.includes('made from') ? 'fromSnapshot' : 'rebuilt')
        if (process.env['SIM_TRACE']) console.log(`${this.#seed}: ${reason}`)
      }
      const failed = (error: SillokError): void => {
        console.log(`${this.#seed} FAILED ${error.stack}`)
      }
      const types = new IndexTypes(this.#hasPicky ? [this.#pickyType()] : [])
      const store = await Store.open(env, 'data', { rebuilt, failed }, own, types)
      if (!isLast && !isEarly && random.chance(0.8)) machine.crashAt(operations, mode)
      await store.define('places', { key: 'id', unique: { tag: { fields: ['tag'] } } })
      if (this.#hasPicky && !isDefined(store)) await this.#defineThings(store)
      if (!isDefined(store)) return await store.close().then(() => 'closed' as const)
      await this.#check(store)
      const work = this.#work(store)
      if (!isLast && random.chance(0.3)) {
        await this.#wait(random.below(400))
        this.#isClosing = true
        this.#count('closedInWork')
        await Promise.all([store.close(), work])
        return 'closed'
      }
      await work
      if (isLast) await this.#end(store)
      await store.close()
      if (isLast) await this.#look(env, own)
      return 'closed'
    }
    const end = await this.#mortal.orCrash(life)
    this.#count(end)
  }

  #wait(ms: number): Promise<void> {
    return new Promise(resolve => {
      this.#mortal.machine.environment.clock.after(ms, resolve)
    })
  }

  #limits(): Partial<typeof limits> {
    const small = {
      ...smallLimits(this.#random),
      ...retentionLimits(this.#random),
      buildEntryDocuments: this.#random.pick([1, 2, 5]),
      buildEntryBytes: this.#random.pick([50, 2000]),
      indexBatchChanges: this.#random.pick([1, 10, 1000]),
      indexBatchEntries: this.#random.pick([1, 30, 20_000]),
      indexBatchMs: this.#random.pick([0, 1, 50]),
      indexChunkDocuments: this.#random.pick([1, 7, 1000]),
      indexCheckpointBatchesMax: this.#random.pick([2, 20, 1000]),
    }
    return small as unknown as Partial<typeof limits>
  }

  /** Documents by word; hard words are too much for it until it is mended. */
  #pickyType(): IndexType<object, object, string> {
    return {
      type: 'picky',
      version: 1,
      configure: config => config,
      open: () => ({
        apply: async (changes: readonly IndexChange[], _: unknown, ops: IndexOps) => {
          for (const change of changes) {
            if (change.note !== undefined) ops.delete(change.note)
            const word = change.document?.['word']
            if (!this.#isMended && hardWords.includes(String(word))) throw new Error(`no ${String(word)}`)
            const row = Buffer.from(`${String(word)}/${String(change.key)}`)
            if (change.document !== undefined) ops.put(row, Buffer.alloc(0))
            ops.note(change, change.document === undefined ? undefined : row)
          }
        },
        async *query(_, rows) {
          for await (const page of rows.scan({})) yield page.map(([key]) => key.toString())
        },
      }),
    }
  }

  /** All rows at one moment, against the documents among them. */
  async #look(env: Environment, own: Partial<typeof limits>): Promise<void> {
    const host = await Host.open({ env, folder: 'data', limits: own })
    const rows = new Map<RowKey, Row>()
    const schema = host.schemas().find(({ name }) => name === 'things')
    if (schema !== undefined) {
      const scan = host.data.state.scan({})
      for await (const page of scan) for (const [key, row] of page) rows.set(key, row)
      const ids = [...schema.unique.map(({ id }) => id)]
      for (const key of rows.keys()) if (this.#isOther(key, schema.id)) rows.delete(key)
      const faults = allFaultsOf({ rows }, schema.unique).filter(
        fault => !/^a row of constraint 1, |^constraint 1 /.test(fault) || ids.includes(1),
      )
      if (faults.length > 0) throw new Error(faults.slice(0, 5).join('; '))
    }
    for (const { state } of [host.meta, host.data]) {
      const { slots } = await state.scrub()
      if (slots.length > 0) throw new Error(`digests of slots ${slots.join()} do not fit`)
    }
    await host.close()
    this.#count('looks')
  }

  #isOther(key: RowKey, collection: number): boolean {
    return key.startsWith('d') && Buffer.from(key, 'latin1').readUInt32BE(1) !== collection
  }

  async #check(store: Store): Promise<void> {
    const things = store.collection<Wordy>('things')
    for (const key of this.#model.keys) {
      const wrong = this.#model.recovered(key, await things.getVersioned(key))
      if (wrong !== undefined) throw new Error(wrong)
    }
    const slots = await store.scrub()
    if (slots.length > 0) throw new Error(`digests of slots ${slots.join()} do not fit`)
    await this.#importer.resume(store)
    await this.#checkIndexes(store)
    await this.#read(store, true)
    for (const { retention } of store.status().partitions) {
      if ((retention?.firstIndex ?? 1) > 1) this.#count('trimmed')
      if (retention?.snapshotFailure !== undefined) throw new Error(retention.snapshotFailure)
    }
    for (const { state } of store.status().constraints) this.#count(`found ${state}`)
  }

  async #checkIndexes(store: Store): Promise<void> {
    for (const { collection, name, type, parked, skipped, state, next, reason } of store.status().indexes) {
      if (collection !== 'things' || (type === 'picky' && !this.#hasPicky)) continue
      if (next !== undefined) this.#count('foundRemaking')
      if (/log goes from|begins at/.test(reason ?? '')) this.#count('leftBehind')
      if (type === 'secondary') {
        await checkIndexes(store, 'things', { [name]: { fields: ['word'] } })
        continue
      }
      const rows: string[] = []
      for await (const row of store.collection('things').query<string>(name, {})) rows.push(row)
      const status = store.status().indexes.find(one => one.name === name)
      this.#count('parked', status?.parked ?? 0)
      const expected: string[] = []
      const hard: string[] = []
      for await (const { id, word } of store.collection<Wordy>('things').scan()) {
        if (hardWords.includes(word)) hard.push(`${word}/${id}`)
        else expected.push(`${word}/${id}`)
      }
      // What is held of a parked document is an older form of it, or nothing.
      const lacking = expected.filter(row => !rows.includes(row))
      const keys = new Set(hard.map(row => row.split('/')[1]))
      const odd = rows.filter(row => !expected.includes(row) && !keys.has(row.split('/')[1]))
      if (lacking.length > 0 || odd.length > 0) {
        const what = `lacks ${lacking.slice(0, 3).join()}, has ${odd.slice(0, 3).join()}`
        throw new Error(`${name} (${state}, ${parked} parked, ${skipped} skipped) ${what}`)
      }
    }
  }

  async #work(store: Store): Promise<void> {
    const tasks = [
      this.#define(store),
      this.#importer.run(),
      this.#ask(store),
      this.#read(store, false),
      ...Array.from({ length: clientCount }, (_, client) => this.#client(store, client)),
    ]
    await Promise.all(tasks.map(task => task.catch((error: unknown) => this.#unlessClosed(error))))
  }

  #unlessClosed(error: unknown): void {
    const codes = ['CLOSED', 'CLOSED_WHILE_WAITING']
    if (this.#isClosing && isSillokError(error) && codes.includes(error.code)) return
    throw error
  }

  async #defineThings(store: Store): Promise<void> {
    const random = this.#random
    const names = (Object.keys(ruleDefinitions) as Rule[]).filter(() => random.chance(0.4))
    const unique = Object.fromEntries(
      names.map(name => {
        const rule = random.chance(0.3) ? random.pick(['mail', 'exact'] as const) : name
        return [name, ruleDefinitions[rule]]
      }),
    )
    const onError = random.pick(['park', 'skip'] as const)
    const indexes = {
      byWord: { type: 'secondary', fields: ['word'], sparse: random.chance(0.5) },
      picky: { type: 'picky', tag: random.below(2), onError },
      ...(random.chance(0.5) && { more: { type: 'picky', onError: 'park' } }),
    }
    await store.define('things', { key: 'id', unique, indexes } as never, { drop: true })
    this.#count('defined')
  }

  async #define(store: Store): Promise<void> {
    const random = this.#random
    for (let n = random.below(5); n > 0; n--) {
      if (this.#hasPicky && random.chance(0.6)) await this.#defineThings(store)
      else await store.rebuildIndex('things', random.pick(['byWord', 'picky']))
      if (!this.#isLast && random.chance(0.4)) {
        const mode = random.pick(['all', 'none', 'any', 'any'] as const)
        this.#mortal.machine.crashAt(1 + random.below(random.pick([10, 100])), mode)
      }
      if (random.chance(0.5)) await this.#wait(random.below(200))
      const [one] = store.status().constraints.filter(({ collection }) => collection === 'things')
      if (one === undefined || random.chance(0.6)) continue
      await store.enforced('things', one.name, { deadlineMs: 300 }).catch((error: unknown) => {
        if (isSillokError(error, 'CLOSED')) throw error
        const codes = ['UNIQUE_TAKEN', 'TIMED_OUT', 'NOT_FOUND']
        if (!isSillokError(error) || !codes.includes(error.code)) throw error
        this.#count(error.code)
      })
    }
  }

  async #ask(store: Store): Promise<void> {
    const random = this.#random.split(`ask at ${this.report['written'] ?? 0}`)
    for (let n = random.below(5); n > 0; n--) {
      let before = ''
      for await (const { word } of store.collection<Wordy>('things').find('byWord', {})) {
        if (word < before) throw new Error(`byWord: ${word} after ${before}`)
        before = word
      }
      await this.#wait(random.below(100))
      if (!this.#hasPicky) continue
      const picky = { from: 0 }
      await store.collection('things').query<string>('picky', picky).next()
      if (random.chance(0.3)) await store.retryParked('things', 'picky')
    }
  }

  /** The named feed tells of each change once it is not acknowledged, in order. */
  async #read(store: Store, isWhole: boolean): Promise<void> {
    const random = this.#random.split(`feed ${this.#mortal.clock.monotonicMs()}`)
    const name = 'all'
    try {
      const feed = store.changes<Wordy>({ name, from: 'start', collection: 'things', follow: false })
      const told = new Map(this.#told)
      let newest = 0
      for await (const batch of feed.batches()) {
        for (const { key, version } of batch) {
          if (version < newest) throw new Error(`the feed tells ${version} after ${newest}`)
          newest = version
          told.set(String(key), version)
        }
        const last = batch.at(-1)
        if (last === undefined || random.chance(0.5)) continue
        // Whether it arrives or not: what it tells of is known.
        this.#told = new Map([...this.#told, ...told])
        await feed.acknowledge(last.position)
        if (!isWhole && random.chance(0.2)) return
      }
      if (!isWhole) return
      for await (const { id } of store.collection<Wordy>('things').scan()) {
        const version = (await store.collection<Wordy>('things').getVersioned(id))?.version
        const known = told.get(id)
        if (known !== version) throw new Error(`${id}: the feed told ${known}, it has ${version}`)
      }
    } catch (error) {
      if (!isSillokError(error, 'LOG_TRUNCATED')) throw error
      this.#count('feedBroken')
      await store.forgetChanges(name)
      if (!isWhole) return
      this.#told = new Map()
      for await (const { id } of store.collection<Wordy>('things').scan()) {
        const version = (await store.collection<Wordy>('things').getVersioned(id))?.version ?? 0
        this.#told.set(id, version)
      }
    }
  }

  async #client(store: Store, client: number): Promise<void> {
    const random = this.#random.split(`client ${client} at ${this.report['written'] ?? 0}`)
    const session = random.chance(0.5) ? await store.session({ name: `client ${client}` }) : store
    for (let steps = random.below(60); steps > 0; steps--) {
      const keys = new Set<string>()
      for (let i = 1 + random.below(3); i > 0; i--) keys.add(`k${client}-${random.below(keysPerClient)}`)
      if (random.chance(0.1)) await this.#batch(session, [...keys], random)
      else await Promise.all([...keys].map(key => this.#change(session, key, random)))
      if (random.chance(0.1)) await this.#wait(random.below(150))
    }
  }

  #document(key: string, random: Random): Wordy | undefined {
    if (random.chance(0.25)) return undefined
    const word = random.chance(0.1)
      ? random.pick(hardWords)
      : `w${random.below(9)}${'.'.repeat(random.below(60))}`
    return { ...randomThing(random), id: key, word }
  }

  async #change(on: Pick<Store, 'collection'>, key: string, random: Random): Promise<void> {
    const things = on.collection<Wordy>('things') as unknown as ReturnType<Store['collection']>
    const document = this.#document(key, random)
    this.#model.sent(key, document)
    await this.#outcome([[key, document]], () =>
      document === undefined ? things.delete(key) : things.put({ ...document }),
    )
  }

  async #batch(on: Pick<Store, 'batch'>, keys: readonly string[], random: Random): Promise<void> {
    const steps = keys.map(key => [key, this.#document(key, random)] as const)
    for (const [key, document] of steps) this.#model.sent(key, document)
    await this.#outcome(steps, () =>
      on.batch(
        steps.map(([key, document]) =>
          document === undefined ? { delete: key, in: 'things' } : { put: { ...document }, in: 'things' },
        ) as never,
      ),
    )
  }

  async #outcome(
    steps: readonly (readonly [string, Wordy | undefined])[],
    write: () => Promise<{ readonly version: number }>,
  ): Promise<void> {
    try {
      const { version } = await write()
      for (const [key, document] of steps) this.#model.answered(key, document, version, false)
      this.#count('written')
    } catch (error) {
      const isRefused = isSillokError(error) && error.outcome === 'not-applied'
      if (isRefused) for (const [key, document] of steps) this.#model.answered(key, document, undefined, true)
      if (!isSillokError(error, 'UNIQUE_TAKEN') && !isSillokError(error, 'INVALID')) throw error
      this.#count('refused')
    }
  }

  /** When every document is gone, so is every violation; everything is up to date. */
  async #end(store: Store): Promise<void> {
    await this.#settle(store)
    await this.#checkIndexes(store)
    for (const key of this.#model.keys) await store.collection('things').delete(key)
    const violated = await this.#settle(store)
    if (violated > 0) throw new Error(`violated: ${JSON.stringify(store.status().constraints)}`)
    await this.#checkIndexes(store)
    for (const { name, parked, skipped, state } of store.status().indexes) {
      if (parked + skipped > 0 || state !== 'live')
        throw new Error(`${name} is ${state}, ${parked} parked, ${skipped} skipped`)
    }
  }

  async #settle(store: Store): Promise<number> {
    for (let tries = 0; ; tries++) {
      const { constraints } = store.status()
      const isOver = constraints.every(({ state }) => state === 'enforced' || state === 'violated')
      const names = constraints.map(({ collection, name, state }) =>
        state === 'enforced' ? `${collection}.${name}` : '',
      )
      const isRetired = constraints.every(
        ({ collection, name }, i) => names.lastIndexOf(`${collection}.${name}`) <= i,
      )
      if (isOver && isRetired) return constraints.filter(({ state }) => state === 'violated').length
      if (tries > 5000) throw new Error(`never over: ${JSON.stringify(constraints)}`)
      await this.#wait(10)
    }
  }
}

function isDefined(store: Store): boolean {
  return store.status().indexes.length > 0
}
