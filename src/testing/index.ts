/**
 * `sillok/testing`: what users test their own implementations, programs and histories with. It needs no test
 * framework, and stands in any (`testLaws`).
 *
 * - **Laws**: suites for implementations of one's own, of index types (`indexLaws`), whole stores
 *   (`storeLaws`), and the doors to the outside: `diskLaws`, `keyValueLaws`, `networkLaws`.
 * - **Histories**: what concurrent clients asked and were told (`HistoryRecorder`), and checkers that find
 *   what should not have been: `checkLinearizability`, `checkSessionOrder`, `checkUniqueClaims`,
 *   `checkExactlyOnce`.
 * - **Worlds**: whole clusters of simulated nodes under one seed, with faults of clocks, event loops, disks
 *   and cables (`World`), and workloads at them: those of this package, and your own with your own indexes.
 */

export type { Limits } from '../base/limits.js'
export { Random } from '../base/random.js'
export type { CommitOptions, Disk, DiskFile, LogDevice } from '../env/disk.js'
export type {
  KeyRange,
  KeyValueBatch,
  KeyValueIterator,
  KeyValueOptions,
  KeyValueSnapshot,
  KeyValueStore,
  KeyValueStores,
} from '../env/key-value.js'
export type { Address, Connection, Listener, Network } from '../env/network.js'
export { FaultCounts, type FaultKind, faultKinds } from '../sim/fault-counts.js'
export { type DiskSubject, diskLaws } from './disk-laws.js'
export { checkExactlyOnce } from './exactly-once.js'
export {
  checkHistory,
  formatHistory,
  type History,
  type Operation,
  type OperationOf,
  type OpName,
  parseHistory,
  type ReadLevel,
  type Status,
  type Value,
} from './history.js'
export { indexLaws } from './index-laws.js'
export type { IndexSubject, KnownDocuments } from './index-subject.js'
export { type KeyValueSubject, keyValueLaws } from './key-value-laws.js'
export { type Closable, type Law, opened, type TestFunction, testLaws, type Use } from './law.js'
export { checkLinearizability, type LinearizabilityOptions } from './linearizability.js'
export { type Compiled, counter, list, type Model, type Move, register } from './models.js'
export { type NetworkSubject, networkLaws } from './network-laws.js'
export { type Asked, HistoryRecorder, type Pending } from './recorder.js'
export { checkSessionOrder } from './session-order.js'
export { storeLaws } from './store-laws.js'
export type { ChangesLike, CollectionLike, LawDocument, SessionLike, StoreLike } from './store-like.js'
export { checkUniqueClaims } from './unique-claims.js'
export type { Evidence, Failure, Undecided, Verdict } from './verdict.js'
export { settle, type Told, untilTold, type Workload, type WorldClient } from './workloads/workload.js'
export { faultsBeyond, type WorldFault, worldFaults } from './world/faults.js'
export type { DrawnOptions, WorldOptions } from './world/options.js'
export { type RareState, rareStates } from './world/rare-states.js'
export { type Broken, type WorldCounts, WorldFailure, type WorldReport } from './world/report.js'
export { World } from './world/world.js'
