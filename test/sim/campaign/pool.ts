/**
 * Several processes that run worlds, each the next one as soon as it is free. A process that dies or does not
 * come to an end costs its own world only.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { lostWorld, type SeedResult, type SeedTask } from './seed-result.js'

/** A world that takes longer, in real time, hangs. */
const patienceMs = 300_000
const workerPath = fileURLToPath(new URL('./worker.js', import.meta.url))

/** A process at work. */
interface Worker {
  readonly child: ChildProcess
  /** Ends the world that it is at, with what became of it. */
  settle: ((result: SeedResult) => void) | undefined
}

/** Processes for worlds; `close` when there are no more. */
export class Pool {
  readonly #idle: Worker[] = []
  readonly #all = new Set<Worker>()
  readonly #count: number

  constructor(count: number) {
    this.#count = count
  }

  /** Runs what `next` gives until it gives nothing, as many at a time as there are processes. */
  async runAll(next: () => SeedTask | undefined, done: (result: SeedResult) => void): Promise<void> {
    const lanes = Array.from({ length: this.#count }, async () => {
      for (let task = next(); task !== undefined; task = next()) done(await this.run(task))
    })
    await Promise.all(lanes)
  }

  /** Runs it in a process of its own or one that is idle. */
  async run(task: SeedTask): Promise<SeedResult> {
    const worker = this.#idle.pop() ?? this.#start()
    const began = Date.now()
    let hung: NodeJS.Timeout | undefined
    const result = await new Promise<SeedResult>(resolve => {
      const lost = (check: string): void =>
        resolve({ ...task, wallMs: Date.now() - began, cpuMs: 0, broken: lostWorld(task.seed, check) })
      worker.settle = resolve
      worker.child.once('exit', (code, signal) => lost(`its process ended: ${signal ?? code}`))
      hung = setTimeout(() => {
        lost(`it does not end in ${patienceMs / 1000} s`)
        worker.child.kill('SIGKILL')
      }, patienceMs)
      worker.child.send(task)
    })
    clearTimeout(hung)
    worker.settle = undefined
    worker.child.removeAllListeners('exit')
    if (worker.child.connected && !worker.child.killed) this.#idle.push(worker)
    else this.#all.delete(worker)
    return result
  }

  /** No process is left. */
  close(): void {
    for (const { child } of this.#all) if (child.connected) child.disconnect()
  }

  #start(): Worker {
    const env = { ...process.env, NODE_OPTIONS: '' }
    const child = fork(workerPath, { execArgv: ['--enable-source-maps'], env, stdio: 'inherit' })
    const worker: Worker = { child, settle: undefined }
    child.on('message', (result: SeedResult) => worker.settle?.(result))
    this.#all.add(worker)
    return worker
  }
}
