/**
 * Takes one snapshot from a connection, frame by frame in order, and answers each when it is dealt with. What
 * goes wrong is told to the other side, which closes then; whatever ends the transfer before its time, what
 * came so far is given up.
 */
import { messageOf, SillokError } from '../base/errors.js'
import type { PartitionId } from '../base/ids.js'
import type { Clock, Timer } from '../env/clock.js'
import type { Connection } from '../env/network.js'
import type { InstallSnapshot } from '../raft/messages.js'
import { decodePeerMessage } from './message-codec.js'
import { decodePiece, encodeAnswer, framesAhead } from './snapshot-codec.js'
import type { SnapshotPiece } from './snapshot-parcel.js'

/** Where the pieces go: `take` in order, then `finish`; `abandon` if it does not come to that. */
export interface Intake {
  take(piece: SnapshotPiece): Promise<void>
  /** All is here: resolves when it is taken over, or found not to be needed. */
  finish(): Promise<void>
  abandon(): Promise<void>
}

/** Begins to take in the snapshot that the message announces; rejects, saying why, if it is not wanted. */
export type BeginIntake = (partition: PartitionId, message: InstallSnapshot) => Promise<Intake>

/** How long the other side may say nothing while nothing is to be done here. */
const patienceMs = 60_000

/** The taking of one snapshot. */
export class IncomingSnapshot {
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #begin: BeginIntake
  #partition: PartitionId = 0
  #intake: Intake | undefined
  #came = 0
  #taken = 0
  /** Nothing is taken any more: all came, it was refused, or the other side is gone. */
  #isOver = false
  #isClosed = false
  #work: Promise<void> = Promise.resolve()
  #patience: Timer

  /** `connection` is read by its owner, which hands on what comes behind the hello. */
  constructor(connection: Connection, clock: Clock, begin: BeginIntake) {
    this.#connection = connection
    this.#clock = clock
    this.#begin = begin
    this.#patience = this.#wait()
  }

  /** Takes the next frame. Throws INVALID if that is more than may be ahead of the answers. */
  take(frame: Buffer): void {
    if (this.#isOver) return
    this.#came += 1
    if (this.#came - this.#taken > framesAhead) throw invalid(`more than ${framesAhead} frames ahead`)
    this.#patience.stop()
    this.#work = this.#work.then(() => this.#deal(frame))
  }

  /** The connection is closed. Resolves when nothing is left to do. */
  async close(): Promise<void> {
    this.#isOver = true
    this.#isClosed = true
    this.#patience.stop()
    this.#work = this.#work.then(() => this.#abandon())
    await this.#work
  }

  async #deal(frame: Buffer): Promise<void> {
    if (this.#isOver) return
    try {
      await this.#takeIn(frame)
      this.#taken += 1
      this.#connection.send(encodeAnswer(this.#partition, { type: 'taken', frames: this.#taken }))
    } catch (error) {
      this.#isOver = true
      const reason = messageOf(error)
      this.#connection.send(encodeAnswer(this.#partition, { type: 'refused', reason }))
      await this.#abandon()
      if (!(error instanceof SillokError)) throw error
    } finally {
      this.#patience.stop()
      const isIdle = this.#isOver || this.#came === this.#taken
      if (isIdle && !this.#isClosed) this.#patience = this.#wait()
    }
  }

  async #takeIn(frame: Buffer): Promise<void> {
    if (this.#intake === undefined) {
      const { partition, message } = decodePeerMessage(frame)
      this.#partition = partition
      if (message.type !== 'installSnapshot')
        throw invalid(`it begins with a message of type ${message.type}`)
      this.#intake = await this.#begin(partition, message)
      return
    }
    const piece = decodePiece(this.#partition, frame)
    if (piece !== 'end') {
      await this.#intake.take(piece)
      return
    }
    this.#isOver = true
    const intake = this.#intake
    await intake.finish()
    this.#intake = undefined
  }

  /** What a disk that fails keeps of it is removed by the next intake, or the next opening. */
  async #abandon(): Promise<void> {
    const intake = this.#intake
    this.#intake = undefined
    try {
      await intake?.abandon()
    } catch (error) {
      if (!(error instanceof SillokError)) throw error
    }
  }

  #wait(): Timer {
    return this.#clock.after(patienceMs, () => this.#connection.close())
  }
}

function invalid(what: string): SillokError {
  return new SillokError('INVALID', `a snapshot that is sent: ${what}`)
}
