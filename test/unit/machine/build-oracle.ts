/**
 * What must hold of unique constraints, whatever was done: computed from all documents at once, by comparing
 * each with each, and held against the rows of claims and violations.
 */

import type { Random } from '../../../src/base/random.js'
import { encodeKey } from '../../../src/base/tuple.js'
import { decodeDocument } from '../../../src/codec/document.js'
import { keyText, type Row, type RowKey } from '../../../src/codec/row.js'
import { decodeClaim } from '../../../src/machine/claims.js'
import type { ConstraintSchema } from '../../../src/machine/constraint-schema.js'
import { decodeConstraintState } from '../../../src/machine/constraint-state.js'
import { documentBytes, heldClaims } from '../../../src/machine/documents.js'
import { claimPrefix, constraintKey, violationParts, violationPrefix } from '../../../src/machine/keys.js'
import type { Definition } from '../../../src/machine/schema.js'
import { decodeHead, decodeLink } from '../../../src/machine/violations.js'

/** All rows of a partition at one moment. */
export interface StoredRows {
  readonly rows: ReadonlyMap<RowKey, Row>
}

export interface Thing {
  readonly id: string
  readonly mail?: string | null | { readonly no: true }
  readonly tags?: readonly string[]
  readonly on?: boolean
}

/** The rules of the test; `valuesOf` says what they mean. */
export type Rule = 'mail' | 'tags' | 'onMail' | 'nulls' | 'exact'

/** The values that a document has; null if its fields cannot be one. */
export function valuesOf(rule: Rule, { mail, tags, on }: Thing): readonly string[] | null {
  if (rule === 'tags') return [...new Set((tags ?? []).map(tag => tag.trim().toLowerCase()))]
  if (rule === 'onMail' && on !== true) return []
  if (mail === undefined || mail === null) return rule === 'nulls' ? ['(null)'] : []
  if (typeof mail === 'object') return null
  return [rule === 'exact' ? mail : mail.trim().toLowerCase()]
}

export function things(rows: StoredRows): Map<string, { thing: Thing; version: number; row: RowKey }> {
  const all = new Map<string, { thing: Thing; version: number; row: RowKey }>()
  for (const [row, { value, version }] of rows.rows) {
    if (!row.startsWith('d')) continue
    const thing = decodeDocument(documentBytes(value)) as unknown as Thing
    all.set(thing.id, { thing, version, row })
  }
  return all
}

export function ownKey(id: string): string {
  return keyText(encodeKey(id))
}

/** The rules as they are defined. */
export const ruleDefinitions: Readonly<Record<Rule, NonNullable<Definition['unique']>[string]>> = {
  mail: { fields: ['mail'], normalize: ['trim', 'fold'] },
  tags: { fields: ['tags'], normalize: ['trim', 'fold'], each: 'tags' },
  onMail: { fields: ['mail'], normalize: ['trim', 'fold'], where: { on: true } },
  nulls: { fields: ['mail'], normalize: ['trim', 'fold'], nulls: 'equal' },
  exact: { fields: ['mail'] },
}

/** Which of the rules a constraint has. */
export function ruleOf({ each, where, nulls, fields }: ConstraintSchema): Rule {
  if (each !== undefined) return 'tags'
  if (where !== undefined) return 'onMail'
  if (nulls !== undefined) return 'nulls'
  return fields[0]?.steps.length === 0 ? 'exact' : 'mail'
}

/** A document that often has a value of another. */
export function randomThing(random: Random, keys = 12): Thing {
  const mail = random.pick(['absent', null, 'a', 'A ', 'b', 'B', 'c', { no: true }] as const)
  const tags = ['x', ' X', 'y', 'z'].filter(() => random.chance(0.4))
  return {
    id: `k${random.below(keys)}`,
    ...(mail !== 'absent' && { mail }),
    ...(random.chance(0.7) && { tags }),
    ...(random.chance(0.7) && { on: random.chance(0.5) }),
  }
}

/** What is wrong with the rows of all these constraints together, or nothing. */
export function allFaultsOf(rows: StoredRows, unique: readonly ConstraintSchema[]): string[] {
  const faults = unique.flatMap(constraint => {
    const rule = ruleOf(constraint)
    return faultsOf(rows, constraint.id, rule).map(fault => `${constraint.id} ${rule}: ${fault}`)
  })
  const known = new Set(unique.map(({ id }) => id))
  const dropping = new Set<number>()
  for (const [key, { value }] of rows.rows) {
    if (!key.startsWith('mc')) continue
    const id = Buffer.from(key, 'latin1').readUInt32BE(2)
    if (decodeConstraintState(value).state === 'dropping') dropping.add(id)
    else if (!known.has(id)) faults.push(`constraint ${id} is in no schema and is not dropped`)
  }
  for (const key of rows.rows.keys()) {
    if (!key.startsWith('c') && !key.startsWith('v')) continue
    const id = Buffer.from(key, 'latin1').readUInt32BE(1)
    if (!known.has(id) && !dropping.has(id)) faults.push(`a row of constraint ${id}, which was dropped`)
  }
  return faults
}

