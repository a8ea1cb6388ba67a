/**
 * The limits that users meet and those that several parts share, with their units. (A bound that concerns one
 * file alone is in that file.) At a limit the answer is a named error, not memory growth. Relations between
 * limits are asserted below, when this file is loaded.
 */
import { assert } from './assert.js'

/** The same limits with other values: simulations draw small ones, so that rare paths are taken often. */
export type Limits = { readonly [Name in keyof typeof limits]: number }

const KiB = 1024
const MiB = 1024 * KiB

/** The limits by name; units stand last in it. A code says how a call is refused that goes over one. */
export const limits = {
  /** A document, encoded: TOO_LARGE. */
  documentBytesMax: MiB,
  /** All commands of one atomic batch, as sent: TOO_LARGE. */
  batchCommandBytesMax: 3 * MiB,
  /** Steps of one atomic batch: TOO_LARGE. */
  batchCommandsMax: 10_000,
  /** One entry of the log, head included, so what one write or batch changes: TOO_LARGE. */
  entryBytesMax: 4 * MiB,
  /** Body of one batch of the write-ahead log, and one frame; also one message between nodes. */
  walBatchBytesMax: 4 * MiB + 64 * KiB,
  /** Bytes that may wait on one connection to another node: what comes on top is not taken. */
  connectionBytesMax: 16 * MiB + 256 * KiB,
  /** Bytes for one other node that wait while a connection to it is made: what comes on top is dropped. */
  unsentBytesMax: 8 * MiB,
  /** Replicas of one group, voters and learners, those of both halves of a joint configuration counted. */
  groupReplicasMax: 32,
  /** Connections from other nodes and from callers: one more is closed. */
  connectionsMax: 1024,
  /** Calls over one connection that are not answered yet: OVERLOADED. */
  callsMax: 1024,
  /**
   * Proposed and not yet committed, per partition; all partitions of a node together at most half the ring.
   */
  uncommittedBytesMax: 8 * MiB,
  /** A batch starts on this boundary: no write touches a sector of an acknowledged batch. */
  walBlockBytes: 4 * KiB,
  /** A file of the write-ahead log of an embedded store: filled with zeros ahead of its use. */
  walFileBytesEmbedded: 8 * MiB,
  /** The same for a node of a cluster. */
  walFileBytes: 64 * MiB,
  /** Files in the ring; uncommitted bytes of a node may fill at most half of it. */
  walFilesMax: 4,
  /** Quiet time after a batch before a witness follows it. */
  walWitnessMs: 50,
  /** How long a lone commit may hold the event loop: longer than a fast disk takes, and not to be felt. */
  loneCommitMs: 0.3,
  /** A document's key, encoded as a tuple element: TOO_LARGE. */
  keyBytesMax: KiB,
  /** A unique value, encoded after normalisation: TOO_LARGE. */
  uniqueValueBytesMax: 4 * KiB,
  /** Encoded bytes that close a segment: fixed in the partition's creation entry. */
  segmentCutBytes: 16 * MiB,
  /** Appended bytes after which the open segment is synced. */
  segmentSyncBytes: 4 * MiB,
  /** Objects and arrays inside each other in a document (INVALID): checks call themselves for each. */
  documentDepthMax: 64,
  /** Values in a document, objects and arrays too (INVALID): small ones cost more than their bytes. */
  documentElementsMax: 100_000,
  /** Live sessions of a store (TOO_MANY_SESSIONS): their kept replies are in memory. */
  sessionsMax: 65_536,
  /**
   * Numbers of one session from the smallest unanswered (or unreleased) one on: their replies are kept. Over
   * it WINDOW_FULL if the caller numbers; if the library does, writes wait.
   */
  sessionWindow: 1024,
  /** Log time after which a session that nobody holds open ends: SESSION_EXPIRED. */
  sessionIdleMs: 3_600_000,
  /** The same for one with a name: long enough to come back to an import. */
  namedSessionIdleMs: 7 * 24 * 3_600_000,
  /** A registration older than this, in log time, is a delayed copy. */
  registerAgeMsMax: 30_000,
  /** The name of a session: TOO_LARGE. */
  sessionNameBytesMax: 256,
  /** The digest that names the input of a caller-numbered session: TOO_LARGE. */
  sessionInputBytesMax: 1024,
  /** A request id, as text: TOO_LARGE. */
  requestIdBytesMax: 256,
  /**
   * Request ids kept in one slot, fences among them: a new one is REQUEST_IDS_FULL, a kept one never goes
   * early. Each key has one of 256 slots.
   */
  requestIdsPerSlotMax: 4096,
  /** Keys and values of the same, answers included: REQUEST_IDS_FULL. */
  requestIdBytesPerSlotMax: 4 * MiB,
  /** Log time for which a request id is kept with its answer. */
  requestIdLifeMs: 24 * 3_600_000,
  /**
   * How far the issue time of a request id that nothing is kept of may lie behind the leader's wall clock
   * (REQUEST_ID_EXPIRED) or ahead of it (INVALID).
   */
  requestIdAgeMsMax: 12 * 3_600_000,
  /** Collections of a store (TOO_LARGE): their schemas are in memory, and none can be dropped. */
  collectionsMax: 1024,
  /** Named feeds of changes (TOO_MANY_SUBSCRIPTIONS); bytes of a name. */
  subscriptionsMax: 1024,
  subscriptionNameBytesMax: 256,
  /** Log time that a restart may lose: as often it is recorded, while there are sessions or request ids. */
  unloggedTimeMsMax: 10 * 60_000,
  /** Unique constraints of a collection (INVALID): each costs a row to look up with every write. */
  constraintsPerCollectionMax: 32,
  /** Fields of one unique constraint; conditions of its `where`: INVALID. */
  fieldsPerConstraintMax: 32,
  /** Values that one document claims under one constraint, by the elements of an array: TOO_LARGE. */
  claimsPerConstraintMax: 256,
  /** Bytes of the same, normalised and encoded: TOO_LARGE. */
  claimBytesPerConstraintMax: 64 * KiB,
  /** Documents that one entry of a constraint's build looks at. */
  buildEntryDocuments: 128,
  /**
   * Bytes of facts after which an entry of a build or of a drop ends: at most one document's claims over it.
   */
  buildEntryBytes: 128 * KiB,
  /** Changes after which a batch of an index ends. */
  indexBatchChanges: 1000,
  /** The same, in entries: those of other collections are passed over, and a close waits for it. */
  indexBatchEntries: 20_000,
  /**
   * The shortest time from one batch of a built index to the next, unless a question waits, or more than a
   * batch: each is a sync.
   */
  indexBatchMs: 50,
  /** Bytes of documents after which a batch of an index ends: at most one piece of log or state over it. */
  indexBatchBytes: 4 * MiB,
  /** Documents that the build of an index reads at a time. */
  indexChunkDocuments: 2000,
  /** Derived indexes of a collection (INVALID): each has a key-value store of its own. */
  indexesPerCollectionMax: 32,
  /** Fields of one secondary index; fields, and filters, of a search index: INVALID. */
  fieldsPerIndexMax: 8,
  /** One value in a row of a secondary index, encoded: longer ones are cut, hits on them checked again. */
  indexedValueBytesMax: KiB,
  /** All row keys that one document has in one secondary index; by itself, the note of them: TOO_LARGE. */
  indexedRowsBytesMax: MiB,
  /** Nodes of a cluster; the highest number of one. */
  nodesMax: 64,
  nodeIdMax: 65_535,
  /** Where a node listens, as `host:port`: a host name has at most 253 bytes. */
  addressBytesMax: 300,
  /** A name in a definition: collection, constraint, index, field: INVALID. */
  nameBytesMax: 128,
  /**
   * Commands that wait for admission, per partition; also writes that wait in one session for its window:
   * OVERLOADED.
   */
  pendingCommandsMax: 65_536,
  /** Bytes of the same: OVERLOADED. */
  pendingBytesMax: 64 * MiB,
  /** Reads that wait for the log or for rows, per store (OVERLOADED); as many more may wait for indexes. */
  waitingReadsMax: 65_536,
  /** Calls of `update` under way or in line for their key, per store: OVERLOADED. */
  waitingUpdatesMax: 65_536,
  /** How long one slice of work may hold the event loop. */
  sliceMs: 5,
  /** One write batch to the key-value store. */
  flushBatchBytesMax: MiB,
  /** Memtable bytes that start a flush. */
  memtableBytesMax: 32 * MiB,
  /** Entries applied since the last checkpoint of the state that make another one due. */
  checkpointEntriesMax: 100_000,
  /** Bytes applied since the last checkpoint of the state that make another one due. */
  checkpointBytesMax: 256 * MiB,
  /** The shortest time between two checkpoints of a state, and from a failed one to the next try. */
  checkpointPauseMs: 5000,
  /** Log since the last snapshot of a state that makes another one due, if it is also over the next one. */
  snapshotLogBytesMin: 64 * MiB,
  /** The same, as a multiple of the bytes of the last snapshot. */
  snapshotLogRatio: 2,
  /** One frame of a snapshot file. */
  snapshotFrameBytes: MiB,
  /** Snapshots that a node sends to others at a time; more wait. */
  snapshotsSentMax: 2,
  /** From a failed snapshot, say on a full disk, to the next try. */
  snapshotRetryMs: 60_000,
  /** Log of a partition that is kept at least, besides what a rebuild of its state needs. */
  retainBytes: 1024 * MiB,
  /** Log that one pin may hold beyond that: a named feed is LOG_TRUNCATED then, an index is rebuilt. */
  pinBytes: 4 * 1024 * MiB,
  /** Between two looks at what of the log may go. */
  trimPauseMs: 1000,
  /** Write buffer of the key-value store under the documents' state. */
  writeBufferBytes: 64 * MiB,
  /** Blocks of that store's tables that are kept in memory once they were read. */
  stateCacheBytes: 64 * MiB,
  /** The write buffer under meta's state, which is small. */
  writeBufferBytesMeta: 4 * MiB,
  /** The write buffer under each index. */
  writeBufferBytesIndex: 8 * MiB,
  /** One entry of facts that are listed, not decided: longer lists are cut, far below that. */
  factsPerEntryBytesMax: 512 * KiB,
  /** Tries of `update(key, fn)` when others change the document too, before CONFLICT is the caller's. */
  updateTriesMax: 10,
  /** How long a call waits, unless it says: TIMED_OUT. */
  deadlineMs: 30_000,
  /** Entries that an index may have to take before the store tells that it lags. */
  indexLagEntries: 100_000,
  /** How late the event loop may come before the store tells of it. */
  stallMs: 200,
  /** Rows per page of a scan. */
  scanPageRows: 1000,
  /** The key of one row of a derived index. */
  indexKeyBytesMax: 16 * KiB,
  /** The value of one row of a derived index, or the note left with a document. */
  indexValueBytesMax: MiB,
  /** Bytes written by a derived index since its checkpoint that make another one due. */
  indexCheckpointBytesMax: 64 * MiB,
  /** Batches written since then that do the same: each leaves a mark, and opening reads them. */
  indexCheckpointBatchesMax: 2000,
  /** Characters (UTF-16 units) of a question's text: INVALID. */
  searchTextUnitsMax: 4096,
  /** Hits in one page of a search (INVALID): they are held in memory, with their documents. */
  searchHitsMax: 1000,
  /** Fragments of one field that a search shows: INVALID. */
  highlightFragmentsMax: 100,
  /** UTF-16 units of one such fragment, about: INVALID. */
  highlightUnitsMax: 10_000,
  /** Pages of terms that one opened search index keeps in memory. */
  searchPagesBytesMax: 32 * MiB,
  /** Documents that have any term of a range (a beginning of words), that it keeps in memory. */
  searchListsBytesMax: 16 * MiB,
  /** Documents that an index of `onError: 'park'` could not take; one more stops it: INDEX_FAILED. */
  indexParkedMax: 10_000,
  /** Notes of deleted documents that one batch of an index removes, once it is built. */
  indexSweepRows: 1000,
} as const

