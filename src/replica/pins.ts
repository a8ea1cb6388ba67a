/**
 * Who needs the log: an index that follows it, a named feed of changes, another member of the group (of the
 * replica that leads it), the data partition of meta's log. A pin is a position whose owner has dealt with
 * everything up to it, and not yet with what follows.
 *
 * Each pin may hold so many bytes of the log beyond what is kept anyway. One that holds more is broken: the
 * log goes on without it, and its owner, when it reads on, gets LOG_TRUNCATED. Members are broken before
 * indexes, since they get a snapshot, and indexes before named feeds, since an index is built again from the
 * state, and a feed loses changes. Meta's log is never taken from under a data partition: the pin of that
 * kind has no budget.
 */
import type { LogIndex } from '../base/ids.js'
import type { Clock } from '../env/clock.js'

/** What holds the log. `partition` is the data partition that takes over meta's log. */
export type PinKind = 'partition' | 'member' | 'index' | 'feed'

/** A place in the log that somebody has come to. */
export interface PinPlace {
  readonly kind: PinKind
  /** `users.byCity`, the feed's name, or `replica 2`. */
  readonly owner: string
  /** Everything up to this entry is dealt with. */
  readonly position: LogIndex
}

/** A pin, as it is told. */
export interface Pin extends PinPlace {
  /** How long it has not moved, as far as this process has seen. */
  readonly stillMs: number
  /** Log that is there for its sake: bytes between it and what is kept anyway. */
  readonly heldBytes: number
  /** The log has gone on without it. */
  readonly isBroken: boolean
}

/** The log that is pinned. */
export interface PinnedLog {
  readonly firstIndex: LogIndex
  bytesAfter(index: LogIndex): number
}

const order: readonly PinKind[] = ['member', 'index', 'feed']

/** The pins of one partition, as of the last look. */
export class Pins {
  readonly #clock: Clock
  readonly #log: PinnedLog
  /** When each owner came to its place. */
  #seen = new Map<string, { readonly position: LogIndex; readonly sinceMs: number }>()

  constructor(clock: Clock, log: PinnedLog) {
    this.#clock = clock
    this.#log = log
  }

  /** The pins, lowest position first; `floor`: entries up to there may go, if nobody needs them. */
  look(places: readonly PinPlace[], floor: LogIndex): Pin[] {
    const nowMs = this.#clock.monotonicMs()
    const seen = new Map<string, { readonly position: LogIndex; readonly sinceMs: number }>()
    const pins = places.map(place => {
      const name = `${place.kind} ${place.owner}`
      const before = this.#seen.get(name)
      const since =
        before?.position === place.position ? before : { position: place.position, sinceMs: nowMs }
      seen.set(name, since)
      const isBroken = place.position + 1 < this.#log.firstIndex
      const heldBytes = isBroken || place.position >= floor ? 0 : this.#between(place.position, floor)
      return { ...place, stillMs: Math.round(nowMs - since.sinceMs), heldBytes, isBroken }
    })
    this.#seen = seen
    return pins.sort((left, right) => left.position - right.position)
  }

  /**
   * Entries up to there may go: the floor, or the lowest pin that holds. Of those over the budget the first
   * kind in order is broken; the others of them are when they still are over it at the next look.
   */
  lowest(pins: readonly Pin[], floor: LogIndex, budgetBytes: number): LogIndex {
    const holding = pins.filter(({ isBroken, position }) => !isBroken && position < floor)
    const over = (kind: PinKind): Pin[] => {
      return holding.filter(pin => pin.kind === kind && pin.heldBytes > budgetBytes)
    }
    const broken = order.map(over).find(some => some.length > 0) ?? []
    const kept = holding.filter(pin => !broken.includes(pin))
    return Math.min(floor, ...kept.map(({ position }) => position))
  }

  #between(position: LogIndex, floor: LogIndex): number {
    return Math.max(0, this.#log.bytesAfter(position) - this.#log.bytesAfter(floor))
  }
}
