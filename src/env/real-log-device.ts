/**
 * Log devices of the real disk: one thread for all of one disk, started with the first.
 *
 * Answers come by Atomics.waitAsync (measured sooner than postMessage), which does not hold the process: the
 * thread is referenced while a command is under way, and only then.
 *
 * To be woken on an idle core takes as long as a fast disk does. So a lone commit is waited for by looking,
 * and the thread looks for the next one, for a moment and no longer; where the disk proves slower than that,
 * it is not tried again for a while. Measured on 2 idle cores (p50, one write after the other): bare write +
 * fdatasync 0.15 ms, a put without this 0.38 ms, with it 0.24 ms.
 */
import { close } from 'node:fs'
import { availableParallelism, constants } from 'node:os'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { assert } from '../base/assert.js'
import type { SillokError } from '../base/errors.js'
import { isSillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { CommitOptions, LogDevice } from './disk.js'
import { logBufferBytes, noteOffset, slot, slotBytes } from './log-protocol.js'
import { numberedError } from './system-errors.js'

/** Part of ES2024; the compiler's libraries here end with ES2023. */
interface AtomicsWithWait {
  waitAsync(
    state: Int32Array,
    position: number,
    value: number,
  ): { readonly async: boolean; readonly value: unknown }
}

const closeFile = promisify(close)

/** After so many misses in a row a lone commit in 1,024 is still tried. */
const missesMax = 10

interface Place {
  readonly descriptor: number
  readonly path: string
  readonly offset: number
}

interface Note {
  readonly descriptor: number
  readonly bytes: Uint8Array
}

/** The thread that writes for all log devices of a disk, one command at a time. */
export class LogThread {
  readonly #slot = new SharedArrayBuffer(slotBytes)
  readonly #state = new Int32Array(this.#slot, 0, noteOffset / 4)
  readonly #note = Buffer.from(this.#slot, noteOffset)
  readonly #shared = new SharedArrayBuffer(logBufferBytes)
  readonly #buffer = Buffer.from(this.#shared)
  readonly #worker: Worker
  readonly #ended: Promise<void>
  #alive = true
  /** Lone commits in a row that took too long to look for their end, and how many are now not tried. */
  #misses = 0
  #untried = availableParallelism() > 1 ? 0 : Number.POSITIVE_INFINITY
  /** Resolves when the commands given so far are done. */
  #last: Promise<void> = Promise.resolve()

  constructor() {
    this.#worker = new Worker(new URL('./log-worker.js', import.meta.url), {
      workerData: { slot: this.#slot, buffer: this.#shared },
      execArgv: [],
    })
    this.#worker.unref()
    this.#ended = new Promise(resolve => {
      this.#worker.on('error', () => this.#fall())
      this.#worker.on('exit', () => {
        this.#fall()
        resolve()
      })
    })
  }

  /** Writes the buffers whole and syncs the file, after what was asked for before; then the note. */
  commit(at: Place, buffers: readonly Uint8Array[], note: Note | undefined, isLone: boolean): Promise<void> {
    const done = this.#last.then(() => this.#commit(at, buffers, note, isLone))
    this.#last = done.catch(() => {})
    return done
  }

  /** Ends the thread, after what was asked for before. */
  async close(): Promise<void> {
    await this.#last
    Atomics.store(this.#state, slot.end, 1)
    Atomics.add(this.#state, slot.command, 1)
    Atomics.notify(this.#state, slot.command)
    this.#worker.ref()
    await this.#ended
  }

  async #commit(
    { descriptor, path, offset }: Place,
    buffers: readonly Uint8Array[],
    note: Note | undefined,
    isLone: boolean,
  ): Promise<void> {
    this.#worker.ref()
    try {
      this.#state[slot.noteDescriptor] = -1
      let filled = 0
      let at = offset
      for (const buffer of buffers) {
        for (let taken = 0; taken < buffer.length; ) {
          if (filled === logBufferBytes) {
            await this.#perform({ descriptor, path, offset: at }, filled, 'write', false)
            at += filled
            filled = 0
          }
          const part = buffer.subarray(taken, taken + logBufferBytes - filled)
          this.#buffer.set(part, filled)
          filled += part.length
          taken += part.length
        }
      }
      if (note !== undefined) {
        this.#note.set(note.bytes)
        this.#state[slot.noteLength] = note.bytes.length
        this.#state[slot.noteDescriptor] = note.descriptor
      }
      await this.#perform({ descriptor, path, offset: at }, filled, 'sync', isLone)
    } finally {
      this.#worker.unref()
    }
  }

  async #perform(
    { descriptor, path, offset }: Place,
    length: number,
    last: 'write' | 'sync',
    isLone: boolean,
  ): Promise<void> {
    if (!this.#alive) throw numberedError(-constants.errno.EIO, 'write', path)
    const state = this.#state
    state[slot.descriptor] = descriptor
    state[slot.length] = length
    state[slot.offsetLow] = (offset % 2 ** 32) | 0
    state[slot.offsetHigh] = Math.floor(offset / 2 ** 32)
    state[slot.sync] = last === 'sync' ? 1 : 0
    const looks = isLone && this.#looks()
    state[slot.isLone] = looks ? 1 : 0
    const before = Atomics.load(state, slot.answered)
    Atomics.add(state, slot.command, 1)
    Atomics.notify(state, slot.command)
    // A loop of awaited writes would otherwise never let the event loop go on.
    if (looks && this.#sees(before)) await new Promise<void>(resolve => setImmediate(resolve))
    const answer = (Atomics as unknown as AtomicsWithWait).waitAsync(state, slot.answered, before)
    if (answer.async) await answer.value
    const error = state[slot.error] ?? 0
    if (error !== 0) throw numberedError(error, state[slot.syncFailed] === 1 ? 'sync' : 'write', path)
  }

  /** True unless this lone commit is one of those that are not tried. */
  #looks(): boolean {
    if (this.#untried === 0) return true
    this.#untried--
    return false
  }

  /** Looks for the answer for a moment; true if it came. After a miss the next ones are not tried. */
  #sees(before: number): boolean {
    const until = performance.now() + limits.loneCommitMs
    while (Atomics.load(this.#state, slot.answered) === before) {
      if (performance.now() < until) continue
      this.#misses = Math.min(this.#misses + 1, missesMax)
      this.#untried = 2 ** this.#misses
      return false
    }
    this.#misses = 0
    return true
  }

  /** The thread is gone: what waits for it fails. */
  #fall(): void {
    if (!this.#alive) return
    this.#alive = false
    this.#state[slot.error] = -constants.errno.EIO
    Atomics.store(this.#state, slot.answered, Atomics.load(this.#state, slot.command))
    Atomics.notify(this.#state, slot.answered)
  }
}

/**
 * A file behind the log thread. After DISK_FAILED every commit fails alike: the file is not to be trusted.
 */
export class RealLogDevice implements LogDevice {
  readonly #thread: LogThread
  readonly #descriptor: number
  readonly #path: string
  readonly #noteDescriptor: number | undefined
  #busy = false
  #open = true
  #failed: SillokError | undefined

  constructor(thread: LogThread, descriptor: number, path: string, noteDescriptor: number | undefined) {
    this.#thread = thread
    this.#descriptor = descriptor
    this.#path = path
    this.#noteDescriptor = noteDescriptor
  }

  async commit(buffers: readonly Uint8Array[], offset: number, options: CommitOptions = {}): Promise<void> {
    assert(this.#open && !this.#busy, () => `one commit at a time, on an open device: ${this.#path}`)
    if (this.#failed !== undefined) throw this.#failed
    this.#busy = true
    try {
      const place = { descriptor: this.#descriptor, path: this.#path, offset }
      const { note: bytes, isLone = false } = options
      const descriptor = this.#noteDescriptor
      const note = descriptor === undefined || bytes === undefined ? undefined : { descriptor, bytes }
      await this.#thread.commit(place, buffers, note, isLone)
    } catch (error) {
      if (isSillokError(error, 'DISK_FAILED')) this.#failed = error
      throw error
    } finally {
      this.#busy = false
    }
  }

  async close(): Promise<void> {
    if (!this.#open) return
    assert(!this.#busy, () => `closed during a commit: ${this.#path}`)
    this.#open = false
    await closeFile(this.#descriptor)
    if (this.#noteDescriptor !== undefined) await closeFile(this.#noteDescriptor)
  }
}
