/**
 * A client session: its writes take effect exactly once, also across restarts of the process if it has a
 * name.
 *
 * Numbered by this library, from 1 in each epoch, or by the caller (an import's row number), for as long as
 * the session lives; never both. Resuming a name fences the older holder: its new requests get FENCED, with
 * no effect; one that it sends again still gets its kept answer. Source: Raft thesis 6.3.
 *
 * A caller's number stands for one request for ever, and nothing else may be sent under it. The partition
 * finds another request under a number only if the first keys of both fall in the same of its 256 slots, for
 * there the reply is kept. This object knows what it sent itself under the numbers of the window, and refuses
 * any other request. What remains: after a resume the new holder does not know what the old one sent, so a
 * number that is used twice, once by each, may take effect twice.
 */
import { isSillokError, SillokError, withUnknownOutcome } from '../base/errors.js'
import type { Sequence } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { slotOfRow } from '../codec/row.js'
import type {
  Numbering,
  Operation,
  RefusedOperation,
  RequestMark,
  SessionMark,
  Write,
} from '../machine/command.js'
import type { Done } from '../machine/reply.js'
import type { SessionDirectory, SessionHandle } from '../replica/session-directory.js'
import { type Asking, type Queued, weigh } from './asking.js'
import type { Batches } from './batches.js'
import { checkCall, invalid, noOptions, optionNames, show } from './check-options.js'
import type { AnyCollection, Collection, NoSchema, SchemaOptions } from './collection.js'
import type {
  BatchStep,
  CallOptions,
  CollectionOptions,
  InsertOptions,
  SessionOptions,
  WriteOptions,
  Written,
} from './options.js'
import { requestHash } from './request-hash.js'
import type { DocumentSchema, SchemaInput, SchemaOutput } from './validation.js'
import type { Writer } from './writer.js'

/** What a session needs of its store. */
export interface SessionParts {
  readonly asking: Asking
  readonly directory: SessionDirectory
  readonly handle: SessionHandle
  readonly lowWater: Sequence
  readonly collection: (name: string, options: SchemaOptions | undefined, writer: Writer) => AnyCollection
  readonly batches: Pick<Batches, 'write'>
  readonly closed: (session: Session) => void
}

/** A write that waits for room in the window. */
interface QueuedWrite {
  readonly operations: readonly Operation[]
  readonly request: RequestMark | undefined
  readonly bytes: number
  readonly queued: Queued
  /** Given when it is sent: one that gives up before leaves no hole. */
  sequence: Sequence
}

/** The highest number that a request can have: six bytes in the key of its kept reply. */
const sequenceMax: Sequence = 2 ** 48 - 1

/** A session: write through `session.collection(name)`. */
export class Session implements Writer, AsyncDisposable {
  /** The session's number; the same for all holders of its name. */
  readonly id: number
  /** Counts the holders of the session, from 1: the newest one fences those before. */
  readonly epoch: number
  /** Under which it survives restarts; undefined: it ends with this object. */
  readonly name: string | undefined
  /** Who numbers the requests. */
  readonly numbering: Numbering
  readonly #parts: SessionParts
  /** Caller-numbered: the requests of the window that this object sent, by their numbers. */
  readonly #sent = new Map<Sequence, Buffer>()
  readonly #answered = new Set<Sequence>()
  readonly #queue = new Set<QueuedWrite>()
  #queuedBytes = 0
  #sending = false
  #next: Sequence = 1
  #lowWater: Sequence
  #closed = false

  /**
   * Use `store.session()`.
   * @internal
   */
  constructor(options: SessionOptions, parts: SessionParts) {
    this.id = parts.handle.session
    this.epoch = parts.handle.epoch
    this.name = options.name
    this.numbering = options.numbering ?? 'library'
    this.#parts = parts
    this.#lowWater = this.numbering === 'caller' ? parts.lowWater : 1
  }

  /**
   * The smallest sequence number whose answer may still be asked for. After resuming a caller-numbered
   * session: send everything from here on again, in the same form; what was executed is answered from its
   * kept reply.
   */
  get lowWater(): Sequence {
    return this.#lowWater
  }

