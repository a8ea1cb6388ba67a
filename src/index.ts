/** The public face of sillok. */

export type { ErrorPolicy } from './base/error-policy.js'
export {
  type Code,
  type ErrorDetails,
  type ErrorParts,
  type ErrorRow,
  errorTable,
  isSillokError,
  type Outcome,
  type Retry,
  SillokError,
} from './base/errors.js'
export type { BatchSequence, LogIndex, LogTime, PartitionId, Sequence, Term, Version } from './base/ids.js'
export { limits } from './base/limits.js'
export { rowRequestId } from './base/request-id.js'
export { type DocumentKey, decodeTuple, encodeKey, encodeTuple, type TupleValue } from './base/tuple.js'
export type {
  DerivedIndex,
  IndexChange,
  IndexOps,
  IndexRange,
  IndexRow,
  IndexRows,
  IndexType,
  KeyedDocument,
} from './derived/contract.js'
export type { IndexState, IndexStatus, ParkedRetry } from './derived/index-status.js'
export type { ParkedDocument } from './derived/parked.js'
export type { SearchDefinition } from './derived/search/config.js'
export type { HighlightOptions } from './derived/search/document-highlights.js'
export type { FilterBounds, SearchFilter } from './derived/search/filter.js'
export type { SearchQuery } from './derived/search/search-query.js'
export type { SecondaryDefinition } from './derived/secondary/config.js'
export type { IndexField, IndexQuery } from './derived/secondary/index-query.js'
export type { SecondaryQuery } from './derived/secondary/query.js'
export type { SecondaryHit } from './derived/secondary/secondary.js'
export type { Numbering } from './machine/command.js'
export type { UniqueDefinition, UniqueField } from './machine/constraint-schema.js'
export type { ConstraintPhase } from './machine/constraint-state.js'
export type { IndexDefinition } from './machine/index-schema.js'
export type { NormalizeStep } from './machine/normalize.js'
export type { Definition } from './machine/schema.js'
export type { WhereCondition, WhereDefinition } from './machine/where.js'
export type { RoleName } from './raft/messages.js'
export type { NamedIndexStatus } from './replica/indexes.js'
export type { PartitionStatus } from './replica/partition-status.js'
export type { Pin, PinKind, PinPlace } from './replica/pins.js'
export type { RetentionStatus } from './replica/retention.js'
export { Changes } from './store/changes.js'
export { Collection, type NoSchema } from './store/collection.js'
export type { ConstraintStatus } from './store/constraints.js'
export type { NormalDefinition, NormalUnique } from './store/definition.js'
export type { CheckedDefinition, FindQuery, IndexName, NoSuchField } from './store/find-types.js'
export type { InsertResult } from './store/insert-many.js'
export type { StoreMetrics } from './store/metrics.js'
export type { NodeOptions } from './store/node-options.js'
export type {
  DamageNotice,
  IndexNotice,
  Logger,
  LogLevel,
  StoreEvent,
  StoreEvents,
} from './store/notices.js'
export { type OpenOptions, open, type RetentionOptions } from './store/open.js'
export type * from './store/options.js'
export type {
  FoundDocument,
  SearchName,
  SearchOptions,
  SearchOptionsOf,
  SearchPage,
} from './store/search-types.js'
export { Session } from './store/session.js'
export { Store } from './store/store.js'
export type { StoreListeners, StoreStatus } from './store/store-status.js'
export type { ChangeDocument } from './store/updates.js'
export type { DocumentSchema, SchemaInput, SchemaOutput, ValidationIssue } from './store/validation.js'
export type { SyncStatus } from './wal/sync-times.js'
export type { WalStatus as LogStatus } from './wal/wal.js'
