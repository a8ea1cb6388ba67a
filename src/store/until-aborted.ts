/**
 * Waits that a signal ends: for a promise, or for each next piece of what is read.
 *
 * What was waited for goes on by itself and is let go of when it has ended, not before: it may still read.
 */
import { SillokError } from '../base/errors.js'
import { checkSignal } from './check-options.js'
import { onAbort } from './wait.js'

/** What the signal may stop. */
export interface Stoppable {
  readonly signal?: AbortSignal | undefined
}

/** The result of the work, or ABORTED (not applied) as soon as the signal says stop. */
export async function untilAborted<T>(work: Promise<T>, options: Stoppable, what: string): Promise<T> {
  const { signal } = options
  if (signal === undefined) return await work
  // Nobody hears how it ends, once the signal has.
  work.catch(() => {})
  checkSignal(options, what)
  let unlisten = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    unlisten = onAbort(signal, cause => {
      reject(new SillokError('ABORTED', `the signal stopped ${what}`, { outcome: 'not-applied', cause }))
    })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    unlisten()
  }
}

/**
 * The pieces, until the signal says stop: then it rejects with ABORTED (not applied), even while it waits.
 * `release` is called when the reading itself has ended.
 */
export async function* piecesUntilAborted<T>(
  read: () => AsyncIterable<T>,
  options: Stoppable,
  what: string,
  release: () => Promise<void> = async () => {},
): AsyncGenerator<T, void, undefined> {
  let pieces: AsyncIterator<T> | undefined
  let isWaiting = false
  try {
    pieces = read()[Symbol.asyncIterator]()
    for (;;) {
      isWaiting = true
      const next = await untilAborted(pieces.next(), options, what)
      isWaiting = false
      if (next.done === true) return
      yield next.value
    }
  } catch (error) {
    if (!(error instanceof SillokError && error.code === 'ABORTED')) isWaiting = false
    throw error
  } finally {
    const ended = end(pieces).then(release)
    // Those who wait for a piece that does not come would wait for its end as well.
    if (isWaiting) ended.catch(() => {})
    else await ended
  }
}

/** Ends the reading; what goes wrong with that is nobody's concern any more. */
async function end(pieces: AsyncIterator<unknown> | undefined): Promise<void> {
  await pieces?.return?.().catch(() => {})
}
