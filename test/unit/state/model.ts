/** What the state must be: a map of rows, changed by the same random entries. */

import type { Random } from '../../../src/base/random.js'
import type { Fact } from '../../../src/codec/facts.js'
import {
  digestCount,
  keyBytes,
  makeRow,
  type Row,
  type RowKey,
  slotOfRow,
  storedRow,
} from '../../../src/codec/row.js'
import { SessionWindow } from '../../../src/state/session-window.js'

/** One entry of the log as the state takes it; no facts: an empty entry. */
export interface LoggedEntry {
  readonly facts: readonly Fact[]
  readonly version: number
  readonly rows: readonly Row[]
}

const slotEpoch = 3

export class Model {
  readonly rows = new Map<RowKey, Row>()

  copy(): Model {
    const model = new Model()
    for (const [key, row] of this.rows) model.rows.set(key, row)
    return model
  }

  /** Decides a random entry for that index and applies it. */
  decide(random: Random, index: number): LoggedEntry {
    const version = slotEpoch * 2 ** 40 + index
    const facts: Fact[] = []
    const rows: Row[] = []
    if (random.chance(0.05)) return { facts, version, rows }
    const count = 1 + random.below(4)
    for (let i = 0; i < count; i++) {
      if (random.chance(0.1)) facts.push(this.#range(random))
      else this.#change(random, version, facts, rows)
    }
    return { facts, version, rows }
  }

  apply({ facts, version }: LoggedEntry): void {
    for (const fact of facts) {
      if (fact.op === 'put') this.rows.set(fact.key, makeRow(fact.key, version, fact.value))
      else if (fact.op === 'delete') this.rows.delete(fact.key)
      else for (const key of this.#keysIn(fact.from, fact.to)) this.rows.delete(key)
    }
  }

  digests(): Uint32Array {
    const sums = new Uint32Array(2 * digestCount)
    for (const [key, row] of this.rows) {
      const at = 2 * slotOfRow(key)
      sums[at] = (sums[at] ?? 0) + row.hash0
      sums[at + 1] = (sums[at + 1] ?? 0) + row.hash1
    }
    return sums
  }

  /** Rows that a scan shows, as text. */
  scanned({ gte, lt, reverse }: { gte?: RowKey; lt?: RowKey; reverse?: boolean }): string[] {
    const shown = [...this.rows]
      .filter(([key]) => !key.startsWith('s') && (gte === undefined || key >= gte))
      .filter(([key]) => lt === undefined || key < lt)
      .sort(([left], [right]) => (left < right ? -1 : 1))
    return (reverse === true ? shown.reverse() : shown).map(([key, row]) => rowText(key, row))
  }

  /** Kept replies, as text. */
  replies(): string[] {
    return [...this.rows]
      .filter(([key]) => key.startsWith('s'))
      .map(([key, row]) => rowText(key, row))
      .sort()
  }

  #change(random: Random, version: number, facts: Fact[], rows: Row[]): void {
    const key = randomKey(random)
    const before = this.rows.get(key)
    const prev0 = before?.hash0 ?? 0
    const prev1 = before?.hash1 ?? 0
    if (before !== undefined && random.chance(0.4)) {
      facts.push({ op: 'delete', key, prev0, prev1 })
      this.rows.delete(key)
      return
    }
    const value = random.bytes(random.below(60))
    const row = makeRow(key, version, value)
    facts.push({ op: 'put', key, value, prev0, prev1 })
    rows.push(row)
    this.rows.set(key, row)
  }

  #range(random: Random): Fact {
    const slot = random.below(3)
    const session = 1 + random.below(3)
    const window = new SessionWindow(slot, session)
    const [from, to] = random.chance(0.2)
      ? [window.storedKey, new SessionWindow(slot, session + 1 + random.below(2)).storedKey]
      : [window.keyOf(1, 0), window.keyOf(1 + random.below(2), random.below(8))]
    let sum0 = 0
    let sum1 = 0
    for (const key of this.#keysIn(from, to)) {
      const row = this.rows.get(key)
      sum0 = (sum0 + (row?.hash0 ?? 0)) >>> 0
      sum1 = (sum1 + (row?.hash1 ?? 0)) >>> 0
      this.rows.delete(key)
    }
    return { op: 'deleteRange', from, to, slot, sum0, sum1 }
  }

  #keysIn(from: RowKey, to: RowKey): RowKey[] {
    return [...this.rows.keys()].filter(key => key >= from && key < to)
  }
}

export function rowText(key: RowKey, row: Row): string {
  return `${keyBytes(key).toString('hex')}=${storedRow(row).toString('hex')}/${row.hash0}/${row.hash1}`
}

/** Few enough that rows are replaced, deleted and born again often. */
export function randomKey(random: Random): RowKey {
  switch (random.below(5)) {
    case 0:
      return `c\0\0\0\u0001\u0002v${random.below(12)}\0`
    case 1:
      return `m${random.below(4)}`
    case 2:
      return new SessionWindow(random.below(3), 1 + random.below(3)).keyOf(
        1 + random.below(2),
        1 + random.below(8),
      )
    default:
      return `d\0\0\0${String.fromCharCode(1 + random.below(2))}\u0002k\u00ff${random.below(40)}\0`
  }
}

/** All keys that `randomKey` may give, kept replies apart. */
export function allKeys(): RowKey[] {
  const keys: RowKey[] = []
  for (let i = 0; i < 12; i++) keys.push(`c\0\0\0\u0001\u0002v${i}\0`)
  for (let i = 0; i < 4; i++) keys.push(`m${i}`)
  for (let i = 0; i < 40; i++) {
    keys.push(`d\0\0\0\u0001\u0002k\u00ff${i}\0`, `d\0\0\0\u0002\u0002k\u00ff${i}\0`)
  }
  return keys
}
