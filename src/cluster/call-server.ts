/**
 * Answers the calls that come over one connection, each when it is done with; they run beside each other. A
 * caller that breaks the protocol, or does not take its answers, is cut off.
 */
import { messageOf, SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Connection } from '../env/network.js'
import type { CallTaker } from '../replica/receiver.js'
import { type Call, decodeCall, encodeCallAnswer } from './call-codec.js'

/**
 * Answers a call, with null if there is nothing to say; rejects with a SillokError. `isForgotten`: nobody
 * waits for the answer any more.
 */
export type AnswerCall = (method: string, argument: unknown, isForgotten: () => boolean) => Promise<unknown>

/** The calls over one connection. */
export class CallServer implements CallTaker {
  readonly #connection: Connection
  readonly #answer: AnswerCall
  #underWay = 0
  #isClosed = false

  constructor(connection: Connection, answer: AnswerCall) {
    this.#connection = connection
    this.#answer = answer
  }

  take(frame: Buffer): void {
    void this.#serve(decodeCall(frame))
  }

  close(): void {
    this.#isClosed = true
  }

  async #serve({ number, method, argument }: Call): Promise<void> {
    const result = await this.#resultOf(method, argument)
    if (this.#isClosed || this.#connection.send(encodeCallAnswer({ number, result }))) return
    this.#connection.close()
  }

  async #resultOf(method: string, argument: unknown): Promise<{ readonly value: unknown } | SillokError> {
    if (this.#underWay >= limits.callsMax) {
      return new SillokError('OVERLOADED', `${this.#underWay} calls of this connection are under way`)
    }
    this.#underWay += 1
    try {
      return { value: (await this.#answer(method, argument, () => this.#isClosed)) ?? null }
    } catch (error) {
      if (error instanceof SillokError) return error
      return new SillokError('STOPPED', `the node failed in ${method}: ${messageOf(error)}`, { cause: error })
    } finally {
      this.#underWay -= 1
    }
  }
}
