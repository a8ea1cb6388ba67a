/**
 * Sends one snapshot over a connection of its own: hello, the message that announces it, its pieces, the end.
 *
 * The other side answers each frame when it has dealt with it, and a few may be ahead of the answers: so the
 * slower of the two disks sets the pace, and little memory is held. Whoever does not answer in time, refuses,
 * or is gone ends the sending; nothing is resumed, the next attempt begins anew.
 */
import { type ErrorDetails, SillokError } from '../base/errors.js'
import type { PartitionId } from '../base/ids.js'
import type { Clock, Timer } from '../env/clock.js'
import type { Connection } from '../env/network.js'
import type { InstallSnapshot } from '../raft/messages.js'
import { encodePeerMessage } from './message-codec.js'
import { decodeAnswer, encodeEnd, encodePiece, framesAhead } from './snapshot-codec.js'
import type { SnapshotPiece } from './snapshot-parcel.js'

/** How long one answer may take. */
const patienceMs = 60_000
/** Behind the state, and behind the end, what was sent is read back and checked: at this rate at least. */
const checkedBytesPerMs = 50_000

/** What is sent, and over what. */
export interface OutgoingOptions {
  readonly connection: Connection
  readonly clock: Clock
  readonly hello: Buffer
  readonly partition: PartitionId
  readonly message: InstallSnapshot
  readonly pieces: AsyncIterable<SnapshotPiece>
}

/** The sending of one snapshot: `run` once. */
export class OutgoingSnapshot {
  readonly #options: OutgoingOptions
  #sent = 0
  #sentBytes = 0
  /** How much longer an answer may take, for what is checked before it. */
  #checkMs = 0
  #answered = 0
  #failure: SillokError | undefined
  /** Goes on after an answer, or a failure. */
  #heard: (() => void) | undefined
  #patience: Timer | undefined

  constructor(options: OutgoingOptions) {
    this.#options = options
  }

  /**
   * Resolves when the other side has all of it, checked and durable, and either goes on from it or found that
   * it need not. Rejects with UNAVAILABLE (gone or silent; with `details.refused`: it does not take it), or
   * with what the pieces reject with. The connection is closed then.
   */
  async run(): Promise<void> {
    const { connection, hello, partition, message, pieces } = this.#options
    connection.onMessage(bytes => this.#hear(bytes))
    connection.onClose(() => this.#fail('the connection is lost'))
    try {
      if (!connection.send(hello)) throw unavailable('the connection is lost')
      await this.#send(encodePeerMessage(partition, message))
      // Nothing is read for somebody who does not want it.
      await this.#answers(1)
      for await (const piece of pieces) {
        if (piece.type === 'entries') this.#checks()
        await this.#send(encodePiece(partition, piece))
      }
      this.#checks()
      await this.#send(encodeEnd(partition))
      await this.#answers(this.#sent)
    } finally {
      connection.close()
    }
  }

  /** Waits until there is room for one more frame. */
  async #send(frame: Buffer): Promise<void> {
    await this.#answers(this.#sent + 1 - framesAhead)
    if (!this.#options.connection.send(frame)) throw unavailable('the connection takes no more')
    this.#sent += 1
    this.#sentBytes += frame.length
  }

  /** All that was sent so far may be checked before the next answers. */
  #checks(): void {
    this.#checkMs = this.#sentBytes / checkedBytesPerMs
  }

  /** Until so many frames are answered. */
  async #answers(count: number): Promise<void> {
    const { clock } = this.#options
    const ms = patienceMs + this.#checkMs
    while (this.#failure === undefined && this.#answered < count) {
      await new Promise<void>(resolve => {
        this.#heard = resolve
        this.#patience = clock.after(ms, () => this.#fail(`no answer for ${Math.round(ms / 1000)} s`))
      })
      this.#patience?.stop()
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  #hear(bytes: Buffer): void {
    try {
      const answer = decodeAnswer(this.#options.partition, bytes)
      if (answer.type === 'refused') this.#fail(answer.reason, { refused: true })
      else if (answer.frames <= this.#answered || answer.frames > this.#sent)
        this.#fail(`an answer to frame ${answer.frames} of ${this.#sent}`)
      else this.#answered = answer.frames
    } catch (error) {
      if (!(error instanceof SillokError)) throw error
      this.#fail(error.message)
    }
    this.#heard?.()
  }

  #fail(why: string, details: ErrorDetails = {}): void {
    this.#failure ??= unavailable(why, details)
    this.#heard?.()
  }
}

function unavailable(why: string, details: ErrorDetails = {}): SillokError {
  return new SillokError('UNAVAILABLE', `a snapshot could not be sent: ${why}`, { details })
}
