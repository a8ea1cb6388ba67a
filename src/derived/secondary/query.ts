/**
 * Questions to a secondary index, and the ranges of rows that answer them.
 *
 * `eq` fixes the leading fields. Bounds then compare the fields that follow, as a tuple, element by element;
 * of a shorter tuple everything that begins with it is its equal: `gt: ['x']` leaves out every row that goes
 * on from 'x', `lte: ['x']` takes them all, `gte` begins with the first of them, `lt` ends before it. Values
 * of all types stand in one order (base/tuple), so an open range crosses types: `gt: 5` holds text too.
 *
 * What was cut cannot be told apart in the rows: then the range is as wide as it must be, and the rows in
 * doubt are named by how they begin.
 */
import { SillokError } from '../../base/errors.js'
import { encodeTextPrefix, encodeTuple, type TupleValue, tuplePrefixEnd } from '../../base/tuple.js'
import type { SecondaryConfig } from './config.js'
import { cutBytes } from './field.js'

/** A question. Without eq, bounds and prefix: every row. */
export interface SecondaryQuery {
  /** Values of the first fields, in their order. */
  readonly eq?: readonly TupleValue[] | undefined
  /** A value of the next field, or the list of values of the next fields: a list is never one value here. */
  readonly gt?: TupleValue | undefined
  readonly gte?: TupleValue | undefined
  readonly lt?: TupleValue | undefined
  readonly lte?: TupleValue | undefined
  /** The next field is text that begins with this. Goes without bounds. */
  readonly prefix?: string | undefined
  /** Largest first. */
  readonly reverse?: boolean | undefined
  /**
   * Only what follows this row in the order asked for: the `row` of a hit that `query()` gave to the same
   * question. Where documents changed meanwhile it need not be there any more. For pages of documents there
   * is `findPage`, whose cursors are checked.
   */
  readonly after?: Uint8Array | undefined
  /** Hits at most, 1 or more. */
  readonly limit?: number | undefined
}

/** Rows with gte <= row < lt. Rows that begin with one of `doubtful` may not belong to the answer. */
export interface RowRange {
  readonly gte: Buffer
  readonly lt: Buffer
  readonly doubtful: readonly Buffer[]
}

const allowed = ['eq', 'gt', 'gte', 'lt', 'lte', 'prefix', 'reverse', 'after', 'limit']

/** Above every type code: what begins with a tuple ends before the tuple and this. */
const above = Buffer.of(0xff)

/** Throws INVALID that names what is wrong about the shape of the question, and what is allowed. */
export function checkQuery(query: SecondaryQuery): void {
  if (typeof query !== 'object' || query === null || Array.isArray(query)) {
    throw invalid('a query is an object')
  }
  for (const [name, value] of Object.entries(query)) {
    if (!allowed.includes(name)) {
      throw invalid(`unknown ${JSON.stringify(name)}; allowed are ${allowed.join(', ')}`)
    }
    if (value === null && name !== 'gt' && name !== 'gte' && name !== 'lt' && name !== 'lte') {
      throw invalid(`${name} is null; leave it out`)
    }
  }
  const { eq, gt, gte, lt, lte, prefix, reverse, after, limit } = query
  if (eq !== undefined && !Array.isArray(eq)) throw invalid('eq must be a list of values, first field first')
  if (gt !== undefined && gte !== undefined) throw invalid('gt or gte, not both')
  if (lt !== undefined && lte !== undefined) throw invalid('lt or lte, not both')
  const bound = gt !== undefined || gte !== undefined || lt !== undefined || lte !== undefined
  if (prefix !== undefined) {
    if (bound) throw invalid('prefix goes without gt, gte, lt and lte')
    if (typeof prefix !== 'string') throw invalid('prefix must be text')
  }
  if (reverse !== undefined && typeof reverse !== 'boolean') throw invalid('reverse must be true or false')
  if (after !== undefined && !(after instanceof Uint8Array)) {
    throw invalid('after must be the row of a hit, as bytes')
  }
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1)) {
    throw invalid('limit must be a whole number from 1')
  }
}

