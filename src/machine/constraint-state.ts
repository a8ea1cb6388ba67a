/**
 * How far a constraint is that came to a collection with documents in it, or is being dropped: a row of the
 * partition's own, entered in the order of its log.
 *
 *   guard      the schema has it: every write from here on runs its rule
 *   backfill   documents that were there before claim their values, in the order of their keys
 *   validate   all have; what is said of the whole comes next
 *   enforced   no value is shared. The row stays as long as the constraint does
 *   violated   some are; it becomes enforced with the entry that ends the last violation
 *   dropping   the schema no longer has it; its rows go, this one last
 *
 * A constraint that was defined with its collection has no such row before it is dropped: it is enforced.
 */
import type { CollectionId, ConstraintId, Version } from '../base/ids.js'
import { packStrict, unpackTrusted } from '../codec/msgpack.js'
import type { Draft } from './draft.js'
import { constraintKey } from './keys.js'

/** Where a constraint is on its way. */
export type ConstraintPhase = 'guard' | 'backfill' | 'validate' | 'enforced' | 'violated' | 'dropping'

/** The value of an `mc` row. Numbers are totals, not changes. */
export interface ConstraintState {
  readonly collection: CollectionId
  /** Name of the collection, and of the constraint: of one that is dropped the schema no longer says. */
  readonly of: string
  readonly name: string
  readonly state: ConstraintPhase
  /** Of the entry that brought the schema: documents of a newer version have run the rule. */
  readonly since: Version
  /** Key of the document, encoded, through which the backfill has come. */
  readonly after: Uint8Array | null
  /** Documents that the backfill has looked at. */
  readonly documents: number
  /** Documents that lack their claim, since another document holds the value, or since they have none. */
  readonly violations: number
  /** Values that these are about. */
  readonly values: number
}

/** The value of the row. */
export function encodeConstraintState(state: ConstraintState): Buffer {
  return packStrict(state)
}

const decoded = new WeakMap<Buffer, ConstraintState>()

/** Reads the value of the row: decoded once for each buffer. */
export function decodeConstraintState(value: Buffer): ConstraintState {
  let state = decoded.get(value)
  if (state === undefined) {
    state = unpackTrusted(value) as ConstraintState
    decoded.set(value, state)
  }
  return state
}

/** The state with the version of its row; undefined without a row. Such rows are always in memory. */
export function constraintState(
  draft: Draft,
  constraint: ConstraintId,
): (ConstraintState & { readonly version: Version }) | undefined {
  const row = draft.get(constraintKey(constraint))
  return row ? { ...decodeConstraintState(row.value), version: row.version } : undefined
}

/** Changes the row, which must be there. */
export function changeConstraintState(
  draft: Draft,
  constraint: ConstraintId,
  change: Partial<ConstraintState>,
): void {
  const key = constraintKey(constraint)
  const row = draft.get(key)
  if (row) draft.put(key, encodeConstraintState({ ...decodeConstraintState(row.value), ...change }))
}
