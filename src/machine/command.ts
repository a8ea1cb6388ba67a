/**
 * What can be asked of a partition. A command never enters the log: what decide makes of it does.
 *
 * | command      | partition | value of its answer                              |
 * |--------------|-----------|--------------------------------------------------|
 * | write        | data      | { existed: boolean[] }, one per operation         |
 * | outcome      | data      | { state, ... }: see KnownOutcome                  |
 * | dropRequests | data      | null                                             |
 * | openSession  | data      | null                                             |
 * | metaFeed     | data      | null                                             |
 * | backfill     | data      | { isStale: boolean }                             |
 * | judge        | data      | { isStale: boolean }                             |
 * | dropClaims   | data      | { isStale: boolean }                             |
 * | retireConstraint | meta  | null                                             |
 * | subscribe    | data      | { epoch, index, count }                          |
 * | acknowledge  | data      | null                                             |
 * | unsubscribe  | data      | { existed: boolean }                             |
 * | define       | meta      | { collection: number }                           |
 * | rebuildIndex | meta      | { collection: number }                           |
 * | register     | meta      | { session, epoch }                               |
 * | keepAlive    | meta      | null                                             |
 * | endSessions  | meta      | null                                             |
 * | enterNode    | meta      | { replica, role }                                |
 * | setNodeRole  | meta      | null                                             |
 * | forgetNode   | meta      | null                                             |
 */
import type { Code, ErrorDetails } from '../base/errors.js'
import type {
  CollectionId,
  ConstraintId,
  IndexId,
  LogIndex,
  LogTime,
  NodeId,
  ReplicaId,
  Sequence,
  SessionEpoch,
  SessionId,
  SlotId,
  Version,
} from '../base/ids.js'
import type { Fact } from '../codec/facts.js'
import type { RowKey } from '../codec/row.js'
import type { Claim } from './claims.js'
import type { NodeRole } from './nodes.js'
import type { Reply } from './reply.js'
import type { CollectionSchema, Definition } from './schema.js'

/** One document operation. `document` is its msgpack form. */
export interface Operation {
  readonly op: 'insert' | 'put' | 'delete' | 'check'
  readonly collection: CollectionId
  /** The document's row. */
  readonly key: RowKey
  readonly document?: Buffer
  /** Only if the document has this version; null: only if it is absent. */
  readonly ifVersion?: Version | null
  /** The claims of `document` under that schema, computed once. */
  made?: { readonly schema: CollectionSchema; readonly claims: readonly Claim[] }
}

/** What the answer to a write says: per operation, whether the document was there before. */
export interface WriteValue {
  readonly existed: readonly boolean[]
  /** Of a write whose operations stand each by itself: those that were refused, by their places. */
  readonly refused?: readonly RefusedOperation[]
}

/** Why one operation of several had no effect. */
export interface RefusedOperation {
  readonly at: number
  readonly code: Code
  readonly message: string
  readonly details: ErrorDetails
}

/** What ties a command to a session. */
export interface SessionMark {
  readonly session: SessionId
  readonly epoch: SessionEpoch
  readonly sequence: Sequence
  /** The smallest sequence number whose answer the holder has not seen. */
  readonly lowWater: Sequence
  readonly numbering: Numbering
  /** Where the reply is kept: a function of the request's bytes alone, the slot of the first key named. */
  readonly slot: SlotId
  /** Binds the sequence number to the request: 16 bytes of a SHA-256. */
  readonly hash: Buffer
}

/** Who numbers the commands of a session: this library (from 1 in each epoch) or the caller (for ever). */
export type Numbering = 'library' | 'caller'

/** A request by its id, in the slot that keeps it. */
export interface RequestName {
  readonly id: string
  /** A function of the request's bytes alone: the slot of the first key named. */
  readonly slot: SlotId
}

/** What ties a write to a request id. */
export interface RequestMark extends RequestName {
  /** Binds the id to the request: 16 bytes of a SHA-256. */
  readonly hash: Buffer
  /** A CONFLICT is not the answer to the request: its caller computes the write anew and sends that. */
  readonly isRetriedOnConflict?: boolean
}

