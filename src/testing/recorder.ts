/**
 * Writes down a history while it happens: clients say when they ask and what they are told.
 *
 * No two moments of one recorder are the same, so that what it heard of first counts as first, also where a
 * clock stands still, as in a simulation. If recorders of several processes make one history, their clock
 * must be one that all of them share, and fine enough to seldom show one time twice.
 */
import { assert } from '../base/assert.js'
import { checkHistory, type Operation, type OperationOf, type OpName } from './history.js'

/** What a client asks for. */
export type Asked<Op extends OpName> = { readonly op: Op } & Pick<
  OperationOf<Op>,
  'client' | 'key' | 'in' | 'level'
>

/** An operation under way. One of the three is called, once; none is the same as `info`. */
export interface Pending<Op extends OpName> {
  /** It was answered. */
  ok(out: Exclude<OperationOf<Op>['out'], undefined>): void
  /** It certainly had no effect. */
  fail(): void
  /** It may have had an effect, or have it later. */
  info(): void
}

/** Collects the operations of any number of clients. */
export class HistoryRecorder {
  readonly #nowNs: () => number
  readonly #operations: Operation[] = []
  #last = -1

  /** `nowNs`: nanoseconds as a safe integer, such as `Number(process.hrtime.bigint() - origin)`. */
  constructor(nowNs: () => number) {
    this.#nowNs = nowNs
  }

  /** Everything so far, in the order of the calls. What is under way has the status info. */
  get history(): readonly Operation[] {
    return [...this.#operations]
  }

  /** Call it before the request leaves. Throws INVALID for what no operation is called with. */
  begin<Op extends OpName>({ client, op, key, in: input, level }: Asked<Op>): Pending<Op> {
    const place = this.#operations.length
    const settle = ({
      out,
      return: end,
      status,
    }: Pick<OperationOf<Op>, 'out' | 'return' | 'status'>): void => {
      const fields = { client, op, key, in: input, out, call, return: end, status }
      const operation = level === undefined ? fields : { ...fields, level }
      checkHistory([operation])
      this.#operations[place] = operation as unknown as Operation
    }
    const call = this.#moment()
    settle({ out: null, return: null, status: 'info' })
    let isOpen = true
    const end = (status: 'ok' | 'fail' | 'info', out: OperationOf<Op>['out']): void => {
      assert(isOpen, () => `the outcome of ${op} ${key} by ${client} is told once`)
      isOpen = false
      if (status !== 'info') settle({ out, return: this.#moment(), status })
    }
    return {
      ok: out => end('ok', out),
      fail: () => end('fail', null),
      info: () => end('info', null),
    }
  }

  #moment(): number {
    this.#last = Math.max(this.#last + 1, this.#nowNs())
    return this.#last
  }
}
