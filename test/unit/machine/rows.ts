/** A partition's rows in a Map: what decide sees, and what evolve does to them. Obviously right. */
import { type Limits, limits } from '../../../src/base/limits.js'
import type { Fact } from '../../../src/codec/facts.js'
import { makeRow, partitionSlot, type Row, type RowKey, slotOfRow } from '../../../src/codec/row.js'
import type { Command, Decision } from '../../../src/machine/command.js'
import { decide } from '../../../src/machine/decide.js'
import { replyKey, replyPrefix, uint32Text } from '../../../src/machine/keys.js'
import { lowWaterOf } from '../../../src/machine/reply.js'
import type { KeptReply, RangeSum, View } from '../../../src/machine/view.js'

/** Applies facts without looking, to any rows. */
export function apply(rows: Map<RowKey, Row>, index: number, facts: readonly Fact[]): void {
  for (const fact of facts) {
    if (fact.op === 'put') rows.set(fact.key, makeRow(fact.key, index, fact.value))
    else if (fact.op === 'delete') rows.delete(fact.key)
    else for (const key of [...rows.keys()]) if (key >= fact.from && key < fact.to) rows.delete(key)
  }
}

/** Digest pairs per slot: of the rows as they are. */
export function digestOf(rows: ReadonlyMap<RowKey, Row>): Uint32Array {
  const sums = new Uint32Array(2 * (partitionSlot + 1))
  for (const [key, { hash0, hash1 }] of rows) add(sums, slotOfRow(key), hash0, hash1)
  return sums
}

/** The same from the facts alone, as a replica does that reads nothing. */
export function addFacts(sums: Uint32Array, index: number, facts: readonly Fact[]): void {
  for (const fact of facts) {
    if (fact.op === 'deleteRange') {
      add(sums, fact.slot, -fact.sum0, -fact.sum1)
      continue
    }
    const { key } = fact
    add(sums, slotOfRow(key), -fact.prev0, -fact.prev1)
    if (fact.op !== 'put') continue
    const { hash0, hash1 } = makeRow(key, index, fact.value)
    add(sums, slotOfRow(key), hash0, hash1)
  }
}

function add(sums: Uint32Array, slot: number, one: number, two: number): void {
  sums[2 * slot] = (sums[2 * slot] ?? 0) + one
  sums[2 * slot + 1] = (sums[2 * slot + 1] ?? 0) + two
}

/** A row with all that it holds. */
export function rowText([key, { value, version, hash0, hash1 }]: readonly [RowKey, Row]): string {
  return `${Buffer.from(key, 'latin1').toString('hex')} ${value.toString('hex')} ${version} ${hash0} ${hash1}`
}

export class Rows implements View {
  readonly rows = new Map<RowKey, Row>()
  readonly log: { readonly index: number; readonly facts: readonly Fact[] }[] = []
  /** Rows that are not in memory. */
  hidden: (key: RowKey) => boolean = () => false
  /** Replies in flight, by their key. */
  readonly pending = new Map<RowKey, KeptReply>()
  index: number = 0
  time = 1_000_000
  wallMs = 1_700_000_000_000
  limits: Limits = limits
  /** Rows in flight, by their key. */
  readonly proposed = new Map<RowKey, number>()

  get(key: RowKey): Row | null | undefined {
    return this.hidden(key) && !key.startsWith('s') ? undefined : (this.rows.get(key) ?? null)
  }

  inFlight(key: RowKey): number | undefined {
    return this.proposed.get(key)
  }

  reply(slot: number, session: number, epoch: number, sequence: number): KeptReply | undefined {
    const key = replyKey(slot, session, epoch, sequence)
    const row = this.rows.get(key)
    return this.pending.get(key) ?? (row && { row, pending: undefined })
  }

  lowWater(slot: number, session: number, epoch: number): number {
    const prefix = replyPrefix(slot, session) + uint32Text(epoch)
    const kept = [...this.rows].filter(([key]) => key.startsWith(prefix))
    return Math.max(0, ...kept.map(([, row]) => lowWaterOf(row)))
  }

  keptReplies(slot: number, session: number): number {
    const prefix = replyPrefix(slot, session)
    return [...this.rows.keys()].filter(key => key.startsWith(prefix)).length
  }

  staleReplies(slot: number, session: number, from: RowKey, to: RowKey): number {
    return this.sumReplies(slot, session, from, to).count
  }

  sumReplies(_slot: number, _session: number, from: RowKey, to: RowKey): RangeSum {
    const sums = new Uint32Array(2)
    let count = 0
    for (const [key, { hash0, hash1 }] of this.rows) {
      if (key < from || key >= to) continue
      count += 1
      add(sums, 0, hash0, hash1)
    }
    return { count, sum0: sums[0] ?? 0, sum1: sums[1] ?? 0 }
  }

  /** Documents and claims, without their versions. */
  contents(): string[] {
    const kinds = new Set(['d', 'c'])
    return [...this.rows]
      .filter(([key]) => kinds.has(key.charAt(0)))
      .map(([key, row]) => rowText([key, { ...row, version: 0, hash0: 0, hash1: 0 }]))
      .sort()
  }

  /** Decides with all rows in memory. */
  decide(command: Command): Decision {
    const index = this.index + 1
    const { time, wallMs } = this
    return decide(command, this, { index, version: index, time, wallMs, limits: this.limits })
  }

  /** Decides with some rows on disk only, which are loaded as they are asked for; tells the rounds. */
  decideInRounds(
    command: Command,
    isHidden: (key: RowKey) => boolean,
  ): { decision: Decision; rounds: number } {
    const loaded = new Set<RowKey>()
    this.hidden = key => isHidden(key) && !loaded.has(key)
    try {
      for (let rounds = 1; ; rounds++) {
        const decision = this.decide(command)
        if (decision.type !== 'need') return { decision, rounds }
        const fresh = decision.keys.filter(key => !loaded.has(key))
        if (fresh.length === 0) throw new Error('asks again for what was loaded')
        for (const key of fresh) loaded.add(key)
      }
    } finally {
      this.hidden = () => false
    }
  }

  /** Decides, and takes the entry if there is one. */
  run(command: Command): Decision {
    const decision = this.decide(command)
    if (decision.type === 'entry') this.take(decision.facts)
    return decision
  }

  take(facts: readonly Fact[]): void {
    this.index += 1
    this.log.push({ index: this.index, facts })
    apply(this.rows, this.index, facts)
  }
}