assert(limits.batchCommandBytesMax < limits.entryBytesMax, 'a batch must fit an entry, with its facts')
assert(limits.documentBytesMax < limits.batchCommandBytesMax, 'a document must fit a batch')
assert(limits.entryBytesMax + 32 * KiB <= limits.walBatchBytesMax, 'an entry must fit a batch of the log')
assert(4 * limits.walBatchBytesMax <= limits.connectionBytesMax, 'some of the largest messages may wait')
assert(
  limits.walBatchBytesMax <= limits.unsentBytesMax && 2 * limits.unsentBytesMax <= limits.connectionBytesMax,
  'any message may wait for a connection, and that takes all that waited',
)
assert(
  limits.walBatchBytesMax + 2 * limits.walBlockBytes <= limits.walFileBytesEmbedded,
  'a batch must fit a file of the log',
)
assert(
  2 * 2 * limits.uncommittedBytesMax <= limits.walFilesMax * limits.walFileBytesEmbedded,
  'what is uncommitted in both partitions may fill half of the ring',
)
assert(
  limits.requestIdAgeMsMax * 2 <= limits.requestIdLifeMs,
  'an id that is not too old is still kept, though clocks differ by half of its life',
)
assert(limits.factsPerEntryBytesMax < limits.entryBytesMax, 'listed facts must fit an entry')
assert(4 * limits.buildEntryBytes <= limits.factsPerEntryBytesMax, 'an entry of a build stays far below that')
assert(
  limits.constraintsPerCollectionMax * 2 * limits.claimsPerConstraintMax < 64 * KiB,
  'all claims of a document can be counted in two bytes',
)
assert(
  limits.fieldsPerIndexMax * (limits.indexedValueBytesMax + 1) + 2 * limits.keyBytesMax <
    limits.indexKeyBytesMax,
  'the row of any document must fit',
)
assert(limits.indexKeyBytesMax < 64 * KiB, 'places in the key of an index row must fit two bytes')
