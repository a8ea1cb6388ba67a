/** Options of calls, and what they answer. All times are milliseconds, all keys are document keys. */
import type { SillokError } from '../base/errors.js'
import type { Version } from '../base/ids.js'
import type { DocumentKey } from '../base/tuple.js'
import type { Numbering } from '../machine/command.js'

/**
 * How fresh a read must be.
 *
 * - `linearizable` (default): shows everything that was acknowledged, to anybody, before the call.
 * - `session`: shows at least what this store wrote and saw. On one node as fresh as `stale`, which it
 *   includes.
 * - `stale`: what this node has applied; no waiting.
 */
export type ReadLevel = 'linearizable' | 'session' | 'stale'

/**
 * How long a call waits. When either ends the wait of a write it may still take effect: the outcome is
 * unknown, unless the error says that it was never sent. For the read of a document both cover all of it. For
 * many (`scan`, `count`, `find`, `query`) both cover the waits before reading, for the log and for an index,
 * together; the signal also ends the reading, at once, the deadline does not.
 */
export interface CallOptions {
  /** Milliseconds until TIMED_OUT; if not given what `open` was told, else `limits.deadlineMs` (30 s). */
  readonly deadlineMs?: number | undefined
  /** Stops the waiting with ABORTED, not a write that was sent. */
  readonly signal?: AbortSignal | undefined
}

/** How work ends that takes its time: it has no deadline. */
export interface StopOptions {
  /** Ends the call with ABORTED. */
  readonly signal?: AbortSignal | undefined
}

/** How a read waits, and how fresh it must be. */
export interface ReadOptions extends CallOptions {
  /** Default `linearizable`. */
  readonly level?: ReadLevel | undefined
}

/** How a write waits, and under which name it takes effect once. */
export interface RequestOptions extends CallOptions {
  /**
   * Names the request, whoever sends it: the same one again, from any process, gets the first answer, also if
   * that was a refusal, and takes no effect. Another one under the same id is REQUEST_ID_REUSED, if the first
   * keys of both fall in one of 256 slots. Made by `db.requestId()`: too old a one is refused, for ever
   * (REQUEST_ID_EXPIRED). Any other text of 1 to 256 bytes is forgotten after 24 h of log time, and a new one
   * then.
   */
  readonly requestId?: string | undefined
}

/** How a write waits, and under which condition it holds. */
export interface WriteOptions extends RequestOptions {
  /**
   * Only if the document has this version; null: only if it is absent. Otherwise CONFLICT (details: key,
   * version). Not given: in any case.
   */
  readonly ifVersion?: Version | null | undefined
  /**
   * The caller's own number of this request, in a caller-numbered session; refused elsewhere. It stands for
   * this one request for ever. Another one under the same number is SEQUENCE_REUSED, as far as that can be
   * seen: by the session object that sent the first one always, after a resume (in another process, say) only
   * if the first keys of both fall in one of 256 slots. So never use a number twice.
   */
  readonly sequence?: number | undefined
}

/** Options of `insert`, which has its condition already. */
export type InsertOptions = Omit<WriteOptions, 'ifVersion'>

/** An answered write. */
export interface Written {
  /**
   * The version that the documents have now; it only grows. Without a session, a write that changed nothing
   * (a delete of what is not there, a batch of checks) makes none: what it answers is above all versions so
   * far, and the next write gets it too.
   */
  readonly version: Version
}

/** An answered put. */
export interface Put extends Written {
  /** True if the key was there before. */
  readonly existed: boolean
}

/** An answered delete. */
export interface Deleted extends Written {
  /** False if there was nothing to delete. */
  readonly existed: boolean
}

/** What became of a request: once it was told, it stays so as long as the id is kept. */
export type RequestOutcome =
  /** It took effect; `existed` says of each of its operations whether the document was there before. */
  | { readonly state: 'committed'; readonly version: Version; readonly existed: readonly boolean[] }
  /** It was refused, and took no effect. */
  | { readonly state: 'refused'; readonly error: SillokError }
  /** It did not come before it was asked for, and never takes effect: REQUEST_FENCED when it comes. */
  | { readonly state: 'fenced' }

/** A document with its version. */
export interface Versioned<T> {
  readonly document: T
  /** For `ifVersion`. */
  readonly version: Version
}

/** A range of keys, by key order: numbers before strings, strings by their bytes. */
export interface ScanOptions extends ReadOptions {
  /** From this key on. Not together with gt. */
  readonly gte?: DocumentKey | undefined
  /** Behind this key. */
  readonly gt?: DocumentKey | undefined
  /** Before this key. Not together with lte. */
  readonly lt?: DocumentKey | undefined
  /** Up to this key, and it. */
  readonly lte?: DocumentKey | undefined
  /** Keys that are strings and begin with this. Not together with the others. */
  readonly prefix?: string | undefined
  /** True: largest key first. Default false. */
  readonly reverse?: boolean | undefined
  /** Documents at most. */
  readonly limit?: number | undefined
}

/** How a definition is taken. */
export interface DefineOptions extends CallOptions {
  /** Indexes and constraints that the definition no longer names go, with their rows; else it is refused. */
  readonly drop?: boolean | undefined
}

/** How a question to an index waits. */
export interface FindOptions extends ReadOptions {
  /**
   * While the index is not live (it is being opened or built, or fails and is tried again): wait for it
   * (default; INDEX_FAILED if it fails meanwhile), or `error`: reject at once with INDEX_BEHIND, which says
   * why. A live one that has not taken the newest entries yet is waited for in any case, for a moment.
   */
  readonly onBehind?: 'wait' | 'error' | undefined
}

