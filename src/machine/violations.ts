/**
 * Violations: documents that have a unique value which another one holds, while a constraint is built or
 * violated. A document whose fields cannot be a unique value at all is one too, under the value of no bytes.
 *
 *   v | u32be constraint | u16be n | value            u32 how many | encoded key of the first
 *   v | u32be constraint | u16be n | value | key      u16 n | key before | u16 n | key after | raw values
 *
 * Those of one value are a list in both directions, so that each change of it is a few rows, found by their
 * keys. A violation is there if and only if its document has the value and does not hold the claim; then
 * another does. When the holder lets go, the first of the list takes the claim in the same entry.
 */
import { assert } from '../base/assert.js'
import type { ConstraintId } from '../base/ids.js'
import { encodeClaim } from './claims.js'
import type { ConstraintSchema } from './constraint-schema.js'
import { changeConstraintState, constraintState } from './constraint-state.js'
import type { Current, Draft } from './draft.js'
import { claimPrefix, violationKey } from './keys.js'

/** The value of a row of violations of one value; `first`: the document's key, one character per byte. */
export interface ViolationHead {
  readonly count: number
  readonly first: string
}

/** The value of one violation; no key: there is none before, or after. */
export interface ViolationLink {
  readonly before: string
  readonly after: string
  /** The document's values as given, a tuple. */
  readonly raw: Buffer
}

/** The value under which documents stand whose fields cannot be a unique value. */
export const noValue = Buffer.alloc(0)

/** Reads the row of a value. */
export function decodeHead(value: Buffer): ViolationHead {
  return { count: value.readUInt32LE(0), first: value.toString('latin1', 4) }
}

function encodeHead({ count, first }: ViolationHead): Buffer {
  const bytes = Buffer.allocUnsafe(4 + first.length)
  bytes.write(first, bytes.writeUInt32LE(count, 0), 'latin1')
  return bytes
}

/** Reads the row of a violation. */
export function decodeLink(value: Buffer): ViolationLink {
  const beforeEnd = 2 + value.readUInt16LE(0)
  const afterEnd = beforeEnd + 2 + value.readUInt16LE(beforeEnd)
  return {
    before: value.toString('latin1', 2, beforeEnd),
    after: value.toString('latin1', beforeEnd + 2, afterEnd),
    raw: value.subarray(afterEnd),
  }
}

function encodeLink({ before, after, raw }: ViolationLink): Buffer {
  const bytes = Buffer.allocUnsafe(4 + before.length + after.length + raw.length)
  let at = bytes.writeUInt16LE(before.length, 0)
  at += bytes.write(before, at, 'latin1')
  at = bytes.writeUInt16LE(after.length, at)
  at += bytes.write(after, at, 'latin1')
  bytes.set(raw, at)
  return bytes
}

/** The rows; undefined if one must be loaded first: the draft remembers which, and is used no further. */
function look(draft: Draft, keys: readonly string[]): (Current | null)[] | undefined {
  const rows = keys.map(key => draft.get(key))
  return rows.includes(undefined) ? undefined : (rows as (Current | null)[])
}

/** Notes that the document has the value and does not hold it; once noted, only what was given can change. */
export function addViolation(
  draft: Draft,
  constraint: ConstraintId,
  claim: { readonly value: Buffer; readonly raw: Buffer },
  own: string,
): void {
  const ownKey = violationKey(constraint, claim.value, own)
  const headKey = violationKey(constraint, claim.value, '')
  const rows = look(draft, [ownKey, headKey])
  if (rows === undefined) return
  const [known, head] = rows
  if (known) {
    const link = decodeLink(known.value)
    if (!link.raw.equals(claim.raw)) draft.put(ownKey, encodeLink({ ...link, raw: claim.raw }))
    return
  }
  const { count, first } = head ? decodeHead(head.value) : { count: 0, first: '' }
  if (first !== '') {
    const firstKey = violationKey(constraint, claim.value, first)
    const second = look(draft, [firstKey])
    if (second === undefined) return
    changeLink(draft, firstKey, second[0], { before: own })
  }
  draft.put(ownKey, encodeLink({ before: '', after: first, raw: claim.raw }))
  draft.put(headKey, encodeHead({ count: count + 1, first: own }))
  countViolations(draft, constraint, 1, count === 0 ? 1 : 0)
}

/** The document no longer has the value, or holds it now. Nothing happens if it was no violation. */
export function removeViolation(draft: Draft, constraint: ConstraintId, value: Buffer, own: string): void {
  const ownKey = violationKey(constraint, value, own)
  const headKey = violationKey(constraint, value, '')
  const rows = look(draft, [ownKey, headKey])
  const [known, headRow] = rows ?? []
  if (!known || headRow === undefined) return
  assert(headRow !== null, 'a violation without the row of its value')
  const link = decodeLink(known.value)
  const beforeKey = violationKey(constraint, value, link.before)
  const afterKey = violationKey(constraint, value, link.after)
  const near = look(draft, [beforeKey, afterKey])
  if (near === undefined) return
  const head = decodeHead(headRow.value)
  if (link.before !== '') changeLink(draft, beforeKey, near[0], { after: link.after })
  if (link.after !== '') changeLink(draft, afterKey, near[1], { before: link.before })
  draft.delete(ownKey)
  if (head.count === 1) draft.delete(headKey)
  else {
    const first = link.before === '' ? link.after : head.first
    draft.put(headKey, encodeHead({ count: head.count - 1, first }))
  }
  countViolations(draft, constraint, -1, head.count === 1 ? -1 : 0)
}

function changeLink(
  draft: Draft,
  key: string,
  row: Current | null | undefined,
  change: Partial<ViolationLink>,
): void {
  assert(row !== null && row !== undefined, 'a violation names another that is not there')
  draft.put(key, encodeLink({ ...decodeLink(row.value), ...change }))
}

/**
 * The holder of the value lets go: the first of those that share it takes the claim; without one the claim
 * goes.
 */
export function passClaimOn(draft: Draft, constraint: ConstraintSchema, value: Buffer): void {
  const key = claimPrefix(constraint.id) + value.toString('latin1')
  if ((constraintState(draft, constraint.id)?.violations ?? 0) === 0) {
    draft.delete(key)
    return
  }
  const head = draft.get(violationKey(constraint.id, value, ''))
  if (head === undefined) return
  if (head === null) {
    draft.delete(key)
    return
  }
  const { first } = decodeHead(head.value)
  const link = draft.get(violationKey(constraint.id, value, first))
  if (link === undefined) return
  assert(link !== null, 'the row of a value names a violation that is not there')
  draft.put(key, encodeClaim({ constraint, value, raw: decodeLink(link.value).raw, key }, first))
  removeViolation(draft, constraint.id, value, first)
}

/** With the last violation of a built constraint the constraint is enforced. */
function countViolations(draft: Draft, constraint: ConstraintId, more: number, moreValues: number): void {
  const known = constraintState(draft, constraint)
  assert(known !== undefined && known.state !== 'enforced', 'a violation of a constraint that has none')
  const violations = known.violations + more
  const values = known.values + moreValues
  const isOver = known.state === 'violated' && violations === 0
  changeConstraintState(draft, constraint, { violations, values, ...(isOver && { state: 'enforced' }) })
}
