/** What is refused for a while only is done again. */
import { SillokError } from '../base/errors.js'

/** What the task resolves with: it is done again as long as it is refused `later`, unless nobody goes on. */
export async function waitedOut<T>(
  task: () => Promise<T>,
  pause: () => Promise<void>,
  isOver: () => boolean,
): Promise<T> {
  for (;;) {
    try {
      return await task()
    } catch (error) {
      if (!(error instanceof SillokError) || error.retry !== 'later' || isOver()) throw error
    }
    await pause()
  }
}
