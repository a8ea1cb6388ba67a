/**
 * Ctrl-C for verbs that have something to end first: the first signal is noted, or what must be done is done
 * at once; the second ends the process as if nobody listened.
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

const names = ['SIGINT', 'SIGTERM'] as const

/** Listens for SIGINT and SIGTERM from now on; `came` is called once, with the first. */
export function watchSignals(came: () => void = () => {}): Signals {
  let received: NodeJS.Signals | undefined
  const stop = (): void => {
    for (const name of names) process.off(name, note)
  }
  const note = (name: NodeJS.Signals): void => {
    received = name
    stop()
    came()
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

/**
 * Calls when SIGINT or SIGTERM comes, then the process ends by it as if nobody listened. Returns what ends
 * the listening.
 */
export function beforeSignal(call: () => void): () => void {
  const stop = (): void => {
    for (const name of names) process.off(name, end)
  }
  const end = (name: NodeJS.Signals): void => {
    stop()
    try {
      call()
    } finally {
      process.kill(process.pid, name)
    }
  }
  for (const name of names) process.on(name, end)
  return stop
}
