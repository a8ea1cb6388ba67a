/** The public face of sillok. */
export {
  type Code,
  type ErrorDetails,
  errorTable,
  isSillokError,
  type Outcome,
  type Retry,
  SillokError,
} from './base/errors.js'
export { limits } from './base/limits.js'
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
export type { IndexState, IndexStatus } from './derived/runner.js'
export type { SecondaryDefinition } from './derived/secondary/config.js'
export type { IndexField, IndexQuery } from './derived/secondary/index-query.js'
export type { SecondaryQuery } from './derived/secondary/query.js'
export type { SecondaryHit } from './derived/secondary/secondary.js'
export type { Numbering } from './machine/command.js'
export type { IndexDefinition } from './machine/index-schema.js'
export type { NormalizeStep } from './machine/normalize.js'
export type { Definition, UniqueDefinition, UniqueField } from './machine/schema.js'
export type { PartitionStatus } from './replica/host.js'
export type { NamedIndexStatus } from './replica/indexes.js'
export { Changes } from './store/changes.js'
export { type ChangeDocument, Collection, type InsertResult } from './store/collection.js'
export type { NormalDefinition } from './store/definition.js'
export type { CheckedDefinition, FindQuery, IndexName, NoSuchField } from './store/find-types.js'
export { type OpenOptions, open, type RetentionOptions } from './store/open.js'
export type * from './store/options.js'
export { Session } from './store/session.js'
export { Store } from './store/store.js'
export type { LogStatus, StoreEvents, StoreListeners, StoreStatus } from './store/store-status.js'
