/**
 * What a search index is told: the fields whose text is searched and how much each weighs, and the fields by
 * whose values results can be narrowed. Fields are named by paths, as in a secondary index.
 */
import type { ErrorPolicy } from '../../base/error-policy.js'
import { SillokError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { isWellFormed } from '../../base/text.js'

/**
 * A definition of a search index, as it is written: documents ranked by the words of their texts, English by
 * stems, Korean with and without particles, by BM25 over exact statistics.
 */
export interface SearchDefinition {
  readonly type: 'search'
  /** 1 to `limits.fieldsPerIndexMax` fields: texts, or lists of texts. A weight is more than 0; default 1. */
  readonly fields: readonly (string | { readonly field: string; readonly weight?: number })[]
  /** Fields by which results can be narrowed, `limits.fieldsPerIndexMax` at most. */
  readonly filters?: readonly string[]
  /** What becomes of a document that has too much for the index; default `stop`. */
  readonly onError?: ErrorPolicy | undefined
}

/** A field and its weight. */
export interface WeightedField {
  readonly field: string
  readonly weight: number
}

/** A checked definition in its one normal form. */
export interface SearchConfig {
  readonly fields: readonly WeightedField[]
  readonly filters: readonly string[]
}

const allowed = ['fields', 'filters']
const weightMax = 1000

/** The definition in its normal form. INVALID names what is wrong, and what is allowed. */
export function configureSearch(definition: Readonly<Record<string, unknown>>): SearchConfig {
  for (const name of Object.keys(definition)) {
    if (name !== 'type' && !allowed.includes(name)) {
      throw invalid(`unknown ${JSON.stringify(name)}; allowed are ${allowed.join(', ')}`)
    }
  }
  const { fields, filters = [] } = definition
  const most = limits.fieldsPerIndexMax
  if (!Array.isArray(fields) || fields.length === 0 || fields.length > most) {
    throw invalid(`fields must be a list of 1 to ${most} fields`)
  }
  if (!Array.isArray(filters) || filters.length > most) {
    throw invalid(`filters must be a list of at most ${most} fields`)
  }
  const weighted = (fields as unknown[]).map(weightedField)
  checkTwice(weighted.map(({ field }) => field))
  const checked = (filters as unknown[]).map(checkPath)
  checkTwice(checked)
  return { fields: weighted, filters: checked }
}

function weightedField(given: unknown): WeightedField {
  if (typeof given === 'string') return { field: checkPath(given), weight: 1 }
  if (typeof given !== 'object' || given === null) {
    throw invalid('a field must be text, or { field, weight }')
  }
  for (const name of Object.keys(given)) {
    if (name !== 'field' && name !== 'weight') {
      throw invalid(`unknown ${JSON.stringify(name)} of a field; allowed are field, weight`)
    }
  }
  const { field, weight = 1 } = given as { field?: unknown; weight?: unknown }
  if (typeof weight !== 'number' || !(weight > 0 && weight <= weightMax)) {
    throw invalid(`a weight must be a number above 0, at most ${weightMax}`)
  }
  return { field: checkPath(field), weight }
}

function checkPath(field: unknown): string {
  if (typeof field !== 'string') throw invalid('a field must be text: a name, or a path like address.city')
  if (!isWellFormed(field) || field.split('.').some(name => name === '' || name === '__proto__')) {
    throw invalid(`${JSON.stringify(field)} names no field: names, separated by single dots, are allowed`)
  }
  if (Buffer.byteLength(field) > limits.nameBytesMax) {
    throw invalid(`a field of ${Buffer.byteLength(field)} bytes; at most ${limits.nameBytesMax}`)
  }
  return field
}

function checkTwice(fields: readonly string[]): void {
  const twice = fields.find((field, at) => fields.indexOf(field) !== at)
  if (twice !== undefined) throw invalid(`field ${JSON.stringify(twice)} is named twice`)
}

/** INVALID, by the name of this kind of index. */
export function invalid(why: string): SillokError {
  return new SillokError('INVALID', `search index: ${why}`)
}
