/**
 * Simulated time: nothing waits; the clock jumps to the next event.
 *
 * Same calls, same order: events fire by (time, order of the call). Between two moments every promise that
 * can go on does so (a turn of the real event loop). Events of one moment fire together, then promises go on.
 */
import { assert } from '../base/assert.js'
import type { MonotonicMs, WallMs } from '../base/ids.js'
import type { Clock, Timer } from '../env/clock.js'
import type { FaultCounts } from './fault-counts.js'
import { SimProcessClock, type SimProcessOptions } from './sim-process-clock.js'

export type { SimProcessClock }

interface Event {
  readonly atMs: number
  readonly sequence: number
  readonly idle: boolean
  call: (() => void) | undefined
}

/** The real one, also while it is trapped for all others (see trapped-globals.ts). */
const nextTurn = globalThis.setImmediate

/** Turns of the event loop with nothing to fire before a world counts as stuck. */
const quietTurnsMax = 3

/**
 * So many turns are asked for at once while there is something to fire: promises go on after each of them,
 * but the loop looks only once for real events, which would cost more than an event of the world.
 */
const turnsAtOnce = 64

/** The clock of a simulated world. Time stands still unless one of the `run` verbs is under way. */
export class SimClock implements Clock {
  #nowMs = 0
  #sequence = 0
  #fired = 0
  #heap: Event[] = []
  #stopped = 0
  /** Events that are not idle and neither fired nor stopped. */
  #busy = 0
  #running = false
  readonly #wallStartMs: WallMs
  readonly #faults: FaultCounts | undefined

  /** `faults`: where the clocks of processes count theirs. */
  constructor(wallStartMs: WallMs = 1_700_000_000_000, faults?: FaultCounts) {
    this.#wallStartMs = wallStartMs
    this.#faults = faults
  }

  /** How many events have fired. */
  get fired(): number {
    return this.#fired
  }

  monotonicMs(): MonotonicMs {
    return this.#nowMs
  }

  wallMs(): WallMs {
    return Math.floor(this.#wallStartMs + this.#nowMs)
  }

  after(ms: number, call: () => void, options?: { readonly idle?: boolean }): Timer {
    assert(ms >= 0 && ms < Number.POSITIVE_INFINITY, () => `a timer of ${ms} ms`)
    const idle = options?.idle === true
    const event: Event = { atMs: this.#nowMs + ms, sequence: this.#sequence++, idle, call }
    this.#push(event)
    if (!idle) this.#busy++
    return { stop: () => this.#stop(event) }
  }

  soon(call: () => void): void {
    this.#push({ atMs: this.#nowMs, sequence: this.#sequence++, idle: false, call })
    this.#busy++
  }

  /**
   * A clock for one process of the simulation: with the same time (or one of its own, see there), and timers
   * that die with it. A number: how far its wall clock is ahead.
   */
  process(options: number | SimProcessOptions = {}): SimProcessClock {
    const given = typeof options === 'number' ? { wallSkewMs: options } : options
    return new SimProcessClock(this, { faults: this.#faults, ...given })
  }

  /**
   * Lets the world go on until the promise settles, and settles likewise. Throws "stuck" when only idle
   * timers, or nothing, is left. What an event throws comes out here.
   */
  async run<T>(work: Promise<T> | (() => Promise<T>)): Promise<T> {
    const promise = typeof work === 'function' ? work() : work
    let settled = false
    const settle = (): void => {
      settled = true
    }
    promise.then(settle, settle)
    await this.runUntil(() => settled)
    return await promise
  }

  /** Lets the world go on for that long; idle timers fire too. */
  async runFor(ms: number): Promise<void> {
    await this.run(new Promise<void>(resolve => this.after(ms, resolve)))
  }

  /** Lets the world go on until the condition holds; it is looked at before each moment. */
  runUntil(condition: () => boolean): Promise<void> {
    assert(!this.#running, 'the clock is already being run')
    this.#running = true
    return new Promise<void>((resolve, reject) => {
      let quiet = 0
      /** Turns of an earlier number do nothing. */
      let number = 0
      let left = 0
      const ask = (turns: number): void => {
        number++
        left = turns
        for (let count = 0; count < turns; count++) nextTurn(turn, number)
      }
      const end = (): void => {
        number++
        this.#running = false
      }
      const turn = (own: number): void => {
        if (own !== number) return
        left--
        try {
          if (condition()) {
            end()
            resolve()
            return
          }
          quiet = this.#fireNext() ? 0 : quiet + 1
          if (quiet > quietTurnsMax) throw new Error(this.#stuck())
          if (quiet > 0) ask(1)
          else if (left === 0) ask(turnsAtOnce)
        } catch (error) {
          end()
          reject(error)
        }
      }
      ask(1)
    })
  }

  #stuck(): string {
    const idle = this.#heap.length - this.#stopped
    const when = `at ${this.#nowMs} ms, after ${this.#fired} events`
    return `stuck: nothing is left to happen ${when}, but ${idle} idle timers`
  }

  /**
   * Fires all events of the next moment that were there before it; false if only idle ones, or none, are
   * left.
   */
  #fireNext(): boolean {
    if (this.#busy === 0) return false
    const end = this.#sequence
    let moment: number | undefined
    for (;;) {
      const next = this.#heap[0]
      if (next === undefined) break
      if (next.call !== undefined) {
        if (moment === undefined) moment = next.atMs
        if (next.atMs !== moment || next.sequence >= end) break
      }
      this.#pop()
      if (next.call === undefined) this.#stopped--
      else this.#fire(next, next.call)
    }
    return true
  }

  #fire(event: Event, call: () => void): void {
    this.#nowMs = event.atMs
    this.#fired++
    event.call = undefined
    if (!event.idle) this.#busy--
    call()
  }

  #stop(event: Event): void {
    if (event.call === undefined) return
    event.call = undefined
    if (!event.idle) this.#busy--
    this.#stopped++
    if (this.#stopped < 256 || this.#stopped * 2 < this.#heap.length) return
    const alive = this.#heap.filter(one => one.call !== undefined)
    this.#heap = []
    this.#stopped = 0
    for (const one of alive) this.#push(one)
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = heap[up]
      if (parent === undefined || before(parent, event)) break
      heap[at] = parent
      at = up
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let down = 2 * at + 1
      let child = heap[down]
      if (child === undefined) break
      const right = heap[down + 1]
      if (right !== undefined && before(right, child)) {
        child = right
        down++
      }
      if (before(last, child)) break
      heap[at] = child
      at = down
    }
    heap[at] = last
  }
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}
