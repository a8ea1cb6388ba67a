/**
 * Holds the claims of constraints that were built online against the documents: their rows need not list
 * them, so what each document claims is computed again from its newest form, as the log, or the snapshot
 * that it continues, has it.
 *
 * A document holds each value that it has, or is a violation of it; one that a build has not reached may be
 * neither. Nothing else has a claim or is a violation. The violations of a value are one list in both
 * directions, and the constraint counts them.
 */
import type { Entry } from '../base/entry.js'
import { decodeDocument } from '../codec/document.js'
import { keyBytes, keyText, type RowKey, readRow, rowKinds } from '../codec/row.js'
import { tryClaims } from '../machine/change-claims.js'
import { decodeClaim } from '../machine/claims.js'
import type { ConstraintSchema } from '../machine/constraint-schema.js'
import { type ConstraintState, decodeConstraintState } from '../machine/constraint-state.js'
import { documentBytes, documentFacts } from '../machine/documents.js'
import {
  claimPrefix,
  constraintKey,
  documentPrefixBytes,
  violationKey,
  violationParts,
  violationPrefix,
} from '../machine/keys.js'
import { decodeHead, decodeLink, noValue } from '../machine/violations.js'
import type { StoredRow } from '../state/snapshot-reader.js'
import { type LogModel, versionOf } from './log-model.js'

const documentKind = rowKinds.document.charCodeAt(0)

/** A constraint that was built online. */
interface Built {
  readonly constraint: ConstraintSchema
  /** Undefined if its row is missing. */
  readonly state: ConstraintState | undefined
}

/** What is wrong, and with which row. */
export type TellFault = (key: RowKey, what: string) => void

/** One comparison: show it all entries, then finish it. */
export class BuiltClaims {
  readonly #model: LogModel
  readonly #fault: TellFault
  /** By collection. */
  readonly #built = new Map<number, Built[]>()
  /** Claims and violations of which no document was seen that they belong to. */
  readonly #unmatched = new Set<RowKey>()

  /** `model` has applied all entries. */
  constructor(model: LogModel, fault: TellFault) {
    this.#model = model
    this.#fault = fault
    for (const { id: collection, unique } of model.schemas()) {
      const built = unique.filter(({ online }) => online === true)
      const states = built.map(constraint => ({ constraint, state: this.#stateOf(constraint.id) }))
      if (states.length > 0) this.#built.set(collection, states)
    }
    if (this.isEmpty) return
    const all = [...this.#built.values()].flat()
    const prefixes = new Set(
      all.flatMap(({ constraint: { id } }) => [claimPrefix(id), violationPrefix(id)] as const),
    )
    for (const key of model.rows.keys()) {
      if (!prefixes.has(key.slice(0, 5))) continue
      if (key.startsWith('c') || violationParts(key).key.length > 0) this.#unmatched.add(key)
    }
    for (const one of all) this.#checkLists(one)
  }

  /** No constraint was built online: there is nothing to compare. */
  get isEmpty(): boolean {
    return this.#built.size === 0
  }

  /** Compares the documents whose newest form the entry has. */
  look(entry: Entry): void {
    for (const fact of documentFacts(entry)) {
      if (fact.op === 'put') this.#lookAt(fact.key, fact.value, versionOf(entry.index))
    }
  }

  /** Compares the documents whose newest form is among these rows of a snapshot. */
  lookAtBase(rows: readonly StoredRow[]): void {
    for (const [key, stored] of rows) {
      if (key[0] !== documentKind) continue
      const row = readRow(key, stored)
      if (row !== undefined) this.#lookAt(keyText(key), row.value, row.version)
    }
  }

  #lookAt(key: RowKey, value: Buffer, version: number): void {
    const built = this.#built.get(keyBytes(key.slice(0, documentPrefixBytes)).readUInt32BE(1))
    if (built === undefined || this.#model.rows.get(key)?.version !== version) return
    const document = decodeDocument(documentBytes(value))
    for (const one of built) this.#compare(one, key, document, version)
  }

  /** Tells of what belongs to no document. */
  finish(): void {
    for (const key of this.#unmatched) {
      const what = key.startsWith('c') ? 'claim' : 'violation'
      this.#fault(key, `the ${what} names a document that does not have the value, or holds it`)
    }
  }

  #compare(
    { constraint, state }: Built,
    key: RowKey,
    document: Readonly<Record<string, unknown>>,
    version: number,
  ): void {
    const own = key.slice(documentPrefixBytes)
    const claims = tryClaims(constraint, document)
    const values = claims?.map(({ value }) => value) ?? [noValue]
    for (const value of values) {
      const claimKey = claimPrefix(constraint.id) + keyText(value)
      const claim = this.#model.rows.get(claimKey)?.value
      if (claims !== undefined && claim !== undefined && keyText(decodeClaim(claim).holder) === own) {
        this.#unmatched.delete(claimKey)
        continue
      }
      if (this.#unmatched.delete(violationKey(constraint.id, value, own)) || isAhead(state, own, version))
        continue
      this.#fault(key, `the document neither holds nor violates what it claims under ${constraint.name}`)
    }
  }

  #stateOf(id: number): ConstraintState | undefined {
    const value = this.#model.rows.get(constraintKey(id))?.value
    return value && decodeConstraintState(value)
  }

  /** Each list of violations, walked, and what the constraint counts. */
  #checkLists({ constraint: { id }, state }: Built): void {
    const { rows } = this.#model
    const prefix = violationPrefix(id)
    let values = 0
    let violations = 0
    for (const [key, { value }] of rows) {
      if (!key.startsWith(prefix) || value === undefined) continue
      if (violationParts(key).key.length > 0) {
        violations += 1
        continue
      }
      values += 1
      const { count, first } = decodeHead(value)
      let before = ''
      let walked = 0
      for (let at = first; at !== '' && walked <= count; walked++) {
        const link = rows.get(key + at)?.value
        if (link === undefined || decodeLink(link).before !== before) break
        before = at
        at = decodeLink(link).after
      }
      if (walked !== count) this.#fault(key, `counts ${count} violations, its list has ${walked}`)
    }
    const counted = `${violations} violations of ${values} values`
    if ((state?.violations ?? 0) !== violations || (state?.values ?? 0) !== values) {
      const told = `${state?.violations ?? 0} of ${state?.values ?? 0}`
      this.#fault(constraintKey(id), `counts ${told}, there are ${counted}`)
    }
    if (state?.state === 'enforced' && violations > 0)
      this.#fault(constraintKey(id), `is enforced, with ${counted}`)
  }
}

/** A build has not reached the document. */
function isAhead(state: ConstraintState | undefined, own: string, version: number): boolean {
  if ((state?.state !== 'guard' && state?.state !== 'backfill') || version > state.since) return false
  return state.after === null || own > keyText(state.after)
}
