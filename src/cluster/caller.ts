/**
 * Calls one node: a connection that is made with the first call, kept, and made again after it was lost. A
 * call is sent once; when its connection is lost, or the answer does not come in time, nobody knows what
 * became of it.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import type { Clock } from '../env/clock.js'
import type { Address, Connection, Network } from '../env/network.js'
import { asSeenFromHere } from '../replica/failure-form.js'
import { encodeHello } from '../replica/hello.js'
import { decodeCallAnswer, encodeCall } from './call-codec.js'

/** What a caller is made from. */
export interface CallerOptions {
  readonly network: Network
  readonly clock: Clock
  readonly address: Address
  /** The cluster that is called: a node of another one does not answer. Undefined: whichever it is. */
  readonly cluster?: string | undefined
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: SillokError) => void
}

/** The calls of this process to one node. */
export class Caller {
  readonly #options: CallerOptions
  readonly #waiting = new Map<number, Waiting>()
  #connecting: Promise<Connection> | undefined
  #number = 0
  #isClosed = false

  constructor(options: CallerOptions) {
    this.#options = options
  }

  /**
   * What the node answers. Rejects with what it refuses with; with UNAVAILABLE, of unknown outcome if it may
   * have taken the call; with TIMED_OUT after so many milliseconds; with CLOSED.
   */
  async call(method: string, argument: unknown, deadlineMs: number): Promise<unknown> {
    const number = ++this.#number
    const frame = encodeCall({ number, method, argument })
    const { clock, address } = this.#options
    return await new Promise((resolve, reject) => {
      const timer = clock.after(
        deadlineMs,
        () =>
          finish(() => reject(new SillokError('TIMED_OUT', `${address}: no answer for ${deadlineMs} ms`))),
        { idle: true },
      )
      const finish = (settle: () => void): void => {
        timer.stop()
        this.#waiting.delete(number)
        settle()
      }
      const waiting: Waiting = {
        resolve: value => finish(() => resolve(value)),
        reject: error => finish(() => reject(error)),
      }
      this.#waiting.set(number, waiting)
      this.#send(number, frame).catch(waiting.reject)
    })
  }

  /** Whoever waits is told so; nothing is called any more. */
  close(): void {
    this.#isClosed = true
    this.#connecting?.then(connection => connection.close()).catch(() => {})
    this.#lost(new SillokError('CLOSED', 'the caller is closed', { outcome: 'unknown' }))
  }

  async #send(number: number, frame: Buffer): Promise<void> {
    if (this.#isClosed) throw new SillokError('CLOSED', 'the caller is closed')
    const { address } = this.#options
    this.#connecting ??= this.#connect()
    const connection = await this.#connecting
    if (!this.#waiting.has(number)) return
    if (!connection.send(frame)) throw new SillokError('UNAVAILABLE', `${address} takes no more calls now`)
  }

  async #connect(): Promise<Connection> {
    const { network, address, cluster = '' } = this.#options
    try {
      const connection = await network.connect(address)
      connection.onMessage(bytes => this.#hear(bytes, connection))
      connection.onClose(() => {
        this.#connecting = undefined
        this.#lost(
          new SillokError('UNAVAILABLE', `${address}: the connection is lost`, { outcome: 'unknown' }),
        )
      })
      if (this.#isClosed) connection.close()
      connection.send(encodeHello({ purpose: 'calls', address: '', cluster, run: 0, number: 0 }))
      return connection
    } catch (error) {
      this.#connecting = undefined
      throw error
    }
  }

  #hear(bytes: Buffer, connection: Connection): void {
    try {
      const { number, result } = decodeCallAnswer(bytes)
      const waiting = this.#waiting.get(number)
      if (result instanceof SillokError) waiting?.reject(asSeenFromHere(result, this.#options.address))
      else waiting?.resolve(result.value)
    } catch (error) {
      if (!isSillokError(error)) throw error
      connection.close()
    }
  }

  #lost(error: SillokError): void {
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error)
  }
}
