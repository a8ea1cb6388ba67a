/**
 * How long the operations of a simulated device take: a usual time, a longer one while it is slow, and while
 * it hangs until it is let go on. Faults draw from a stream of chance of their own.
 */
import type { Random } from '../base/random.js'
import type { Clock } from '../env/clock.js'
import type { FaultCounts, FaultKind } from './fault-counts.js'
import { drawMs, type Span } from './sim-span.js'

/** Where time and chance come from. */
export interface SimPaceOptions {
  readonly clock: Clock
  /** Of the device; for the usual times. */
  readonly random: Random
  /** For the times of a slow device. */
  readonly faultRandom: Random
  /** 'random' (default): 0.01 to 2 ms of the clock per operation; 'none': the next microtask. */
  readonly latency?: 'random' | 'none'
  readonly faults?: FaultCounts | undefined
  /** What counts as slow, and as hung. */
  readonly kinds: { readonly slow: FaultKind; readonly hung: FaultKind }
}

type Where = (path: string) => boolean

const everywhere: Where = () => true
const usualMs: Span = [0.01, 2]

/** The pace of one device, for operations at paths. */
export class SimPace {
  readonly #options: SimPaceOptions
  #slow: { readonly span: Span; readonly where: Where } | undefined
  #hangs: Where | undefined
  #hung: (() => void)[] = []

  constructor(options: SimPaceOptions) {
    this.#options = options
  }

  /** From now on operations there take a time of the span; without one the usual time again. */
  setSlow(span: Span | undefined, where = everywhere): void {
    this.#slow = span && { span, where }
  }

  /** From now on operations that are begun there do not end until `letGo`, or the process. */
  hang(where = everywhere): void {
    this.#hangs = where
  }

  /** They all end now, in their order. */
  letGo(): void {
    this.#hangs = undefined
    for (const end of this.#hung.splice(0)) end()
  }

  /** As usual again. */
  calm(): void {
    this.setSlow(undefined)
    this.letGo()
  }

  /** Settles when an operation that is begun now is done; undefined if it is done now. */
  wait(path: string): Promise<void> | undefined {
    const { clock, random, faultRandom, latency, faults, kinds } = this.#options
    let ms = latency === 'none' ? undefined : drawMs(random, usualMs)
    if (this.#hangs?.(path)) {
      faults?.count(kinds.hung)
      return new Promise(resolve => this.#hung.push(resolve))
    }
    if (this.#slow?.where(path)) {
      faults?.count(kinds.slow)
      ms = drawMs(faultRandom, this.#slow.span)
    }
    if (ms === undefined) return undefined
    const waitMs = ms
    return new Promise(resolve => clock.after(waitMs, resolve))
  }
}