/** Document operations: one, or an atomic batch; none, only with a request id, which is kept nevertheless. */
export interface Write {
  readonly type: 'write'
  readonly operations: readonly Operation[]
  /** Each operation stands by itself: one that is refused leaves the others; each sees those before it. */
  readonly isEach?: boolean
  /**
   * Of operations that stand each by itself: those that whoever asks refuses. They have no effect, and belong
   * to the request all the same, whose bytes must not depend on the indexes of the moment.
   */
  readonly refused?: readonly RefusedOperation[]
  readonly mark: SessionMark | undefined
  readonly request?: RequestMark
}

/** What became of the request with an id. */
export interface AskOutcome extends RequestName {
  readonly type: 'outcome'
  /** Answers with REQUEST_ID_REUSED if the id belongs to a request with another hash. */
  readonly hash?: Buffer
  /** If nothing is known of the id, logs that it must never execute. */
  readonly fence: boolean
}

/** What an answered AskOutcome says. `unknown` only without a fence: it may still execute. */
export type KnownOutcome =
  | { readonly state: 'committed'; readonly version: Version; readonly value: WriteValue }
  | {
      readonly state: 'refused'
      readonly code: Code
      readonly message: string
      readonly details: ErrorDetails
    }
  | { readonly state: 'fenced' }
  | { readonly state: 'unknown' }

/** Forgets those of these request ids that were kept for their time. */
export interface DropRequests {
  readonly type: 'dropRequests'
  readonly keys: readonly RowKey[]
}

/** Documents, by their rows, that claim what an online constraint says: the next ones of its build. */
export interface Backfill {
  readonly type: 'backfill'
  readonly constraint: ConstraintId
  /** Where the build was when the keys were looked up, as its row says; null at the beginning. */
  readonly after: Uint8Array | null
  /** Rows of all documents behind that through `through` that were there before the constraint, in order. */
  readonly keys: readonly RowKey[]
  readonly through: Uint8Array | null
  /** There are none behind `through`. */
  readonly isLast: boolean
  /** What a document claims, computed once for each form of it. */
  readonly made: Map<RowKey, { readonly value: Buffer; readonly claims: readonly Claim[] | undefined }>
}

/** Says of a constraint whose build is over whether it is enforced. */
export interface Judge {
  readonly type: 'judge'
  readonly constraint: ConstraintId
}

/** Removes these rows of a constraint that is dropped. */
export interface DropClaims {
  readonly type: 'dropClaims'
  readonly constraint: ConstraintId
  readonly keys: readonly RowKey[]
  /** There are no more: the constraint is forgotten. */
  readonly isLast: boolean
}

/** The newer of two rules of one name is enforced: the older one goes. */
export interface RetireConstraint {
  readonly type: 'retireConstraint'
  readonly collection: CollectionId
  /** The newer one. */
  readonly by: ConstraintId
}

/** Makes a data partition know a session, or a newer epoch of it. */
export interface OpenSession {
  readonly type: 'openSession'
  readonly session: SessionId
  readonly epoch: SessionEpoch
  readonly numbering: Numbering
  /** The index at which meta was read, linearizably. */
  readonly metaIndex: LogIndex
}

/** Meta's committed entries up to `through`, for one data partition, in order. */
export interface MetaFeed {
  readonly type: 'metaFeed'
  readonly through: LogIndex
  readonly schemas: readonly (readonly [RowKey, Buffer])[]
  readonly ended: readonly SessionId[]
}

/**
 * How far a reader of changes is: all changes of the entries before `index`, and the first `count` ones of
 * the entry `index`.
 */
export interface FeedPosition {
  readonly index: LogIndex
  readonly count: number
}

/** Takes hold of a named subscription: older holders are refused from then on. */
export interface Subscribe {
  readonly type: 'subscribe'
  readonly name: string
  /** Where it begins if it is new. */
  readonly start: FeedPosition
}