/** What is wrong with the rows of the constraint, or nothing. */
export function faultsOf(rows: StoredRows, id: number, rule: Rule): string[] {
  const faults: string[] = []
  const all = things(rows)
  const stateRow = rows.rows.get(constraintKey(id))
  const state = stateRow && decodeConstraintState(stateRow.value)
  const holders = new Map<string, string>()
  for (const [key, { value }] of rows.rows) {
    if (key.startsWith(claimPrefix(id))) holders.set(key.slice(5), keyText(decodeClaim(value).holder))
  }
  const losers = losersOf(rows, id, faults)
  let unreached = 0
  const truly = new Map<string, string>()
  for (const { thing, version, row } of all.values()) {
    const own = ownKey(thing.id)
    const isBuilding = state?.state === 'guard' || state?.state === 'backfill'
    const isUnreached =
      isBuilding &&
      version <= state.since &&
      (state.after === null || Buffer.compare(encodeKey(thing.id), state.after) > 0)
    const held = [...holders].filter(([, holder]) => holder === own).map(([value]) => value)
    const lost = [...losers].filter(([, keys]) => keys.has(own)).map(([value]) => value)
    const values = valuesOf(rule, thing)
    const count = values === null ? 1 : values.length
    if (values === null && held.length > 0) faults.push(`${thing.id} holds what is no value`)
    const known = held.length + lost.length
    if (known !== count && !(isUnreached && known === 0)) {
      faults.push(`${thing.id} has ${count} values, holds ${held.length}, lacks ${lost.length}`)
    }
    if (isUnreached) unreached += 1
    for (const claim of heldClaims(rows.rows.get(row)?.value ?? Buffer.alloc(1))) {
      if (claim.startsWith(claimPrefix(id)) && !held.includes(claim.slice(5)))
        faults.push(`${thing.id} lists a claim that it does not hold`)
    }
    for (const value of held) truly.set(value, own)
  }
  for (const [value, holder] of holders) {
    if (truly.get(value) !== holder) faults.push(`a claim is held by ${holder}, which has it not`)
  }
  for (const [value, keys] of losers) {
    if (value !== '' && (holders.get(value) ?? '') === '') faults.push('a violation of a value nobody holds')
    for (const key of keys) {
      if (![...all.keys()].some(one => ownKey(one) === key))
        faults.push(`a violation of ${key}, which is gone`)
    }
  }
  const lostCount = [...losers.values()].reduce((sum, keys) => sum + keys.size, 0)
  if (state !== undefined && (state.violations !== lostCount || state.values !== losers.size)) {
    faults.push(`counts ${state.violations} of ${state.values}, there are ${lostCount} of ${losers.size}`)
  }
  if (unreached === 0)
    faults.push(
      ...pairFaults(
        rule,
        [...all.values()].map(({ thing }) => thing),
        lostCount,
      ),
    )
  if (state?.state === 'enforced' && lostCount > 0) faults.push('enforced, with violations')
  if (state?.state === 'violated' && lostCount === 0) faults.push('violated, without violations')
  return faults
}

/** Of those that share a value all but one are violations. */
function pairFaults(rule: Rule, all: readonly Thing[], lostCount: number): string[] {
  const counts = new Map<string, number>()
  let impossible = 0
  for (const thing of all) {
    const values = valuesOf(rule, thing)
    if (values === null) impossible += 1
    for (const value of values ?? []) counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  const expected = impossible + [...counts.values()].reduce((sum, count) => sum + count - 1, 0)
  return expected === lostCount ? [] : [`${lostCount} violations, counted anew ${expected}`]
}

/** The violations by value, from their rows and by walking each list. */
function losersOf(rows: StoredRows, id: number, faults: string[]): Map<string, Set<string>> {
  const losers = new Map<string, Set<string>>()
  const heads = new Map<string, string>()
  for (const key of rows.rows.keys()) {
    if (!key.startsWith(violationPrefix(id))) continue
    const parts = violationParts(key)
    const value = keyText(parts.value)
    if (parts.key.length === 0) heads.set(value, key)
    else losers.set(value, (losers.get(value) ?? new Set()).add(keyText(parts.key)))
  }
  for (const [value, headKey] of heads) {
    const head = decodeHead(rows.rows.get(headKey)?.value ?? Buffer.alloc(4))
    const walked: string[] = []
    let before = ''
    for (let at = head.first; at !== '' && walked.length <= head.count; ) {
      const row = rows.rows.get(headKey + at)
      if (row === undefined) {
        faults.push(`the list of violations names ${at}, which is not there`)
        break
      }
      const link = decodeLink(row.value)
      if (link.before !== before) faults.push(`${at} names ${link.before} before it, it is ${before}`)
      walked.push(at)
      before = at
      at = link.after
    }
    const known = losers.get(value) ?? new Set()
    if (walked.length !== head.count || walked.length !== known.size || walked.some(one => !known.has(one)))
      faults.push(`the list has ${walked.length}, says ${head.count}, there are ${known.size}`)
  }
  for (const value of losers.keys()) if (!heads.has(value)) faults.push('violations without a list')
  return losers
}
