/**
 * Requests by their ids: what became of one, and the first answer to an update.
 *
 * The kept answer to an update names a version, not the document: that stands in the state, or, when it was
 * changed since, in the log, as long as that reaches back so far.
 */
import { type Code, isSillokError, SillokError, withUnknownOutcome } from '../base/errors.js'
import type { Version } from '../base/ids.js'
import { decodeDocument } from '../codec/document.js'
import type { RowKey } from '../codec/row.js'
import type { AskOutcome, KnownOutcome, RequestMark, RequestName, WriteValue } from '../machine/command.js'
import { documentBytes } from '../machine/documents.js'
import { type Done, errorOf } from '../machine/reply.js'
import { fenced } from '../machine/requests.js'
import type { Asking } from './asking.js'
import type { CallOptions, RequestOutcome, Versioned } from './options.js'
import type { Reader } from './reader.js'

/** What requests are looked up with. */
export interface RequestsParts {
  readonly asking: Asking
  readonly reader: Reader
  /** What the entry of that version gave the row, from the log; undefined if it gave it nothing. */
  readonly writtenAt: (key: RowKey, version: Version) => Promise<Buffer | undefined>
}

/** What a call weighs against the limit of waiting bytes. */
const askBytes = 512

/** The requests of one store. */
export class Requests {
  readonly #parts: RequestsParts

  constructor(parts: RequestsParts) {
    this.#parts = parts
  }

  /**
   * What became of the request. If nothing is known of it, it never executes from then on. Calls of one
   * sender are decided in their order.
   */
  async outcome({ id, slot }: RequestName, sender: object, options: CallOptions): Promise<RequestOutcome> {
    const known = await this.#ask({ type: 'outcome', id, slot, fence: true }, sender, options)
    if (known.state === 'committed') {
      return { state: 'committed', version: known.version, existed: known.value.existed }
    }
    return known.state === 'refused' ? { state: 'refused', error: errorOf(known) } : { state: 'fenced' }
  }

  /**
   * The first answer to this update, if there was one; undefined: nothing is known. Rejects with the first
   * refusal, with REQUEST_ID_REUSED, REQUEST_ID_EXPIRED, REQUEST_FENCED.
   */
  async kept(request: RequestMark, sender: object, options: CallOptions): Promise<Done | undefined> {
    const { id, slot, hash } = request
    const known = await this.#ask({ type: 'outcome', id, slot, hash, fence: false }, sender, options)
    if (known.state === 'unknown') return undefined
    if (known.state === 'committed') return { ok: true, version: known.version, value: known.value }
    throw errorOf(known.state === 'refused' ? known : fenced(request))
  }

  /** What an update answers: the document as its entry wrote it; undefined if it wrote nothing. */
  async updated<T>(key: RowKey, { version, value }: Done): Promise<Versioned<T> | undefined> {
    if ((value as WriteValue).existed.length === 0) return undefined
    const row = await this.#parts.reader.row(key)
    const bytes = row?.version === version ? row.value : await this.#fromLog(key, version)
    if (bytes === undefined) return undefined
    return { document: decodeDocument(documentBytes(bytes)) as T, version }
  }

  /** LOG_TRUNCATED: it took effect, and what it wrote was overwritten and is no longer known. */
  async #fromLog(key: RowKey, version: Version): Promise<Buffer | undefined> {
    try {
      return await this.#parts.writtenAt(key, version)
    } catch (cause) {
      if (!isSillokError(cause, 'LOG_TRUNCATED')) throw cause
      const message = `the update took effect as version ${version}; the log no longer has what it wrote`
      const details = { ...cause.details, version }
      throw new SillokError('LOG_TRUNCATED', message, { outcome: 'unknown', details, cause })
    }
  }

  #ask(command: AskOutcome, sender: object, options: CallOptions): Promise<KnownOutcome> {
    const finish = ({ value }: Done): KnownOutcome => value as KnownOutcome
    return this.#parts.asking.ask(command, askBytes, { sender, finish, mayBeRetry: true }, options)
  }
}

/** What refuses this attempt to send a request, not the request: an earlier one may have taken effect. */
const ofTheAttempt: ReadonlySet<string> = new Set<Code>([
  'ABORTED',
  'TIMED_OUT',
  'CLOSED',
  'OVERLOADED',
  'DAMAGED',
  // By a node that has not heard of the collection yet.
  'NOT_FOUND',
  'VALIDATION_FAILED',
])

/**
 * The error of a call with a request id: with an unknown outcome unless it is the answer to the request. What
 * an index of now refuses (`details.index`) may have been written before there was that index.
 */
export function unlessAnswered(error: unknown): unknown {
  if (!isSillokError(error)) return error
  return ofTheAttempt.has(error.code) || 'index' in error.details ? withUnknownOutcome(error) : error
}
