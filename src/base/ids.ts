/**
 * Numbers that must not be mixed up, told apart by the type checker.
 *
 * Each is a plain number at run time (a safe integer). A literal or a computed number may be assigned to any
 * of them; one branded number cannot be assigned to another.
 */

type Branded<Name extends string> = number & { readonly __brand?: Name }

/** A Raft group of this store: 0 is meta, the others hold documents. */
export type PartitionId = Branded<'PartitionId'>
/** A node of a cluster, from 1: its operator's number, kept over lost disks. */
export type NodeId = Branded<'NodeId'>
/** A partition's copy on a node; never reused. */
export type ReplicaId = Branded<'ReplicaId'>
/** Position of an entry in its partition's log, from 1, without gaps. */
export type LogIndex = Branded<'LogIndex'>
/** Raft's leadership number; grows with each election. */
export type Term = Branded<'Term'>
/** 1 of 256: the unit that can move between partitions. */
export type SlotId = Branded<'SlotId'>
/** Version of a document: `slotEpoch x 2^40 + index`; only grows. */
export type Version = Branded<'Version'>
/** Index of the entry in meta that registered the session. */
export type SessionId = Branded<'SessionId'>
/** Holder's number of a session: resuming a named session raises it. */
export type SessionEpoch = Branded<'SessionEpoch'>
/** Number of a command inside its session, from 1. */
export type Sequence = Branded<'Sequence'>
/** Milliseconds of a partition's own, logged time: never goes back, stands still without a leader. */
export type LogTime = Branded<'LogTime'>
/** A collection's number, from 1, never reused. */
export type CollectionId = Branded<'CollectionId'>
/** A constraint's number, from 1, never reused. */
export type ConstraintId = Branded<'ConstraintId'>
/** A derived index, by number: a counter of meta, never reused. */
export type IndexId = Branded<'IndexId'>
/** Position of a batch in the write-ahead log: +1 for ever. */
export type BatchSequence = Branded<'BatchSequence'>
/** Number of a file of the write-ahead log: +1 for each use. */
export type FileSequence = Branded<'FileSequence'>
/** Milliseconds of a clock that only moves forward. */
export type MonotonicMs = Branded<'MonotonicMs'>
/** Milliseconds since 1970: a label, never an order. */
export type WallMs = Branded<'WallMs'>

/** The partition that holds the store's own state: schema, sessions. */
export const metaPartition: PartitionId = 0
/** How many slots there are, for ever. */
export const slotCount = 256
/** Versions of one slot epoch lie below this. */
export const versionsPerEpoch = 2 ** 40
