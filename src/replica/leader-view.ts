/**
 * What decide sees on a leader: its proposals in flight, over the applied state, over the rows that were
 * loaded for the command. In that order, at any later moment, the newest one wins.
 */
import type { LogIndex, Sequence, SessionEpoch, SessionId, SlotId } from '../base/ids.js'
import type { Fact } from '../codec/facts.js'
import type { Row, RowKey } from '../codec/row.js'
import { replyEpoch, replyKey } from '../machine/keys.js'
import { lowWaterOf } from '../machine/reply.js'
import type { KeptReply, RangeSum, View } from '../machine/view.js'
import type { Loaded } from '../state/loaded.js'
import { isPartitionRow } from '../state/partition-rows.js'
import type { State } from '../state/state.js'
import { isReply, type Overlay, type PendingReplies, windowNumber, windowOf } from './overlay.js'

/** Remembered lowWaters beyond which all are forgotten and found again. */
const lowWatersMax = 100_000

const none: { readonly keys: readonly RowKey[]; readonly rows: readonly Row[] } = { keys: [], rows: [] }

interface KnownLowWater {
  readonly epoch: SessionEpoch
  sequence: Sequence
}

/** The view of one leader; set `loaded` before each decision. */
export class LeaderView implements View {
  readonly #overlay: Overlay
  readonly #state: State
  /** Of the epoch that was asked for last, by slot and session. */
  readonly #lowWaters = new Map<number, KnownLowWater>()
  #loaded: readonly Loaded[] = []

  constructor(overlay: Overlay, state: State) {
    this.#overlay = overlay
    this.#state = state
  }

  /** Rows that were loaded for the commands about to be decided. */
  set loaded(loaded: readonly Loaded[]) {
    this.#loaded = loaded
  }

  get(key: RowKey): Row | null | undefined {
    const own = this.#overlay.get(key)
    if (own !== undefined) return own
    if (isPartitionRow(key)) return this.#state.lookup(key)
    // A loaded row is as of now too, and found sooner.
    for (const loaded of this.#loaded) {
      const row = loaded.get(key)
      if (row !== undefined) return row
    }
    return this.#state.lookup(key)
  }

  inFlight(key: RowKey): LogIndex | undefined {
    return this.#overlay.indexOf(key)
  }

  /** The row without loading: undefined if it may stand on disk only. */
  inMemory(key: RowKey): Row | null | undefined {
    const own = this.#overlay.get(key)
    return own !== undefined ? own : this.#state.lookup(key)
  }

  reply(slot: SlotId, session: SessionId, epoch: SessionEpoch, sequence: Sequence): KeptReply | undefined {
    const key = replyKey(slot, session, epoch, sequence)
    const pending = this.#overlay.replies(slot, session)
    const own = pending?.rows.get(key)
    if (own !== undefined) return { row: own.row, pending: own.index }
    if (pending !== undefined && isDropped(pending, key, 0)) return undefined
    const row = this.#state.windows.get(slot, session)?.row(key)
    return row && { row, pending: undefined }
  }

  lowWater(slot: SlotId, session: SessionId, epoch: SessionEpoch): Sequence {
    const number = windowNumber(slot, session)
    const known = this.#lowWaters.get(number)
    if (known?.epoch === epoch) return known.sequence
    let sequence = 0
    this.#eachRow(slot, session, undefined, (key, row) => {
      if (replyEpoch(key) === epoch) sequence = Math.max(sequence, lowWaterOf(row))
    })
    if (this.#lowWaters.size >= lowWatersMax) this.#lowWaters.clear()
    this.#lowWaters.set(number, { epoch, sequence })
    return sequence
  }

  keptReplies(slot: SlotId, session: SessionId): number {
    return this.#state.windows.get(slot, session)?.size ?? 0
  }

  staleReplies(slot: SlotId, session: SessionId, from: RowKey, to: RowKey): number {
    const window = this.#state.windows.get(slot, session)
    if (window === undefined) return 0
    const dropped = this.#overlay.replies(slot, session)?.ranges.at(-1)?.fact.to ?? from
    return window.countRange(dropped > from ? dropped : from, to)
  }

  sumReplies(slot: SlotId, session: SessionId, from: RowKey, to: RowKey): RangeSum {
    let count = 0
    let sum0 = 0
    let sum1 = 0
    this.#eachRow(slot, session, to, (key, row) => {
      if (key < from || key >= to) return
      count += 1
      sum0 = (sum0 + row.hash0) >>> 0
      sum1 = (sum1 + row.hash1) >>> 0
    })
    return { count, sum0, sum1 }
  }

  /** Notes the lowWaters that a new proposal brings. */
  proposed(facts: readonly Fact[], rows: readonly Row[]): void {
    let at = 0
    for (const fact of facts) {
      if (fact.op !== 'put') continue
      const row = rows[at++]
      if (row === undefined || !isReply(fact.key)) continue
      const known = this.#lowWaters.get(windowOf(fact.key))
      if (known?.epoch === replyEpoch(fact.key)) known.sequence = Math.max(known.sequence, lowWaterOf(row))
    }
  }

  /** Forgets what was derived from proposals: role or term changed. */
  reset(): void {
    this.#lowWaters.clear()
  }

  /** Kept replies, applied (below `to`) and in flight, less those that proposals in flight drop. */
  #eachRow(
    slot: SlotId,
    session: SessionId,
    to: RowKey | undefined,
    each: (key: RowKey, row: Row) => void,
  ): void {
    const pending = this.#overlay.replies(slot, session)
    const window = this.#state.windows.get(slot, session)
    const { keys, rows } = window ?? none
    for (let place = 0; place < keys.length; place++) {
      const key = keys[place] as RowKey
      if (to !== undefined && key >= to) break
      const hidden = pending !== undefined && (pending.rows.has(key) || isDropped(pending, key, 0))
      if (!hidden) each(key, rows[place] as Row)
    }
    pending?.rows.forEach(({ row, index }, key) => {
      if (!isDropped(pending, key, index)) each(key, row)
    })
  }
}

/** True if a range proposed after `index` removes the key. */
function isDropped(pending: PendingReplies, key: RowKey, index: LogIndex): boolean {
  if (pending.ranges.length === 0) return false
  return pending.ranges.some(range => range.index > index && key >= range.fact.from && key < range.fact.to)
}
