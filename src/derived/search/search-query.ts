/**
 * Questions to a search index, as they are asked, and the check of their shape.
 */
import { limits } from '../../base/limits.js'
import { isWellFormed } from '../../base/text.js'
import { invalid } from './config.js'
import type { SearchFilter } from './filter.js'

/** A question. What its text means: question.ts. */
export interface SearchQuery {
  /** Words, runs, "phrases" and beginnings*. */
  readonly text: string
  /**
   * Of several words one is enough, or each is required; without particles and endings of Korean. Default:
   * any, but a run of Hangul alone is taken as it is written.
   */
  readonly match?: 'any' | 'all'
  /** True: the last word is still being typed. Default false. */
  readonly prefix?: boolean
  /** Values of filters: only documents that have them. */
  readonly where?: SearchFilter
  /** Hits at most, 1 or more. */
  readonly limit?: number
  /** Only what follows this row in the order of hits: the `row` of the last hit that was taken. */
  readonly after?: Uint8Array
}

const allowed = ['text', 'match', 'prefix', 'where', 'limit', 'after']

/** Throws INVALID that names what is wrong about the shape of the question, and what is allowed. */
export function checkSearchQuery(query: SearchQuery): void {
  if (typeof query !== 'object' || query === null) throw invalid('a query is an object with a text')
  for (const [name, value] of Object.entries(query)) {
    if (!allowed.includes(name)) {
      throw invalid(`unknown ${JSON.stringify(name)}; allowed are ${allowed.join(', ')}`)
    }
    if (value === null) throw invalid(`${name} is null; leave it out`)
  }
  const { text, match, prefix, limit, after } = query
  if (typeof text !== 'string' || !isWellFormed(text)) throw invalid('text must be well-formed text')
  if (text.length > limits.searchTextUnitsMax) {
    throw invalid(`a text of ${text.length} characters; at most ${limits.searchTextUnitsMax}`)
  }
  if (match !== undefined && match !== 'any' && match !== 'all') throw invalid('match must be any or all')
  if (prefix !== undefined && typeof prefix !== 'boolean') throw invalid('prefix must be true or false')
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1)) {
    throw invalid('limit must be a whole number from 1')
  }
  if (after !== undefined && !(after instanceof Uint8Array)) {
    throw invalid('after must be the row of a hit, as bytes')
  }
}
