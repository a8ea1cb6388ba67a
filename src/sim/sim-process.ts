/**
 * A simulated process as what surrounds it sees it: disk, stores and network hand over to it what comes, at
 * once or when it goes on.
 */

/** What may be held: see SimProcessClock. */
export interface SimProcess {
  /** True while nothing reaches it: it is stalled or paused, or what was held back is still being called. */
  readonly isHeld: boolean
  /** Calls at once; when it is held, in its turn; never once it is dead. */
  arrive(call: () => void): void
  /** Names who is called whenever it comes to be held. */
  onHold(call: () => void): void
}

/** A process that is never held. */
export const freeProcess: SimProcess = {
  isHeld: false,
  arrive: call => call(),
  onHold: () => {},
}
