/**
 * The clock and the event loop of one simulated process.
 *
 * The monotonic clock may be fast or slow, the wall clock wrong, and jump. The event loop may stand still
 * (`stall`), or the process be stopped (`pause`): its clocks run on, and whatever is to be called in it
 * waits, timers, what arrives from disk and network, and `soon` calls. Then it goes on as Node does (measured
 * on 20.20, libuv 1.46): with the phase behind the one in which it stood still, each phase calling all that
 * it has, promises going on between two calls:
 *
 *   stood still in 'timers'   what arrived, `soon` calls, expired timers
 *   in 'poll' (also SIGSTOP)  `soon` calls, expired timers, what arrived
 *   in 'check'                expired timers, what arrived, `soon` calls
 *
 * So after two of the three an election timer is called before the heartbeat that had arrived in time; a
 * `soon` call made by that timer comes behind the heartbeat in all of them. A timer is called once, however
 * late. Operations of the disk that were begun go on, the process hears of their end later. Who calls
 * something in the process that comes through none of the simulated doors should do it by `arrive`.
 */
import { assert } from '../base/assert.js'
import type { MonotonicMs, WallMs } from '../base/ids.js'
import type { Clock, Timer } from '../env/clock.js'
import type { FaultCounts } from './fault-counts.js'
import type { SimProcess } from './sim-process.js'

/** Where the event loop of Node can stand still. */
export type LoopPhase = 'timers' | 'poll' | 'check'

/** The phases as they follow each other. */
const phases: readonly LoopPhase[] = ['timers', 'poll', 'check']

/** How the clock of a process behaves. */
export interface SimProcessOptions {
  /** How far its wall clock is ahead. */
  readonly wallSkewMs?: number
  /** How fast its monotonic clock runs; default 1. */
  readonly rate?: number
  readonly faults?: FaultCounts | undefined
}

/** By how much a timer is put off that would be called early by rounding. */
const tinyMs = 1e-6

interface Waiting {
  readonly dueMs: number
  readonly ms: number
  readonly phase: 'timers' | 'check'
  readonly idle: boolean
  readonly call: () => void
  timer: Timer | undefined
}

/** Why nothing is called; a pause has no end of its own. */
interface Hold {
  readonly phase: LoopPhase
  readonly endMs: number
  readonly timer: Timer | undefined
}

/** The way through the phases after a hold; `left` calls are still to be made in this one. */
interface Round {
  at: number
  left: number
  isTold: boolean
}

/** The clock as one process sees it. After `kill` nothing is called in it any more. */
export class SimProcessClock implements Clock, SimProcess {
  readonly #world: Clock
  readonly #faults: FaultCounts | undefined
  readonly #timers = new Set<Waiting>()
  readonly #queues: Record<LoopPhase, (Waiting | (() => void))[]> = { timers: [], poll: [], check: [] }
  readonly #holdCalls: (() => void)[] = []
  #rate: number
  /** From these two times on the present rate counts. */
  #sinceMs: { readonly world: number; readonly own: number } = { world: 0, own: 0 }
  #wallSkewMs: number
  #wallFault: 'wall-skew' | 'wall-jump' | undefined
  #hold: Hold | undefined
  #round: Round | undefined
  #isDead = false

  constructor(world: Clock, { wallSkewMs = 0, rate = 1, faults }: SimProcessOptions = {}) {
    this.#world = world
    this.#faults = faults
    this.#wallSkewMs = wallSkewMs
    this.#wallFault = wallSkewMs === 0 ? undefined : 'wall-skew'
    this.#rate = rate
    assertRate(rate)
  }

  /** How fast the monotonic clock runs. */
  get rate(): number {
    return this.#rate
  }

  /** How far the wall clock is ahead. */
  get wallSkewMs(): number {
    return this.#wallSkewMs
  }

  get isHeld(): boolean {
    return this.#hold !== undefined || this.#round !== undefined
  }