  /** The collection, its writes in this session; see `store.collection`. */
  collection<T extends object = Record<string, unknown>, D = unknown>(
    name: string,
    options?: NoSchema,
  ): Collection<T, D>
  collection<S extends DocumentSchema, D = unknown>(
    name: string,
    options: CollectionOptions<S>,
  ): Collection<SchemaOutput<S>, D, SchemaInput<S>>
  collection(name: string, options?: SchemaOptions): unknown {
    return this.#parts.collection(name, options, this)
  }

  /**
   * Caller-numbered: the answers up to and including this number are no longer needed; their replies may go.
   * A later request with such a number gets its kept answer or ALREADY_ACKNOWLEDGED, and takes no effect. A
   * release is logged with the next write only: without one a resumed session does not know of it. Throws
   * INVALID.
   */
  release(through: Sequence): void {
    if (this.numbering !== 'caller') throw invalid('release: this library numbers the session itself')
    if (!Number.isSafeInteger(through) || through < 0 || through >= sequenceMax)
      throw invalid(`release: a whole number from 0 to ${sequenceMax - 1}, not ${show(through)}`)
    const released = Math.min(through, this.#lowWater + limits.sessionWindow - 1)
    for (let sequence = this.#lowWater; sequence <= released; sequence++) this.#sent.delete(sequence)
    this.#lowWater = Math.max(this.#lowWater, through + 1)
  }

  /**
   * All steps take effect at once, or none, as one request of this session; see `store.batch`. Rejects as the
   * writes of the session do.
   */
  batch(steps: readonly BatchStep[], options: InsertOptions = noOptions): Promise<Written> {
    return this.#parts.batches.write(this, steps, options, optionNames.insert)
  }

  /**
   * Ends the session, unless it has a name. Its requests must be answered before. Later ones are CLOSED. What
   * ends the waiting leaves it closed here; the store ends it then or later.
   */
  async close(options: CallOptions = noOptions): Promise<void> {
    checkCall(options, optionNames.call)
    if (this.#closed) return
    this.#closed = true
    const { asking, closed, directory, handle } = this.#parts
    closed(this)
    if (this.name === undefined) await asking.until(() => directory.end(handle), options)
  }

  /** As `close`; a store that is closed already is no error. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.close()
    } catch (error) {
      if (!isSillokError(error, 'CLOSED')) throw error
    }
  }

  /**
   * For collections and batches: one request. The options are checked.
   * @internal
   */
  write<R>(
    operations: readonly Operation[],
    options: WriteOptions,
    finish: (done: Done) => R,
    request: RequestMark | undefined,
  ): Promise<R> {
    const mayBeRetry = this.numbering === 'caller' || request !== undefined
    const refused = this.#refusal(options, mayBeRetry)
    if (refused !== undefined) return Promise.reject(refused)
    const { asking } = this.#parts
    if (this.numbering === 'caller') {
      return this.#send(this.#mark(operations, options.sequence ?? 0, request), options, finish)
    }
    const bytes = weigh(operations)
    if (this.#queue.size > 0 && this.#isFull(bytes)) {
      const overloaded = new SillokError('OVERLOADED', `${this.#queue.size} writes wait in the session`)
      return Promise.reject(mayBeRetry ? withUnknownOutcome(overloaded) : overloaded)
    }
    let own: QueuedWrite | undefined
    const observed = (): void => this.#answer(own?.sequence ?? 0)
    return asking.askLater({ sender: this, finish, observed, mayBeRetry }, options, queued => {
      own = { operations, request, bytes, queued, sequence: 0 }
      this.#queue.add(own)
      this.#queuedBytes += bytes
      this.#sendQueued()
    })
  }

  /**
   * For collections: rows of which each stands by itself, in a caller-numbered session. The options are
   * checked.
   * @internal
   */
  writeEach<R>(
    operations: readonly Operation[],
    refused: readonly RefusedOperation[],
    options: WriteOptions,
    finish: (done: Done) => R,
  ): Promise<R> {
    const refusal = this.#refusal(options, true)
    if (refusal !== undefined) return Promise.reject(refusal)
    const command = this.#mark(operations, options.sequence ?? 0, undefined, true)
    return this.#send(refused.length === 0 ? command : { ...command, refused }, options, finish)
  }

  /** Sends a request that the caller numbered. */
  #send<R>(
    command: Write & { readonly mark: SessionMark },
    options: WriteOptions,
    finish: (done: Done) => R,
  ): Promise<R> {
    if (this.#isReused(command.mark)) {
      const message = `sequence ${options.sequence} of session ${this.id} was another request`
      const reused = new SillokError('SEQUENCE_REUSED', message)
      // Under its id the request may have been sent with another number.
      return Promise.reject(command.request === undefined ? reused : withUnknownOutcome(reused))
    }
    const bytes = weigh(command.operations)
    return this.#parts.asking.ask(command, bytes, { sender: this, finish, mayBeRetry: true }, options)
  }

  #isFull(bytes: number): boolean {
    return this.#queue.size >= limits.pendingCommandsMax || this.#queuedBytes + bytes > limits.pendingBytesMax
  }

  #refusal(options: WriteOptions, mayBeRetry: boolean): SillokError | undefined {
    if (this.#closed) {
      const outcome = mayBeRetry ? 'unknown' : 'not-applied'
      return new SillokError('CLOSED', 'the session is closed', { outcome })
    }
    const { sequence } = options
    if (this.numbering === 'library') {
      if (sequence === undefined) return undefined
      return invalid('sequence: this session is numbered by the library')
    }
    const isSequence = Number.isSafeInteger(sequence) && sequence !== undefined
    if (isSequence && sequence >= 1 && sequence <= sequenceMax) return undefined
    const needed = `a caller-numbered session needs a sequence from 1 to ${sequenceMax}`
    return invalid(`${needed}, not ${show(sequence)}`)
  }

