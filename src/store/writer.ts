/**
 * Who writes: the store itself, or a session. Commands of one writer are decided in call order.
 */
import { SillokError } from '../base/errors.js'
import type { Operation } from '../machine/command.js'
import type { Done } from '../machine/reply.js'
import type { Asking } from './asking.js'
import { weigh } from './asking.js'
import type { WriteOptions } from './options.js'

/** Sends document operations: all of them take effect, or none. */
export interface Writer {
  /** Resolves with what `finish` makes of the answer. */
  write<R>(operations: readonly Operation[], options: WriteOptions, finish: (done: Done) => R): Promise<R>
}

/** Writes of the store itself, without a session: a retry by the caller is a new request. */
export class PlainWriter implements Writer {
  readonly #asking: Asking

  constructor(asking: Asking) {
    this.#asking = asking
  }

  write<R>(operations: readonly Operation[], options: WriteOptions, finish: (done: Done) => R): Promise<R> {
    if (options.sequence !== undefined) {
      const message = 'sequence: only a caller-numbered session takes it, see db.session'
      return Promise.reject(new SillokError('INVALID', message))
    }
    const command = { type: 'write', operations, mark: undefined } as const
    return this.#asking.ask(command, weigh(operations), { sender: this, finish }, options)
  }
}
