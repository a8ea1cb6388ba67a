/** Has definitions logged: by meta, and then by the partition of the documents, which takes them over. */
import { asUnknown } from '../base/errors.js'
import type { IndexId } from '../base/ids.js'
import type { Define, RebuildIndex } from '../machine/command.js'
import type { Host } from '../replica/host.js'
import type { Asking } from './asking.js'
import type { CallOptions } from './options.js'

/** What a change of a definition is made of the indexes that answer for those that are being made. */
export type CommandOf = (answering: readonly IndexId[]) => Define | RebuildIndex

/** Changes definitions. */
export class Definer {
  readonly #host: Host
  readonly #asking: Asking
  readonly #metaAsking: Asking

  constructor(host: Host, asking: Asking, metaAsking: Asking) {
    this.#host = host
    this.#asking = asking
    this.#metaAsking = metaAsking
  }

  /** When it resolves, every partition has logged it. One deadline holds for both waits. */
  async define(collection: string, commandOf: CommandOf, options: CallOptions): Promise<void> {
    const command = commandOf(this.#host.indexes.answeringMeanwhile(collection))
    const request = { sender: this, finish: () => {} }
    const work = async (): Promise<void> => {
      await this.#metaAsking.ask(command, 1024, request, options)
      // It is logged: what ends the wait for it to count does not undo it.
      await this.#host.defined().catch((error: unknown) => {
        throw asUnknown(error)
      })
    }
    await this.#asking.until(work, options)
  }
}