  /** True if this object sent another request under the number, wherever its reply is kept. */
  #isReused({ sequence, hash }: SessionMark): boolean {
    const sent = this.#sent.get(sequence)
    if (sent !== undefined) return !sent.equals(hash)
    if (sequence >= this.#lowWater && this.#isInWindow(sequence)) this.#sent.set(sequence, hash)
    return false
  }

  #isInWindow(sequence: Sequence): boolean {
    return sequence < this.#lowWater + limits.sessionWindow
  }

  #mark(
    operations: readonly Operation[],
    sequence: Sequence,
    request: RequestMark | undefined,
    isEach = false,
  ): Write & { readonly mark: SessionMark } {
    const { session, epoch } = this.#parts.handle
    const { numbering } = this
    const slot = request?.slot ?? slotOfRow(operations[0]?.key ?? '')
    const mark = {
      session,
      epoch,
      sequence,
      lowWater: this.#lowWater,
      numbering,
      slot,
      hash: requestHash(operations, request?.id, isEach),
    }
    if (isEach) return { type: 'write', operations, mark, isEach }
    return request === undefined
      ? { type: 'write', operations, mark }
      : { type: 'write', operations, mark, request }
  }

  /**
   * Sends what the window has room for. An answer may come within the call: the loop goes on, nothing is
   * nested.
   */
  #sendQueued(): void {
    if (this.#sending) return
    this.#sending = true
    for (const own of this.#queue) {
      if (!this.#isInWindow(this.#next)) break
      this.#queue.delete(own)
      this.#queuedBytes -= own.bytes
      if (!own.queued.isWaiting) continue
      own.sequence = this.#next++
      own.queued.send(this.#mark(own.operations, own.sequence, own.request), own.bytes)
    }
    this.#sending = false
  }

  /** The answer came, or never will: the number is done with, and what waits for room may go. */
  #answer(sequence: Sequence): void {
    this.#answered.add(sequence)
    while (this.#answered.delete(this.#lowWater)) this.#lowWater += 1
    this.#sendQueued()
  }
}
