/**
 * The one error class of the store and its closed table of codes.
 *
 * Codes never change within a major version; messages may. Misuse of the API is INVALID, also by a wrong
 * type. Any other error, as `InvariantError`, is a bug of ours or comes from the caller's own functions.
 */

/** What the caller may conclude about the request. */
export type Outcome = 'not-applied' | 'unknown'

/**
 * What to do next: never send it again; send it again later; or, in a caller-numbered session, send it again
 * with the same sequence. (Elsewhere `same-session` means: look what became of it, or repeat it with
 * `ifVersion`.)
 */
export type Retry = 'never' | 'same-session' | 'later'

/** What is said of a code. */
export interface ErrorRow {
  /** Its usual outcome; an error of this code may carry `unknown` where this says `not-applied`. */
  readonly outcome: Outcome
  readonly retry: Retry
  /** When it happens. */
  readonly when: string
}

const row = (outcome: Outcome, retry: Retry, when: string): ErrorRow => ({ outcome, retry, when })

/** Every code with its usual outcome, the advice, and when it happens. */
export const errorTable = {
  INVALID: row(
    'not-applied',
    'never',
    'the request, document, definition or option is not acceptable, also by its type',
  ),
  VALIDATION_FAILED: row(
    'not-applied',
    'never',
    'the schema of the collection refuses the document, or fails itself',
  ),
  TOO_LARGE: row('not-applied', 'never', 'a key, value, document, batch or entry is over its limit'),
  NOT_FOUND: row(
    'not-applied',
    'never',
    'no such collection, constraint, index, document, named feed or node',
  ),
  EXISTS: row('not-applied', 'never', 'insert: the key is already there'),
  CONFLICT: row('not-applied', 'never', 'the document does not have the version that was asked for'),
  UNIQUE_TAKEN: row('not-applied', 'never', 'another document holds the unique value'),
  SESSION_EXPIRED: row('unknown', 'never', 'the session ended; its kept replies are gone'),
  FENCED: row(
    'not-applied',
    'never',
    'a newer holder took over the named session or feed, or the place of the node',
  ),
  SEQUENCE_REUSED: row('not-applied', 'never', 'the sequence number was used for another request'),
  ALREADY_ACKNOWLEDGED: row('unknown', 'never', 'the sequence number was released'),
  WINDOW_FULL: row('not-applied', 'later', 'too many unreleased numbers in a caller-numbered session'),
  REQUEST_ID_REUSED: row('not-applied', 'never', 'the request id was used for another request'),
  REQUEST_ID_EXPIRED: row(
    'unknown',
    'never',
    'the request id is too old: whether it was executed is forgotten',
  ),
  REQUEST_IDS_FULL: row('not-applied', 'later', 'too many request ids are kept for keys of this slot'),
  REQUEST_FENCED: row('not-applied', 'never', 'its outcome was asked for before it came: it never executes'),
  TOO_MANY_SESSIONS: row('not-applied', 'later', 'the limit of live sessions is reached'),
  TOO_MANY_SUBSCRIPTIONS: row('not-applied', 'never', 'the limit of named feeds of changes is reached'),
  LOG_TRUNCATED: row('not-applied', 'never', 'the log no longer holds the changes that were asked for'),
  EPOCH_CHANGED: row(
    'not-applied',
    'never',
    'the position is of another store, or beyond the end of the log',
  ),
  REGISTER_TOO_OLD: row('not-applied', 'later', 'a delayed copy of a session registration'),
  SESSION_INPUT_CHANGED: row(
    'not-applied',
    'never',
    'the session was opened for an input with another digest',
  ),
  OVERLOADED: row('not-applied', 'later', 'too many requests wait'),
  TIMED_OUT: row('unknown', 'same-session', 'no answer before the deadline'),
  ABORTED: row('unknown', 'same-session', 'the signal stopped the waiting, not the write'),
  NOT_LEADER: row('not-applied', 'later', 'this node does not lead the partition'),
  LEADERSHIP_LOST: row('not-applied', 'later', 'another leader wrote another entry at that position'),
  UNAVAILABLE: row(
    'not-applied',
    'later',
    'another node, or a majority, cannot be reached, or its snapshot replaced what was being read',
  ),
  CLOSED: row('not-applied', 'never', 'the store is closed'),
  CLOSED_WHILE_WAITING: row('unknown', 'same-session', 'the store was closed before the answer was known'),
  INDEX_BEHIND: row('not-applied', 'later', 'the index or constraint that was asked is not ready'),
  INDEX_FAILED: row('not-applied', 'later', 'the index cannot be brought up to date'),
  DISK_FULL: row('not-applied', 'later', 'no space left; service resumes when there is some'),
  DISK_FAILED: row(
    'unknown',
    'never',
    'the system failed to read, write or sync; the latter two stop the store',
  ),
  DAMAGED: row('not-applied', 'never', 'stored bytes fail their check, or are missing'),
  STOPPED: row('unknown', 'never', 'the store stopped: one of its invariants is broken'),
  FOLDER_IN_USE: row('not-applied', 'later', 'another process holds the data folder'),
  FOLDER_UNUSABLE: row('not-applied', 'never', 'the data folder cannot be made, read or written'),
  FOREIGN_FOLDER: row('not-applied', 'never', 'the folder holds something that is not a data folder'),
  VERSION_UNSUPPORTED: row(
    'not-applied',
    'never',
    'the folder was written in a format that this release cannot read',
  ),
  UPGRADE_REQUIRED: row(
    'not-applied',
    'never',
    'the log holds an entry kind that this release does not know',
  ),
} as const satisfies Record<string, ErrorRow>

