/** Looks for a run that shows a bug, in a process of its own. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Failure } from './search.js'
import type { Hunt, Said } from './worker.js'

/** What became of it. */
export interface Outcome {
  /** Seeds that were run, the one that failed among them. */
  readonly seeds: number
  readonly failure?: Failure
}

/** A seed that takes longer, in real time, never ends. */
const patienceMs = 240_000
const path = fileURLToPath(new URL('./worker.js', import.meta.url))

/** Resolves when one failed or all were run; a process that dies or hangs shows the bug too. */
export function hunted(hunt: Hunt): Promise<Outcome> {
  const env = { ...process.env, NODE_OPTIONS: '' }
  const child = fork(path, { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let seeds = 0
  let failure: Failure | undefined
  let isOver = false
  let errors = ''
  const lost = (message: string): Failure => ({ arena: '', seed: hunt.from + seeds, message })
  const hangs = (): void => {
    failure = lost(`it does not end in ${patienceMs / 1000} s`)
    child.kill('SIGKILL')
  }
  let patience = setTimeout(hangs, patienceMs)
  child.stderr?.on('data', (data: Buffer) => {
    errors = (errors + data.toString()).slice(-4000)
  })
  child.on('message', (said: Said) => {
    clearTimeout(patience)
    if ('kept' in said) {
      seeds += 1
      patience = setTimeout(hangs, patienceMs)
      return
    }
    isOver = true
    if ('failed' in said) failure = said.failed
  })
  child.send(hunt)
  return new Promise(resolve => {
    child.once('close', () => {
      clearTimeout(patience)
      if (!isOver) failure ??= lost(`its process ended: ${errors}`)
      resolve(failure === undefined ? { seeds } : { seeds: seeds + 1, failure })
    })
  })
}
