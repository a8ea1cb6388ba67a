/**
 * What decide may look at: the applied state of the partition and this leader's own proposals in flight, as
 * one.
 *
 * A row is there, known to be absent (null), or not in memory (undefined): then decide answers with the keys
 * that it needs and is asked again when they are loaded.
 */
import type {
  LogIndex,
  LogTime,
  Sequence,
  SessionEpoch,
  SessionId,
  SlotId,
  Version,
  WallMs,
} from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { Row, RowKey } from '../codec/row.js'

/** A kept reply, and the entry that brings it while that is in flight. */
export interface KeptReply {
  readonly row: Row
  readonly pending: LogIndex | undefined
}

/** Rows with from <= key < to: how many, and the sums of their hash pairs, each modulo 2^32. */
export interface RangeSum {
  readonly count: number
  readonly sum0: number
  readonly sum1: number
}

/** What decide may ask. Nothing here waits. */
export interface View {
  get(key: RowKey): Row | null | undefined
  /** The newest entry in flight that changes the row; undefined if there is none. Not of kept replies. */
  inFlight(key: RowKey): LogIndex | undefined
  /** Kept replies are always in memory. */
  reply(slot: SlotId, session: SessionId, epoch: SessionEpoch, sequence: Sequence): KeptReply | undefined
  /**
   * The highest lowWater that came with a reply still kept, 0 without one. It was the highest ever logged
   * here.
   */
  lowWater(slot: SlotId, session: SessionId, epoch: SessionEpoch): Sequence
  /** How many applied replies are kept for one session in one slot: no range has more. */
  keptReplies(slot: SlotId, session: SessionId): number
  /** How many applied replies of that range no proposal in flight drops: a hint, cheaper than the sum. */
  staleReplies(slot: SlotId, session: SessionId, from: RowKey, to: RowKey): number
  /** Sum over the kept replies of one session in one slot with from <= key < to. */
  sumReplies(slot: SlotId, session: SessionId, from: RowKey, to: RowKey): RangeSum
}

/** What the proposer knows about the entry that this decision would become. */
export interface DecideContext {
  readonly version: Version
  readonly time: LogTime
  readonly index: LogIndex
  /** The leader's wall clock, for what carries a time of its own: never an order. */
  readonly wallMs: WallMs
  readonly limits: Limits
}
