/**
 * The status of a store that was just opened: indexes are opened beside it, and before they are, nothing can
 * be said of them; what they lack of the log (every opening adds an entry to it) they take at once.
 */
import type { Clock } from '../env/clock.js'
import type { Store } from '../store/store.js'
import type { StoreStatus } from '../store/store-status.js'

/** The status once no constraint is being built or dropped any more, but for those that cannot go on. */
export async function builtStatus(store: Pick<Store, 'status'>, clock: Clock): Promise<StoreStatus> {
  for (;;) {
    const status = store.status()
    const isOver = status.constraints.every(
      ({ state, reason }) => state === 'enforced' || state === 'violated' || reason !== undefined,
    )
    if (isOver || status.state !== 'open') return status
    await pause(clock)
  }
}

const waitMsMax = 10_000
const lookMs = 5

/** The status once no index is `opening`, or live and behind, any more; or 10 s later. */
export async function settledStatus(store: Pick<Store, 'status'>, clock: Clock): Promise<StoreStatus> {
  const untilMs = clock.monotonicMs() + waitMsMax
  for (;;) {
    const status = store.status()
    const isMoving = status.indexes.some(
      ({ state, lag }) => state === 'opening' || (state === 'live' && lag > 0),
    )
    if (!isMoving || clock.monotonicMs() >= untilMs) return status
    await pause(clock)
  }
}

function pause(clock: Clock): Promise<void> {
  return new Promise(resolve => {
    clock.after(lookMs, resolve)
  })
}