/** One of the closed set of error codes. */
export type Code = keyof typeof errorTable

/** What an error may carry besides its code: who holds a unique value, where a document is not acceptable. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/** What an error is made with besides its code and message. */
export interface ErrorParts {
  readonly outcome?: Outcome
  readonly details?: ErrorDetails
  readonly cause?: unknown
}

/**
 * An operational failure: what happened (`code`), what it means for the request (`outcome`), what next
 * (`retry`). Codes never change within a major version; messages may. Any other error is a bug of the store,
 * or was thrown by a function of the caller's own.
 */
export class SillokError extends Error {
  override readonly name = 'SillokError'
  /** What happened. */
  readonly code: Code
  /** What it means for the request: it took no effect, or nobody knows. */
  readonly outcome: Outcome
  /** What to do next. */
  readonly retry: Retry
  /** More for programs, by code; empty if there is nothing. */
  readonly details: ErrorDetails

  /** Made by the store; a program seldom makes one, unless in its tests. */
  constructor(code: Code, message: string, options: ErrorParts = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.outcome = options.outcome ?? errorTable[code].outcome
    this.retry = errorTable[code].retry
    this.details = options.details ?? {}
  }
}

/** True for a SillokError, of that code if one is given. */
export function isSillokError(error: unknown, code?: Code): error is SillokError {
  return error instanceof SillokError && (code === undefined || error.code === code)
}

/** The message of a thrown value, which may be anything if code that is not ours threw it. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error)
  } catch {
    return 'what was thrown has no text'
  }
}

/**
 * The same failure for a request that may have taken effect after all, now or in an earlier attempt: its
 * caller must not be told that it was not applied.
 */
export function withUnknownOutcome(error: SillokError): SillokError {
  if (error.outcome === 'unknown') return error
  const { code, message, details } = error
  return new SillokError(code, message, { outcome: 'unknown', details, cause: error })
}

/** `withUnknownOutcome` of whatever was thrown: what is no failure of ours stays as it is. */
export function asUnknown(error: unknown): unknown {
  return error instanceof SillokError ? withUnknownOutcome(error) : error
}

/** Of a store that is closed, or about to be: nothing more is taken. */
export function storeClosed(): SillokError {
  return new SillokError('CLOSED', 'the store is closed')
}

/** The refusal to read entries from `first` on in a log that begins later. */
export function logTruncated(first: number, firstIndex: number): SillokError {
  const message = `the log begins at entry ${firstIndex}: the entries from ${first} on are gone`
  return new SillokError('LOG_TRUNCATED', message, { details: { first, firstIndex } })
}