/** How a page is asked for. */
export interface PageOptions extends FindOptions {
  /** Documents in the page at most; 100 if not given. */
  readonly limit?: number | undefined
  /** The `cursor` of the page before: gives the one after it. */
  readonly cursor?: string | undefined
}

/** One page of documents from an index. */
export interface FoundPage<T> {
  readonly documents: readonly T[]
  /** Gives the next page; undefined: there is none. */
  readonly cursor: string | undefined
  /** The entry of the log up to which the answer shows everything; 0 for an empty page. */
  readonly position: number
  /**
   * There if not 0: documents that the index could not take as they are now (`onError: 'park'`), which may be
   * missing here. Not told of an empty page.
   */
  readonly parked?: number
}

/** How the rows of `insertMany` wait, and under which name they take effect once. */
export interface InsertManyOptions extends CallOptions {
  /**
   * Names the whole call: row k of it is the request `rowRequestId(requestId, k)`, from 0. The same rows in
   * the same order under the same id, again, from any process: each row that was answered gets its first
   * answer, the others take effect now. See `RequestOptions.requestId`.
   */
  readonly requestId?: string | undefined
  /**
   * In a caller-numbered session, and only there: the number of the call, which is one request then. See
   * `InsertOptions.sequence`.
   */
  readonly sequence?: number | undefined
}

/** What a collection object is made with. */
export interface CollectionOptions<S> {
  /**
   * A schema (Standard Schema, version 1: zod, valibot, arktype and others) to which every document is shown
   * before it is written through this object; what the schema gives is stored. VALIDATION_FAILED otherwise,
   * with `details.issues`. It belongs to this object: a batch uses it when `in` is the object, not the name;
   * reads are not checked. An async one is waited for within the deadline; the write takes its place among
   * others when it has answered. A retry under a request id or sequence is the same request only if the
   * schema gives the same document again (no times and no chance in it); the outcome of one that it refuses
   * is unknown. Do not change documents while an async schema looks at one of the call.
   */
  readonly validate: S
}

/** Which violations are listed. */
export interface ViolationsOptions extends ReadOptions {
  /** At most so many; 100 if not given. */
  readonly limit?: number | undefined
  /** The `after` of the page before: gives the one after it. */
  readonly after?: string | undefined
}

/** A document that lacks its claim under a constraint. */
export interface Violation {
  readonly key: DocumentKey
  /**
   * Its values as given, one per field of the constraint (of `each` the element); none if a field of it
   * cannot be a unique value, or holds too many.
   */
  readonly values: readonly unknown[]
  /** The document that holds the value; undefined if this one has none. */
  readonly holder: DocumentKey | undefined
}

/** A page of violations; those of one value come one after the other. */
export interface ViolationsPage {
  readonly violations: readonly Violation[]
  /** Gives the next page; undefined: there is none. */
  readonly after: string | undefined
}

/** What a session is opened with. */
export interface SessionOptions {
  /**
   * Survives restarts of the process: opening the same name again resumes the session. One that nobody holds
   * ends after seven days of log time; one without a name after an hour.
   */
  readonly name?: string | undefined
  /** Who numbers the requests: 'library' (default) or 'caller', with `{sequence}` on every write. */
  readonly numbering?: Numbering | undefined
  /** Names the input of a caller-numbered session, say its SHA-256: another one is refused. */
  readonly input?: string | undefined
}

/**
 * The collection of a step of a batch: its name, or a collection object of the same store. By the object the
 * document is shown to the schema with which it was opened (`validate`), by the name to none.
 */
export type BatchTarget = string | { readonly name: string }

/**
 * One step of an atomic batch; `in` is the collection. `check` writes nothing: the batch takes effect only
 * if that document has that version (null: is absent).
 */
export type BatchStep =
  | { readonly insert: object; readonly in: BatchTarget }
  | { readonly put: object; readonly in: BatchTarget; readonly ifVersion?: Version | null | undefined }
  | {
      readonly delete: DocumentKey
      readonly in: BatchTarget
      readonly ifVersion?: Version | null | undefined
    }
  | { readonly check: DocumentKey; readonly in: BatchTarget; readonly ifVersion: Version | null }

/** What became of one document. */
export interface Change<T = Record<string, unknown>> {
  /** Where a reader stands that has dealt with this change: the feed goes on behind it. */
  readonly position: string
  readonly collection: string
  readonly key: DocumentKey
  readonly op: 'put' | 'delete'
  /** The document was there before. */
  readonly existed: boolean
  readonly version: Version
  /** The document now; undefined if it is gone. */
  readonly document: T | undefined
}

/** Which changes, and from where on. */
export interface ChangesOptions {
  /** Only changes of this collection. */
  readonly collection?: string | undefined
  /**
   * `now` (default): what is written after the call of `changes`; at a member of a cluster also what was
   * written before and had not come to this node. `start`: all that the log has. A position: what came after
   * it; EPOCH_CHANGED if another store gave it, or the log ends before it, as it does when a backup was put
   * back. (Once that has as many entries again the position is taken for one of them: begin anew after a
   * restore.) A named feed that is there already goes on where it was.
   */
  readonly from?: 'now' | 'start' | (string & {}) | undefined
  /** False: ends with what the log has, instead of waiting for more. Default true. */
  readonly follow?: boolean | undefined
  /** Makes the position be kept by the store, under this name; 1 to 256 bytes. */
  readonly name?: string | undefined
  /** Ends the reading with ABORTED. */
  readonly signal?: AbortSignal | undefined
}
