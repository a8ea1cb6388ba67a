/** Which documents answer a question, and in which order: said once more, without bytes. */
import type { DocumentKey, TupleValue } from '../../../src/base/tuple.js'
import type { SecondaryConfig } from '../../../src/derived/secondary/config.js'
import type { SecondaryQuery } from '../../../src/derived/secondary/query.js'

export type Documents = ReadonlyMap<DocumentKey, Record<string, unknown>>

/** Where a document stands: the values of its row, and its key as the last one. */
export interface Place {
  readonly key: DocumentKey
  readonly values: readonly TupleValue[]
}

function rank(value: TupleValue): number {
  if (value === null) return 0
  if (value === false) return 1
  if (value === true) return 2
  if (typeof value === 'number') return 3
  if (value instanceof Date) return 4
  if (typeof value === 'string') return 5
  return value instanceof Uint8Array ? 6 : 7
}

export function orderValues(a: TupleValue, b: TupleValue): number {
  if (a === b) return 0
  if (rank(a) !== rank(b)) return rank(a) - rank(b)
  if (typeof a === 'string') return orderLists(codePoints(a), codePoints(b as string))
  if (a instanceof Uint8Array) return orderLists([...a], [...(b as Uint8Array)])
  if (Array.isArray(a)) return orderLists(a, b as TupleValue[])
  if (typeof a === 'number' || a instanceof Date)
    return Number(a) < Number(b) ? -1 : Number(a) > Number(b) ? 1 : 0
  return 0
}

const pointsOfTexts = new Map<string, readonly number[]>()

/** Kept for each text: the same few are compared again and again. */
function codePoints(text: string): readonly number[] {
  const known = pointsOfTexts.get(text)
  if (known !== undefined) return known
  const points = [...text].map(character => character.codePointAt(0) ?? 0)
  pointsOfTexts.set(text, points)
  return points
}

export function orderLists(a: readonly TupleValue[], b: readonly TupleValue[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const by = orderValues(a[i] as TupleValue, b[i] as TupleValue)
    if (by !== 0) return by
  }
  return a.length - b.length
}

export function orderPlaces(a: Place, b: Place): number {
  return orderLists(a.values, b.values) || orderValues(a.key, b.key)
}

function hasPlace(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(hasPlace)
  return value === null || typeof value !== 'object' || value instanceof Date || value instanceof Uint8Array
}

function read(document: unknown, field: string): unknown {
  const [first, ...rest] = field.split('.')
  const plain = typeof document === 'object' && document?.constructor === Object
  const value = plain ? ((document as Record<string, unknown>)[first ?? ''] ?? null) : null
  return rest.length === 0 ? value : read(value, rest.join('.'))
}

/** The values of the document's rows, each row once. */
export function rowsOf(config: SecondaryConfig, document: Record<string, unknown>): TupleValue[][] {
  let rows: unknown[][] = [[]]
  for (const field of config.fields) {
    const value = read(document, field)
    const many = field === config.each && Array.isArray(value) ? value : [value]
    rows = rows.flatMap(row => many.map(one => [...row, one]))
  }
  const kept = rows.filter(
    row => row.every(hasPlace) && !(config.sparse && row.includes(null)),
  ) as TupleValue[][]
  return kept.filter((row, i) => kept.findIndex(other => orderLists(row, other) === 0) === i)
}

function answers(values: readonly TupleValue[], query: SecondaryQuery): boolean {
  const { eq = [], gt, gte, lt, lte, prefix } = query
  if (!eq.every((value, i) => orderValues(value, values[i] as TupleValue) === 0)) return false
  const rest = values.slice(eq.length)
  const against = (bound: TupleValue): number => {
    const list: TupleValue[] = Array.isArray(bound) ? bound : [bound]
    return orderLists(rest.slice(0, list.length), list)
  }
  if (gt !== undefined && !(against(gt) > 0)) return false
  if (gte !== undefined && !(against(gte) >= 0)) return false
  if (lt !== undefined && !(against(lt) < 0)) return false
  if (lte !== undefined && !(against(lte) <= 0)) return false
  const [next] = rest
  return prefix === undefined || (typeof next === 'string' && next.startsWith(prefix))
}

/** Where the document answers, in the order of the question; undefined if it does not. */
export function placeOf(
  config: SecondaryConfig,
  query: SecondaryQuery,
  key: DocumentKey,
  document: Record<string, unknown>,
): Place | undefined {
  const found = rowsOf(config, document).filter(values => answers(values, query))
  found.sort(orderLists)
  const values = query.reverse ? found.at(-1) : found[0]
  return values && { key, values }
}

/** All that answer behind `after`, in the order of the question. */
export function answer(
  config: SecondaryConfig,
  query: SecondaryQuery,
  documents: Documents,
  after?: Place,
): Place[] {
  const places: Place[] = []
  for (const [key, document] of documents) {
    const place = placeOf(config, query, key, document)
    if (place !== undefined) places.push(place)
  }
  const sign = query.reverse ? -1 : 1
  places.sort((a, b) => sign * orderPlaces(a, b))
  return after === undefined ? places : places.filter(place => sign * orderPlaces(place, after) > 0)
}
