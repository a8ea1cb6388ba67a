/**
 * Ctrl-C for verbs that have something to end first: the first signal is noted, the second ends the process
 * as if nobody listened.
 */
import { type ExitCode, exitCodes } from './failure.js'

/** Signals as they come in. */
export interface Signals {
  readonly received: NodeJS.Signals | undefined
  /** The exit code after the signal; undefined while none came. */
  readonly exit: ExitCode | undefined
  /** Ends the listening. */
  stop(): void
}

/** Listens for SIGINT and SIGTERM from now on. */
export function watchSignals(): Signals {
  let received: NodeJS.Signals | undefined
  const names = ['SIGINT', 'SIGTERM'] as const
  const stop = (): void => {
    for (const name of names) process.off(name, note)
  }
  const note = (name: NodeJS.Signals): void => {
    received = name
    stop()
  }
  for (const name of names) process.on(name, note)
  return {
    get received() {
      return received
    },
    get exit() {
      if (received === undefined) return undefined
      return received === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated
    },
    stop,
  }
}
