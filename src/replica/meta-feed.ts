/**
 * Brings meta's log to a data partition: reads meta's committed entries above the partition's cursor and
 * proposes what concerns it, in order. It does so where the data partition is led.
 *
 * The cursor in the partition's log pins meta's log. Taking entries twice changes nothing, so a crash at any
 * point, or two leaders, cost only work. Where meta's log begins behind the cursor (a snapshot brought meta
 * here, and no log) meta's state says the same: all schemas, and which sessions are left. The cursor moves
 * when all of that was brought. A session that was opened after an early look at meta, while its end was
 * being passed, is found by a look at all that are open: once in each leadership, and behind each such state.
 */
import type { Entry } from '../base/entry.js'
import { isSillokError } from '../base/errors.js'
import type { LogIndex, SessionId, Term } from '../base/ids.js'
import type { RowKey } from '../codec/row.js'
import { evolve } from '../machine/evolve.js'
import {
  metaCursorKey,
  openedPrefix,
  registeredKey,
  registeredPrefix,
  schemaPrefix,
  uint48FromText,
} from '../machine/keys.js'
import type { Partition } from './partition.js'
import { notLeader } from './refusals.js'

/** Ends of sessions that one command carries: its facts stay far below the limit of an entry. */
const endedPerFeedMax = 64

/** Between whom, and how to read. */
export interface MetaFeedOptions {
  readonly meta: Partition
  readonly target: Partition
  /** Meta's applied entries in that range, in order. */
  readonly read: (from: LogIndex, through: LogIndex) => AsyncIterable<readonly Entry[]>
  /** Takes on a run, whose failure may be one of the node; what failed is tried again. */
  readonly background: (run: Promise<void>) => void
}

/** The channel from meta to one data partition. */
export class MetaFeed {
  readonly #options: MetaFeedOptions
  readonly #sender = {}
  /** Up to here the leader of that term knows the partition to be. */
  #fed: LogIndex | undefined
  #fedIn: Term = 0
  /** In that term the open sessions were looked at. */
  #looked: Term | undefined
  #running: Promise<void> | undefined
  #again = false
  #isLogging = false

  constructor(options: MetaFeedOptions) {
    this.#options = options
  }

  /** Meta has applied more: brings it over, in the background. */
  notify(): void {
    this.#again = true
    if (this.#running !== undefined) return
    this.#running = this.#run().finally(() => {
      this.#running = undefined
      if (this.#again) this.notify()
    })
    this.#options.background(this.#running)
  }

  /** Tries again what a run could not bring over, say because the disk was full; nothing if none is due. */
  remind(): void {
    const { meta, target } = this.#options
    const isDue = (this.#fed ?? -1) < meta.applied || this.#looked !== target.replica.term
    if (this.#running === undefined && target.leads && isDue) this.notify()
  }

  /** How far the partition's own log says that it is: meta's log is needed behind that. */
  get logged(): LogIndex {
    const row = this.#options.target.state.lookup(metaCursorKey)
    return row ? row.value.readUIntLE(0, 6) : 0
  }

  /** True if the schemas of the partition are those of meta, as far as this node knows both. */
  get areSchemasTaken(): boolean {
    const { meta, target } = this.#options
    return meta.state
      .partitionRows(schemaPrefix)
      .every(([key, { value }]) => target.state.lookup(key)?.value.equals(value) === true)
  }

  /** Logs how far the partition is, though what it passed did not concern it; in the background. */
  logCursor(): void {
    const { target } = this.#options
    const through = this.#fed ?? 0
    if (this.#isLogging || through <= this.logged) return
    this.#isLogging = true
    const done = (): void => {
      this.#isLogging = false
    }
    target.call({ type: 'metaFeed', through, schemas: [], ended: [] }, this.#sender).then(done, done)
  }

  /**
   * Resolves when everything up to meta's index counts in the partition. Rejects when the store stops, with
   * NOT_LEADER when this node does not lead the partition.
   */
  async through(index: LogIndex): Promise<void> {
    while ((this.#fed ?? 0) < index) {
      if (!this.#options.target.leads) throw notLeader(0)
      this.notify()
      await this.#running
    }
  }

  async #run(): Promise<void> {
    this.#again = false
    const { meta, target, read } = this.#options
    const { term } = target.replica
    if (!target.leads || term !== this.#fedIn) this.#fed = undefined
    this.#fedIn = term
    if (!target.leads) return
    this.#fed ??= await this.#cursor()
    const through = meta.applied
    if (through > this.#fed) {
      try {
        for await (const entries of read(this.#fed + 1, through)) await this.#feed(entries, target)
      } catch (error) {
        if (!isSillokError(error, 'LOG_TRUNCATED')) throw error
        await this.#feedState(this.#fed)
        this.#looked = undefined
      }
    }
    if (this.#looked === term) return
    await this.#endOpened(this.#fed)
    this.#looked = term
  }

  /** What meta's state says now, to a partition that is at the cursor. */
  async #feedState(cursor: LogIndex): Promise<void> {
    const { meta, target } = this.#options
    await this.#endOpened(cursor)
    const through = meta.applied
    const schemas = meta.state.partitionRows(schemaPrefix).map(([key, { value }]) => [key, value] as const)
    await target.call({ type: 'metaFeed', through, schemas, ended: [] }, this.#sender)
    this.#fed = through
  }

  /** Ends what is open in the partition, which is at the cursor, and has ended as meta is known here. */
  async #endOpened(cursor: LogIndex): Promise<void> {
    const { meta, target } = this.#options
    const { applied, state } = meta
    const ended = target.state
      .partitionRows(openedPrefix)
      .map(([key]) => uint48FromText(key, openedPrefix.length))
      // Its id is the index of its registration: a later one was not heard of here yet.
      .filter(session => session <= applied && state.lookup(registeredKey(session)) === null)
    for (let at = 0; at < ended.length; at += endedPerFeedMax) {
      const part = ended.slice(at, at + endedPerFeedMax)
      await target.call({ type: 'metaFeed', through: cursor, schemas: [], ended: part }, this.#sender)
    }
  }

  /** How far the partition is, once it may decide. */
  async #cursor(): Promise<LogIndex> {
    await this.#options.target.readable()
    return this.logged
  }

  async #feed(entries: readonly Entry[], target: Partition): Promise<void> {
    let schemas: [RowKey, Buffer][] = []
    let ended: SessionId[] = []
    let through = this.#fed ?? 0
    const flush = async (): Promise<void> => {
      if (schemas.length > 0 || ended.length > 0) {
        await target.call({ type: 'metaFeed', through, schemas, ended }, this.#sender)
      }
      schemas = []
      ended = []
      this.#fed = through
    }
    for (const entry of entries) {
      for (const fact of evolve(entry).facts) {
        if (fact.op === 'put' && fact.key.startsWith(schemaPrefix)) schemas.push([fact.key, fact.value])
        else if (fact.op === 'delete' && fact.key.startsWith(registeredPrefix)) {
          ended.push(uint48FromText(fact.key, registeredPrefix.length))
        }
      }
      through = entry.index
      if (ended.length >= endedPerFeedMax) await flush()
    }
    await flush()
  }
}
