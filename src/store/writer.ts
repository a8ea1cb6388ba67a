/**
 * Who writes: the store itself, or a session. Commands of one writer are decided in call order.
 */
import { SillokError } from '../base/errors.js'
import type { Write } from '../machine/command.js'
import type { Done } from '../machine/reply.js'
import type { Asking } from './asking.js'
import { weigh } from './asking.js'
import type { WriteOptions } from './options.js'

/** Sends document operations. */
export interface Writer {
  write(write: Omit<Write, 'mark'>, options: WriteOptions): Promise<Done>
}

/** Writes without a session: a retry by the caller is a new request. */
export class PlainWriter implements Writer {
  readonly #asking: Asking

  constructor(asking: Asking) {
    this.#asking = asking
  }

  write(write: Omit<Write, 'mark'>, options: WriteOptions): Promise<Done> {
    if (options.sequence !== undefined) {
      const message = 'sequence: only a caller-numbered session takes it, see db.session'
      return Promise.reject(new SillokError('INVALID', message))
    }
    const command: Write = { ...write, mark: undefined }
    return this.#asking.ask(command, weigh(command), this, options)
  }
}
