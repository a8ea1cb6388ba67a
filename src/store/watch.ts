/**
 * Watches a store at each of its ticks: whether the event loop came late, and whether indexes keep up.
 *
 * It costs one look at the clock per tick, and one at the indexes per second.
 */
import { isSillokError } from '../base/errors.js'
import type { MonotonicMs } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { Clock } from '../env/clock.js'
import type { HostOptions } from '../replica/host-options.js'
import type { IndexEvent, NamedIndexStatus } from '../replica/indexes.js'
import { dataPartition } from '../replica/partition-folders.js'
import { stateOfPartition } from '../replica/partition-status.js'
import type { Notices } from './notices.js'

/** What is watched, and who is told. */
export interface WatchParts {
  readonly clock: Clock
  readonly notices: Notices
  readonly limits: Pick<Limits, 'stallMs' | 'indexLagEntries'>
  readonly indexes: () => readonly NamedIndexStatus[]
}

const looksApartMs = 1000

/** What a host tells. */
type HostListeners = Pick<HostOptions, 'failed' | 'rebuilt' | 'damaged' | 'diskFull' | 'indexTold' | 'ticked'>

/** The watch over one store. */
export class Watch {
  readonly #parts: WatchParts
  #tickedMs: MonotonicMs | undefined
  #lookedMs: MonotonicMs = 0
  #fullSinceMs: MonotonicMs | undefined
  readonly #lagging = new Set<string>()
  /** Indexes that stopped, with the reason that was told. */
  readonly #stopped = new Map<string, string>()
  /** The longest that a tick came late, in milliseconds. */
  lateMsMax = 0

  constructor(parts: WatchParts) {
    this.#parts = parts
  }

  /** What the host tells, and to whom. */
  listeners(): HostListeners {
    const { notices } = this.#parts
    return {
      failed: error => {
        notices.tell('failed', error)
        if (error.code === 'DISK_FAILED') notices.tell('disk-failed', { error })
        if (error.code === 'DAMAGED') this.damaged(error.message)
      },
      rebuilt: reason => {
        notices.tell('rebuilt', reason)
        const [part = '', ...why] = reason.split(': ')
        notices.damage({ part, reason: why.join(': '), repaired: true })
      },
      damaged: (part, reason) => this.damaged(reason, part),
      diskFull: full => this.diskFull(full),
      indexTold: event => this.index(event),
      ticked: periodMs => this.ticked(periodMs),
    }
  }

  /** Stored bytes fail their check: rows of the documents' partition, if nothing else is named. */
  damaged(reason: string, part = stateOfPartition(dataPartition)): void {
    this.#parts.notices.damage({ part, reason, repaired: false })
  }

  /** Tells what a scrub finds, whoever still waits for it. */
  scrub(scrubbing: Promise<readonly number[]>): void {
    scrubbing.then(
      slots => {
        if (slots.length > 0) this.damaged(`its rows do not fit the digests of the slots ${slots.join(', ')}`)
      },
      error => {
        if (isSillokError(error, 'DAMAGED')) this.damaged(error.message)
      },
    )
  }

  /** Called every `periodMs`. */
  ticked(periodMs: number): void {
    const { clock, notices, limits } = this.#parts
    const now = clock.monotonicMs()
    const lateMs = this.#tickedMs === undefined ? 0 : Math.max(0, now - this.#tickedMs - periodMs)
    this.#tickedMs = now
    if (lateMs > this.lateMsMax) this.lateMsMax = lateMs
    if (lateMs > limits.stallMs) notices.tell('stall', { lateMs: Math.round(lateMs) })
    if (now - this.#lookedMs < looksApartMs) return
    this.#lookedMs = now
    for (const status of this.#parts.indexes()) this.#look(status)
  }

  /** The disk has no space for the log, or has it again. */
  diskFull(isFull: boolean): void {
    const { clock, notices } = this.#parts
    if (isFull) {
      this.#fullSinceMs = clock.monotonicMs()
      notices.tell('disk-full', { message: 'new writes are refused until there is space' })
    } else {
      const fullMs = clock.monotonicMs() - (this.#fullSinceMs ?? clock.monotonicMs())
      notices.tell('disk-ok', { fullMs: Math.round(fullMs) })
    }
  }

  /** An index was begun anew, or cannot go on. */
  index({ kind, collection, index, reason, isDamage }: IndexEvent): void {
    const { notices } = this.#parts
    const name = `${collection}.${index}`
    if (kind === 'rebuilt') {
      if (isDamage) notices.damage({ part: `index ${name}`, reason, repaired: true })
      return
    }
    if (this.#stopped.get(name) === reason) return
    this.#stopped.set(name, reason)
    notices.tell('index-stopped', { collection, index, reason })
  }

  #look({ collection, name: index, state, lag }: NamedIndexStatus): void {
    const { notices, limits } = this.#parts
    const name = `${collection}.${index}`
    if (state === 'live' && lag === 0) this.#stopped.delete(name)
    if (lag <= limits.indexLagEntries / 2) this.#lagging.delete(name)
    // While it is built it has all documents to take: that is no lag.
    if (state === 'building' || lag <= limits.indexLagEntries || this.#lagging.has(name)) return
    this.#lagging.add(name)
    notices.tell('index-lag', { collection, index, lagEntries: lag })
  }
}