/** The holder has dealt with everything up to there. */
export interface Acknowledge {
  readonly type: 'acknowledge'
  readonly name: string
  readonly epoch: number
  readonly position: FeedPosition
}

/** Forgets a subscription, whoever holds it. */
export interface Unsubscribe {
  readonly type: 'unsubscribe'
  readonly name: string
}

/** Creates a collection, or gives an existing one other indexes and constraints. */
export interface Define {
  readonly type: 'define'
  readonly name: string
  /** The configuration of each index in its one normal form. */
  readonly definition: Definition
  /** Indexes and constraints that the definition lacks may go. */
  readonly drop: boolean
  /** Of indexes that are being made again: the numbers that answer meanwhile; the newest if none is named. */
  readonly answering?: readonly IndexId[]
}

/** Has an index made again from the documents. */
export interface RebuildIndex {
  readonly type: 'rebuildIndex'
  /** The collection's name. */
  readonly name: string
  readonly index: string
  /** As of `Define`. */
  readonly answering: readonly IndexId[]
}

/** Registers a session, or resumes a named one. */
export interface Register {
  readonly type: 'register'
  readonly nonce: string
  readonly name: string | undefined
  readonly numbering: Numbering
  /** Names the input of a caller-numbered session. */
  readonly input: string | undefined
  readonly issuedAt: LogTime
}

/** Says that these sessions are in use. */
export interface KeepAlive {
  readonly type: 'keepAlive'
  readonly sessions: readonly (readonly [SessionId, SessionEpoch])[]
}

/** Ends sessions. */
export interface EndSessions {
  readonly type: 'endSessions'
  /** Ends those that are idle for too long, or, with `closed`, those that their holder closed. */
  readonly sessions: readonly (readonly [SessionId, SessionEpoch])[]
  readonly closed: boolean
}

/** A node says who it is and where it listens, and asks for a replica if it holds none. */
export interface EnterNode {
  readonly type: 'enterNode'
  readonly node: NodeId
  /** `host:port`. */
  readonly address: string
  /** Names its disk. */
  readonly incarnation: string
  /** The replica that is on the disk; null: none yet. */
  readonly holds: ReplicaId | null
  /** What a new node is to be; that of a known one stays. */
  readonly role: Exclude<NodeRole, 'none'>
}

/** Says what a node is to be in the groups. */
export interface SetNodeRole {
  readonly type: 'setNodeRole'
  readonly node: NodeId
  readonly role: NodeRole
}

/** A node that was to leave is in no group any more. */
export interface ForgetNode {
  readonly type: 'forgetNode'
  readonly replica: ReplicaId
}

/** Everything that can be asked of a partition. */
export type Command =
  | Write
  | AskOutcome
  | DropRequests
  | OpenSession
  | MetaFeed
  | Backfill
  | Judge
  | DropClaims
  | RetireConstraint
  | Subscribe
  | Acknowledge
  | Unsubscribe
  | Define
  | RebuildIndex
  | Register
  | KeepAlive
  | EndSessions
  | EnterNode
  | SetNodeRole
  | ForgetNode

/** What decide says about a command. */
export type Decision =
  /** Load these rows and ask again. */
  | { readonly type: 'need'; readonly keys: readonly RowKey[] }
  /** Propose these facts; when they are applied, the reply holds. */
  | { readonly type: 'entry'; readonly facts: readonly Fact[]; readonly reply: Reply }
  /** Nothing to log: the reply holds once everything that the view showed is committed. */
  | { readonly type: 'answer'; readonly reply: Reply }
  /** The kept reply of an applied entry: holds at once. */
  | { readonly type: 'replay'; readonly reply: Reply }
  /** The same request is in flight: its reply comes with the entry at `index`. */
  | { readonly type: 'latch'; readonly index: LogIndex }
  /** This partition does not know the session (or that epoch): look at meta, open it, ask again. */
  | { readonly type: 'openFirst'; readonly session: SessionId }
