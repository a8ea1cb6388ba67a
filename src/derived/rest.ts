/**
 * How long a build in the background rests, so that those who write meanwhile keep most of the event loop.
 *
 * Where they write without pause, a build that works in turn with them would take most of it. It rests one
 * and a half times as long as its part took, half of which was theirs already; where they write little, it
 * rests little.
 */

const restsPerWork = 1.5
/** About the time of several writes: who writes a thousand in a second slows a build down by a fifth. */
const restPerWriteMs = 0.2

/** Milliseconds of rest after so many of work, in which others wrote that many entries. */
export function restMs(workedMs: number, entries: number): number {
  return Math.min(restsPerWork * workedMs, restPerWriteMs * entries)
}
