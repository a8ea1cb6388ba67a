/**
 * How often each kind of simulated fault took effect, so that a run can show that each one happened.
 *
 * A fault counts where it does harm, not where it is arranged: a lost write when power is lost before it was
 * written again, a stall when something was held back by it, a cut when a message met it.
 */

/** All kinds there are: those of the process, its disk, its key-value stores, the network. */
export const faultKinds = [
  /** A timer of a process whose clock is fast or slow was due. */
  'clock-drift',
  /** The wall clock was read while it was wrong from the beginning; once per process. */
  'wall-skew',
  /** The wall clock was read after it had jumped. */
  'wall-jump',
  /** Something was held back while the event loop stood still, by the phase in which it did. */
  'stall-in-timers',
  'stall-in-poll',
  'stall-in-check',
  /** Something was held back while the process was stopped. */
  'pause',
  /** After either, a timer was called before what had arrived meanwhile. */
  'timer-before-arrival',
  'process-death',
  'power-loss',
  /** Either of them in the middle of an operation of the disk. */
  'crash-in-operation',

  'slow-disk',
  'hung-disk',
  'full-disk',
  'read-error',
  'failed-sync',
  /** Power was lost, and what a sync had covered was not there. */
  'lost-sync',
  /** Power was lost, and a write was found at a wrong place. */
  'misdirected-write',
  /** The page cache was lost, and a bit of what it had covered was found turned. */
  'bit-rot',
  /** A bit was turned under the eyes of the process. */
  'flipped-bit',
  /** An unsynced write was there in part. */
  'torn-write',
  'unsynced-write-lost',
  'unsynced-name-lost',
  'wiped-disk',

  'slow-store',
  'hung-store',
  'store-value-flipped',
  'store-row-lost',
  /** A stretch of rows vanished, as with the end of a manifest. */
  'store-rows-lost',
  /** A compaction that had something to do resolved, and had not happened. */
  'store-compaction-lost',
  /** A write was rejected and has not happened, or has. */
  'store-write-failed',
  'store-write-failed-but-done',
  'store-batch-lost',
  /** A batch was lost, and a later one was not. */
  'store-batch-lost-from-the-middle',

  /** A message, or word of an end, met a cable that was cut in both directions. */
  'cut',
  /** The same, while the other way was whole. */
  'one-way-cut',
  /** The same, while a third host had whole cables to both. */
  'bridge',
  /** The same, on a link that comes and goes. */
  'flapping-link',
  /** Somebody tried to connect over a cut. */
  'connect-over-cut',
  'broken-connection',
  /** A connection died in the middle of a message. */
  'torn-message',
  /** A message was lost because its connection had broken. */
  'lost-with-connection',
  /** A message took longer than it usually can. */
  'late-message',
  'refused-connection',
  /** Somebody tried to connect to a machine that is not there. */
  'unanswered-connection',
  /** A connection was given up because nothing came over it. */
  'silent-peer',
] as const

/** A kind of fault. */
export type FaultKind = (typeof faultKinds)[number]

/** The counts of one world: given to its clock, machines and network. */
export class FaultCounts {
  readonly #counts = new Map<FaultKind, number>()

  /** It took effect once more, or so many times. */
  count(kind: FaultKind, times = 1): void {
    if (times > 0) this.#counts.set(kind, this.of(kind) + times)
  }

  /** How often it took effect. */
  of(kind: FaultKind): number {
    return this.#counts.get(kind) ?? 0
  }

  /** Adds what another world counted. */
  add(other: FaultCounts): void {
    for (const kind of faultKinds) this.count(kind, other.of(kind))
  }

  /** Those of the kinds that never took effect. */
  missing(kinds: readonly FaultKind[] = faultKinds): FaultKind[] {
    return kinds.filter(kind => this.of(kind) === 0)
  }

  /** All counts, in the order of the kinds. */
  toJSON(): Record<string, number> {
    return Object.fromEntries(faultKinds.map(kind => [kind, this.of(kind)]))
  }
}
