/**
 * Every maximum of the store, with its unit and reason. At a limit the answer is a named error, not memory
 * growth. Relations between limits are asserted below, when this file is loaded.
 */
import { assert } from './assert.js'

/** The limits with other values: simulations draw small ones, so that rare paths are taken often. */
export type Limits = { readonly [Name in keyof typeof limits]: number }

const KiB = 1024
const MiB = 1024 * KiB

/** The limits by name; units stand last in it. */
export const limits = {
  /** A document, encoded. */
  documentBytesMax: MiB,
  /** All commands of one atomic batch, as sent. */
  batchCommandBytesMax: 3 * MiB,
  /** Documents named by one atomic batch. */
  batchCommandsMax: 10_000,
  /** One entry of the log, head included; checked after decide. */
  entryBytesMax: 4 * MiB,
  /** Body of one batch of the write-ahead log, and one frame. */
  walBatchBytesMax: 4 * MiB + 64 * KiB,
  /**
   * Proposed and not yet committed, per partition; all partitions of a node together at most half the ring.
   */
  uncommittedBytesMax: 8 * MiB,
  /** A batch starts on this boundary: no write touches a sector of an acknowledged batch. */
  walBlockBytes: 4 * KiB,
  /** A file of the write-ahead log: embedded profile, and for nodes of a cluster. */
  walFileBytesEmbedded: 8 * MiB,
  walFileBytes: 64 * MiB,
  /** Files in the ring; uncommitted bytes of a node may fill at most half of it. */
  walFilesMax: 4,
  /** Quiet time after a batch before a witness follows it. */
  walWitnessMs: 50,
  /** A document's key, encoded as a tuple element. */
  keyBytesMax: KiB,
  /** A unique value, encoded after normalisation. */
  uniqueValueBytesMax: 4 * KiB,
  /** Encoded bytes that close a segment: fixed in the partition's creation entry. */
  segmentCutBytes: 16 * MiB,
  /** Appended bytes after which the open segment is synced. */
  segmentSyncBytes: 4 * MiB,
  /** Nesting of a document; containers and scalars it may hold. */
  documentDepthMax: 64,
  documentElementsMax: 100_000,
  /** Live sessions of a store. */
  sessionsMax: 65_536,
  /** Unanswered requests of one session. */
  sessionWindow: 1024,
  /** Idle life of a session, and of a named one, in log time. */
  sessionIdleMs: 3_600_000,
  namedSessionIdleMs: 7 * 24 * 3_600_000,
  /** A registration older than this, in log time, is a delayed copy. */
  registerAgeMsMax: 30_000,
  sessionNameBytesMax: 256,
  /** The digest that names the input of a caller-numbered session. */
  sessionInputBytesMax: 1024,
  collectionsMax: 1024,
  /** Log time that a restart may lose: after so much of it the log says what time it is. */
  unloggedTimeMsMax: 10 * 60_000,
  constraintsPerCollectionMax: 32,
  fieldsPerConstraintMax: 32,
  /** Changes after which a batch of an index ends, and the shortest time from one batch to the next. */
  indexBatchChanges: 1000,
  indexBatchMs: 50,
  /**
   * Bytes of documents after which a batch of an index ends; one piece of the log or the state more at most.
   */
  indexBatchBytes: 4 * MiB,
  /** Documents that the build of an index reads at a time. */
  indexChunkDocuments: 2000,
  /** Derived indexes of a collection. */
  indexesPerCollectionMax: 32,
  /** Fields of one secondary index. */
  fieldsPerIndexMax: 8,
  /** One value in a row of a secondary index, encoded; longer ones are cut, hits on them checked again. */
  indexedValueBytesMax: KiB,
  /** Keys of the rows that one document has in one secondary index, together; and the note of them. */
  indexedRowsBytesMax: MiB,
  nameBytesMax: 128,
  /** Commands that wait for admission, and their bytes, per partition. */
  pendingCommandsMax: 65_536,
  pendingBytesMax: 64 * MiB,
  /** How long one slice of work may hold the event loop. */
  sliceMs: 5,
  /** One write batch to the key-value store. */
  flushBatchBytesMax: MiB,
  /** Memtable bytes that start a flush. */
  memtableBytesMax: 32 * MiB,
  /** State checkpoint: whichever comes first, and not more often than the pause. */
  checkpointEntriesMax: 100_000,
  checkpointBytesMax: 256 * MiB,
  checkpointPauseMs: 5000,
  /** Write buffer of the key-value store, all replicas of a node together. */
  writeBufferBytes: 64 * MiB,
  writeBufferBytesMeta: 4 * MiB,
  writeBufferBytesIndex: 8 * MiB,
  /** One entry of listed facts; longer lists are cut. */
  factsPerEntryBytesMax: 512 * KiB,
  /** Tries of `update(key, fn)` on CONFLICT. */
  updateTriesMax: 10,
  /** Deadline of a call, unless given. */
  deadlineMs: 30_000,
  /** Rows per page of a scan. */
  scanPageRows: 1000,
  /** A row of a derived index: its key, and its value or the note left with a document. */
  indexKeyBytesMax: 16 * KiB,
  indexValueBytesMax: MiB,
  /** Written by a derived index since its checkpoint: whichever comes first asks for another one. */
  indexCheckpointBytesMax: 64 * MiB,
  indexCheckpointBatchesMax: 2000,
  /** Characters (UTF-16 units) of a question's text. */
  searchTextUnitsMax: 4096,
  /** Pages of terms that one opened search index keeps in memory. */
  searchPagesBytesMax: 32 * MiB,
  /** Notes of deleted documents that one batch clears away once a derived index is built. */
  indexSweepRows: 1000,
} as const

assert(limits.batchCommandBytesMax < limits.entryBytesMax, 'a batch must fit an entry, with its facts')
assert(limits.documentBytesMax < limits.batchCommandBytesMax, 'a document must fit a batch')
assert(limits.entryBytesMax + 32 * KiB <= limits.walBatchBytesMax, 'an entry must fit a batch of the log')
assert(
  limits.walBatchBytesMax + 2 * limits.walBlockBytes <= limits.walFileBytesEmbedded,
  'a batch must fit a file of the log',
)
assert(
  2 * 2 * limits.uncommittedBytesMax <= limits.walFilesMax * limits.walFileBytesEmbedded,
  'what is uncommitted in both partitions may fill half of the ring',
)
assert(limits.factsPerEntryBytesMax < limits.entryBytesMax, 'listed facts must fit an entry')
assert(
  limits.fieldsPerIndexMax * (limits.indexedValueBytesMax + 1) + 2 * limits.keyBytesMax <
    limits.indexKeyBytesMax,
  'the row of any document must fit',
)
assert(limits.indexKeyBytesMax < 64 * KiB, 'places in the key of an index row must fit two bytes')
