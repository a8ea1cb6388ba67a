/**
 * What a store did and how it is doing, as plain numbers for whatever collects them.
 *
 * Names end in their unit. `…Count` and `…Bytes` of what was done only grow, from 0 when the store is opened;
 * all others are of this moment.
 */
import type { Code } from '../base/errors.js'
import { registeredPrefix, requestCountPrefix } from '../machine/keys.js'
import { decodeRequestCount } from '../machine/requests.js'
import type { Host } from '../replica/host.js'
import type { Counts } from './counts.js'

/** Numbers of a store; see each. */
export interface StoreMetrics {
  /** Writes that were answered, refused ones apart; a batch is one. */
  readonly writesCount: number
  /** Reads that were begun, of one document or of many. */
  readonly readsCount: number
  /** Questions to indexes that were begun. */
  readonly questionsCount: number
  /** Requests that the store refused, by code: CONFLICT, EXISTS, DISK_FULL and so on. */
  readonly refusals: Readonly<Partial<Record<Code, number>>>
  /** Calls that their deadline ended. */
  readonly timeoutsCount: number
  /** Bytes that were written to the log, its padding included. */
  readonly logWrittenBytes: number
  /** Entries that were written to the log, of all partitions. */
  readonly logEntriesCount: number
  /** Batches that were written to the log: each is one write and one sync. */
  readonly logBatchesCount: number
  /** Entries per batch; 0 before the first. */
  readonly logEntriesPerBatch: number
  /** How long the last 1,024 batches took to be written and synced. */
  readonly syncP50Ms: number
  readonly syncP99Ms: number
  readonly syncMaxMs: number
  /** Bytes of appends that no batch holds yet. */
  readonly logWaitingBytes: number
  /** Bytes of entries that stand in the log alone, not in segments. */
  readonly logTailBytes: number
  /** Commands that wait to be decided. */
  readonly waitingCommandsCount: number
  /** Reads, updates, questions, and documents at their schema, that have not ended. */
  readonly waitingReadsCount: number
  readonly waitingUpdatesCount: number
  readonly waitingQuestionsCount: number
  readonly waitingValidationsCount: number
  /** Bytes of rows in memory, of all partitions. */
  readonly memtableBytes: number
  /** Times that rows went from memory to the key-value store. */
  readonly flushesCount: number
  /** Checkpoints of the state that were recorded. */
  readonly checkpointsCount: number
  /** The most entries that an index has to take yet. */
  readonly indexLagEntries: number
  /** Times that an index was begun anew. */
  readonly indexRebuildsCount: number
  /** Sessions in the register, of all processes. */
  readonly sessionsCount: number
  /** Request ids that are kept. */
  readonly requestIdsCount: number
  /** The longest that the event loop came late, since the store was opened. */
  readonly loopLateMaxMs: number
}

/** Where the numbers are. */
export interface MetricsParts {
  readonly host: Host
  readonly counts: Counts
  readonly timeouts: number
  readonly waiting: Pick<
    StoreMetrics,
    'waitingReadsCount' | 'waitingUpdatesCount' | 'waitingQuestionsCount' | 'waitingValidationsCount'
  >
  readonly lateMsMax: number
}

/** The numbers as they are now. */
export function metricsOf({ host, counts, timeouts, waiting, lateMsMax }: MetricsParts): StoreMetrics {
  const { wal, partitions, indexes } = host.status()
  const sum = (of: (one: (typeof partitions)[number]) => number): number =>
    partitions.reduce((total, one) => total + of(one), 0)
  const states = (of: (state: Host['meta']['state']) => number): number =>
    of(host.meta.state) + of(host.data.state)
  const kept = host.data.state.partitionRows(requestCountPrefix)
  return {
    writesCount: counts.writes,
    readsCount: counts.reads,
    questionsCount: counts.questions,
    refusals: Object.fromEntries(counts.refusals),
    timeoutsCount: timeouts,
    logWrittenBytes: wal.writtenBytes,
    logEntriesCount: wal.entries,
    logBatchesCount: wal.sync.count,
    logEntriesPerBatch: wal.sync.count === 0 ? 0 : wal.entries / wal.sync.count,
    syncP50Ms: wal.sync.p50Ms,
    syncP99Ms: wal.sync.p99Ms,
    syncMaxMs: wal.sync.maxMs,
    logWaitingBytes: wal.waitingBytes,
    logTailBytes: wal.tailBytes,
    waitingCommandsCount: sum(one => one.waiting),
    ...waiting,
    memtableBytes: states(state => state.memoryBytes),
    flushesCount: states(state => state.flushes),
    checkpointsCount: states(state => state.checkpoints),
    indexLagEntries: Math.max(0, ...indexes.map(({ lag }) => lag)),
    indexRebuildsCount: indexes.reduce((total, { rebuilds }) => total + rebuilds, 0),
    sessionsCount: host.meta.state.partitionRows(registeredPrefix).length,
    requestIdsCount: kept.reduce((total, [, row]) => total + decodeRequestCount(row.value).ids, 0),
    loopLateMaxMs: lateMsMax,
  }
}