/** The rows that answer the checked question, wherever it goes on. Values are cut to `bytesMax`. */
export function queryRange(config: SecondaryConfig, query: SecondaryQuery, bytesMax: number): RowRange {
  const { fields } = config
  const eq = query.eq ?? []
  if (eq.length > fields.length) {
    throw invalid(`eq has ${eq.length} values; the index has ${fields.length} fields: ${fields.join(', ')}`)
  }
  const fixed = eq.map((value, i) => place(value, `eq[${i}]`, bytesMax))
  const start = Buffer.concat(fixed.map(({ bytes }) => bytes))
  const doubtful: Buffer[] = fixed.some(({ cut }) => cut) ? [start] : []
  const { gt, gte, lt, lte, prefix } = query
  const free = fields.slice(eq.length)
  if (prefix !== undefined) return prefixRange(free, start, prefix, bytesMax, doubtful)
  let low: Buffer = start
  let high: Buffer = Buffer.concat([start, above])
  const from = gt === undefined ? gte : gt
  if (from !== undefined) {
    const { bytes, cut } = boundPlace(free, start, from, gt === undefined ? 'gte' : 'gt', bytesMax)
    if (cut) doubtful.push(bytes)
    low = gt === undefined || cut ? bytes : Buffer.concat([bytes, above])
  }
  const to = lt === undefined ? lte : lt
  if (to !== undefined) {
    const { bytes, cut } = boundPlace(free, start, to, lt === undefined ? 'lte' : 'lt', bytesMax)
    if (cut) doubtful.push(bytes)
    high = lt === undefined || cut ? Buffer.concat([bytes, above]) : bytes
  }
  return { gte: low, lt: high, doubtful }
}

interface Place {
  readonly bytes: Buffer
  /** True: other values have these bytes too. */
  readonly cut: boolean
}

function boundPlace(
  free: readonly string[],
  start: Buffer,
  bound: TupleValue,
  name: string,
  bytesMax: number,
): Place {
  const values: readonly unknown[] = Array.isArray(bound) ? bound : [bound]
  if (values.length === 0) throw invalid(`${name} is an empty list; name at least one value`)
  if (values.length > free.length) {
    throw invalid(`${name} has ${values.length} values; left of the fields: ${free.join(', ') || 'none'}`)
  }
  const places = values.map((value, i) =>
    place(value, Array.isArray(bound) ? `${name}[${i}]` : name, bytesMax),
  )
  // Behind a cut nothing is known: which of the rows there are equal so far cannot be seen.
  const last = places.findIndex(({ cut }) => cut)
  const used = last < 0 ? places : places.slice(0, last + 1)
  return { bytes: Buffer.concat([start, ...used.map(({ bytes }) => bytes)]), cut: last >= 0 }
}

function prefixRange(
  free: readonly string[],
  start: Buffer,
  prefix: string,
  bytesMax: number,
  doubtful: Buffer[],
): RowRange {
  if (free.length === 0) throw invalid('prefix: eq has taken all fields already')
  const whole = refusing('prefix', () => encodeTextPrefix([], prefix))
  const cut = cutBytes(whole, bytesMax)
  const low = Buffer.concat([start, cut])
  if (cut.length < whole.length) doubtful.push(low)
  return { gte: low, lt: tuplePrefixEnd(low), doubtful }
}

function place(value: unknown, name: string, bytesMax: number): Place {
  const whole = refusing(name, () => encodeTuple([value as TupleValue]))
  const bytes = cutBytes(whole, bytesMax)
  return { bytes, cut: bytes.length < whole.length }
}

function refusing(name: string, encode: () => Buffer): Buffer {
  try {
    return encode()
  } catch (error) {
    if (!(error instanceof SillokError)) throw error
    const values =
      'allowed are null, booleans, finite numbers, dates, well-formed text, bytes, arrays of these'
    throw invalid(`${name}: ${error.message}; ${values}`, error)
  }
}

function invalid(why: string, cause?: SillokError): SillokError {
  return new SillokError('INVALID', `query of a secondary index: ${why}`, { cause })
}