  monotonicMs(): MonotonicMs {
    const { world, own } = this.#sinceMs
    return own + (this.#world.monotonicMs() - world) * this.#rate
  }

  wallMs(): WallMs {
    if (this.#wallFault !== undefined) this.#faults?.count(this.#wallFault)
    this.#wallFault = undefined
    return this.#world.wallMs() + this.#wallSkewMs
  }

  after(ms: number, call: () => void, options?: { readonly idle?: boolean }): Timer {
    return this.#wait({ phase: 'timers', ms, idle: options?.idle === true, call })
  }

  soon(call: () => void): void {
    if (this.isHeld) this.#queue('check', call)
    else this.#wait({ phase: 'check', ms: 0, idle: false, call })
  }

  arrive(call: () => void): void {
    if (this.isHeld) this.#queue('poll', call)
    else if (!this.#isDead) call()
  }

  onHold(call: () => void): void {
    this.#holdCalls.push(call)
  }

  /** From now on the monotonic clock runs that fast. No timer is called early by it. */
  setRate(rate: number): void {
    assertRate(rate)
    this.#sinceMs = { world: this.#world.monotonicMs(), own: this.monotonicMs() }
    this.#rate = rate
  }

  /** The wall clock is set, forth or back. */
  jumpWall(ms: number): void {
    this.#wallSkewMs += ms
    if (ms !== 0) this.#wallFault = 'wall-jump'
  }

  /**
   * The event loop stands still for so long, in that phase; what is being called now comes to its end before.
   * During another stall: until the later end of both. During a pause nothing changes.
   */
  stall(ms: number, phase: LoopPhase = 'poll'): void {
    assert(ms >= 0 && ms < Number.POSITIVE_INFINITY, () => `a stall of ${ms} ms`)
    const endMs = this.#world.monotonicMs() + ms
    if (this.#isDead || (this.#hold !== undefined && this.#hold.endMs >= endMs)) return
    this.#holdBack({ phase, endMs, timer: this.#world.after(ms, () => this.#goOn()) })
  }

  /**
   * The process is stopped until `resume`, which a timer that is not idle should call. It stands where it
   * waits for something to come.
   */
  pause(): void {
    if (this.#isDead) return
    this.#holdBack({ phase: 'poll', endMs: Number.POSITIVE_INFINITY, timer: undefined })
  }

  /** Ends a pause. */
  resume(): void {
    if (this.#hold !== undefined && this.#hold.timer === undefined) this.#goOn()
  }

  /** The process is gone: its timers are stopped, new ones never fire, nothing arrives. */
  kill(): void {
    this.#isDead = true
    for (const waiting of this.#timers) waiting.timer?.stop()
    this.#timers.clear()
    this.#hold?.timer?.stop()
    this.#hold = undefined
    this.#round = undefined
    for (const phase of phases) this.#queues[phase].length = 0
  }

  #wait(wanted: Omit<Waiting, 'dueMs' | 'timer'>): Timer {
    if (this.#isDead) return { stop: () => {} }
    const waiting: Waiting = { ...wanted, dueMs: this.monotonicMs() + wanted.ms, timer: undefined }
    this.#arm(waiting, wanted.ms)
    return { stop: () => this.#stop(waiting) }
  }

  #arm(waiting: Waiting, ms: number): void {
    const { idle } = waiting
    waiting.timer = this.#world.after(ms / this.#rate, () => this.#fire(waiting), { idle })
    this.#timers.add(waiting)
  }

  #fire(waiting: Waiting): void {
    const leftMs = waiting.dueMs - this.monotonicMs()
    if (leftMs > 0) {
      this.#arm(waiting, Math.max(leftMs, tinyMs))
      return
    }
    this.#timers.delete(waiting)
    if (this.#rate !== 1 && waiting.ms > 0) this.#faults?.count('clock-drift')
    if (this.isHeld) this.#queue(waiting.phase, waiting)
    else waiting.call()
  }

  #stop(waiting: Waiting): void {
    waiting.timer?.stop()
    if (this.#timers.delete(waiting)) return
    const queue = this.#queues[waiting.phase]
    const at = queue.indexOf(waiting)
    if (at < 0) return
    queue.splice(at, 1)
    const round = this.#round
    if (round !== undefined && phases[round.at] === waiting.phase && at < round.left) round.left--
  }

  #queue(phase: LoopPhase, call: Waiting | (() => void)): void {
    if (!this.#isDead) this.#queues[phase].push(call)
  }

  #holdBack(hold: Hold): void {
    this.#hold?.timer?.stop()
    const isNew = this.#hold === undefined
    this.#hold = hold
    this.#round = undefined
    if (isNew) for (const call of this.#holdCalls) call()
  }

  #goOn(): void {
    const { phase = 'poll', timer } = this.#hold ?? {}
    this.#hold = undefined
    // Still held: what comes in this same moment comes behind what waits.
    const round: Round = { at: phases.indexOf(phase), left: 0, isTold: false }
    this.#round = round
    this.#world.soon(() => {
      if (this.#round !== round) return
      const isHolding = phases.some(one => this.#queues[one].length > 0)
      if (isHolding) this.#faults?.count(timer === undefined ? 'pause' : `stall-in-${phase}`)
      this.#callNext(round)
    })
  }

  /** One call in each turn, so that promises go on in between. */
  #callNext(round: Round): void {
    if (this.#round !== round) return
    for (let looked = 0; round.left === 0; looked++) {
      if (looked > phases.length) {
        this.#round = undefined
        return
      }
      round.at = (round.at + 1) % phases.length
      round.left = this.#queues[this.#phaseOf(round)].length
    }
    round.left--
    const phase = this.#phaseOf(round)
    const next = this.#queues[phase].shift()
    if (phase === 'timers' && !round.isTold && this.#queues.poll.length > 0) {
      round.isTold = true
      this.#faults?.count('timer-before-arrival')
    }
    this.#world.soon(() => this.#callNext(round))
    if (typeof next === 'function') next()
    else next?.call()
  }

  #phaseOf(round: Round): LoopPhase {
    return phases[round.at] ?? 'poll'
  }
}

function assertRate(rate: number): void {
  assert(rate >= 0.5 && rate <= 2, () => `a clock that runs ${rate} times as fast`)
}
