/**
 * What goes in and out of the protocol. Storage is a target like any other: writes and applications leave as
 * messages and come back as responses, since nothing in Node is synchronous.
 */
import type { Entry } from '../base/entry.js'
import type { LogIndex, ReplicaId, Term } from '../base/ids.js'

/**
 * Must be durable before a message that depends on it leaves. `commit` is a hint and forces no sync by
 * itself.
 */
export interface HardState {
  readonly term: Term
  /** The replica that got this replica's vote in `term`; 0 for none. */
  readonly vote: ReplicaId
  readonly commit: LogIndex
}

/**
 * To the log, in order. When entries and hard state are durable (one sync), step each of `responses`; not
 * before: they are this replica's acknowledgement to itself (thesis 3.8).
 */
export interface StorageAppend {
  readonly type: 'storageAppend'
  readonly hardState: HardState | undefined
  readonly entries: readonly Entry[]
  readonly responses: readonly StorageResponse[]
}

/** From the log: everything up to (index, term of the entry) is durable, attested in `term`. */
export interface StorageAppended {
  readonly type: 'storageAppended'
  /** The term in which the append was handed out: a response from an older term is ignored (ABA). */
  readonly term: Term
  readonly index: LogIndex
}

/** From the log: the vote that this replica gave itself in `term` is durable, so it counts. */
export interface VoteStored {
  readonly type: 'voteStored'
  readonly term: Term
}

/** To the state: these committed, locally durable entries may be applied, in order. */
export interface StorageApply {
  readonly type: 'storageApply'
  readonly from: LogIndex
  readonly through: LogIndex
}

/** From the state: everything up to index is applied. */
export interface StorageApplied {
  readonly type: 'storageApplied'
  readonly index: LogIndex
}

/** What the log answers: stepped when the append's batch is durable. */
export type StorageResponse = StorageAppended | VoteStored

/** What `step` takes. */
export type Inbound = StorageResponse | StorageApplied

/** What a Ready hands out. */
export type Outbound = StorageAppend | StorageApply

/** A read that may be answered from state at or above index (ReadIndex, thesis 6.4). */
export interface ReadState {
  readonly token: number
  readonly index: LogIndex
}

/**
 * The output of the protocol since the last one. Carry out `messages` in their order; they may be in flight
 * at once. `readStates` may be used as soon as that index is applied.
 */
export interface Ready {
  readonly messages: readonly Outbound[]
  readonly readStates: readonly ReadState[]
  /** Present when role or term changed: whoever holds speculative state drops it before anything else. */
  readonly soft: SoftState | undefined
}

/** What may be lost: role and term as they are now. */
export interface SoftState {
  readonly role: 'follower' | 'candidate' | 'leader'
  readonly term: Term
}
