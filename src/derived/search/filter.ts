/**
 * Narrowing results by values of documents: equal to one of some, or within bounds.
 *
 * A bound compares values of its own type only. A document with several values in a field passes if one of
 * them does; one without a value has null.
 */
import { encodeTuple, type TupleValue } from '../../base/tuple.js'
import { isPlainObject } from '../../codec/value.js'
import { ByteReader } from './bytes.js'
import { invalid } from './config.js'
import type { SegmentReader } from './segment-reader.js'
import type { Pause } from './sorted-texts.js'

/** Bounds of a value. */
export interface FilterBounds {
  readonly gt?: TupleValue
  readonly gte?: TupleValue
  readonly lt?: TupleValue
  readonly lte?: TupleValue
}

/** By field: a value, a list of values of which one must be equal, or bounds. */
export type SearchFilter = Readonly<Record<string, TupleValue | FilterBounds>>

/** What one field must hold. */
export interface FilterTest {
  /** Its place among the index's filters. */
  readonly filter: number
  passes(value: Buffer): boolean
}

const boundNames = ['gt', 'gte', 'lt', 'lte'] as const

/** The tests of `where`. INVALID names what is wrong, and what is allowed. */
export function filterTests(filters: readonly string[], where: SearchFilter | undefined): FilterTest[] {
  if (where === undefined) return []
  if (typeof where !== 'object' || where === null || !isPlainObject(where)) {
    throw invalid('where must be an object: field, and what it must hold')
  }
  return given(where).map(([field, condition]) => {
    const at = filters.indexOf(field)
    if (at < 0) {
      throw invalid(
        `where: ${JSON.stringify(field)} is no filter; the index has ${filters.join(', ') || 'none'}`,
      )
    }
    return { filter: at, passes: testOf(field, condition) }
  })
}

/** Names and values of an object; what is undefined is not given. */
export function given(of: Readonly<Record<string, unknown>>): [name: string, value: unknown][] {
  return Object.entries(of).filter(([, value]) => value !== undefined)
}

function testOf(field: string, condition: unknown): (value: Buffer) => boolean {
  if (typeof condition !== 'object' || condition === null || !isPlainObject(condition)) {
    const values = Array.isArray(condition) ? (condition as unknown[]) : [condition]
    const allowed = new Set(values.map(value => encoded(field, value).toString('latin1')))
    return value => allowed.has(value.toString('latin1'))
  }
  const bounds = given(condition)
  for (const [name] of bounds) {
    if (!(boundNames as readonly string[]).includes(name)) {
      throw invalid(`where.${field}: unknown ${JSON.stringify(name)}; allowed are ${boundNames.join(', ')}`)
    }
  }
  if (bounds.length === 0) throw invalid(`where.${field}: name a value, a list of values, or bounds`)
  const tests = bounds.map(([name, bound]) => {
    const limit = encoded(`${field}.${name}`, bound)
    return (value: Buffer): boolean => value[0] === limit[0] && holds(name, value.compare(limit))
  })
  return value => tests.every(test => test(value))
}

function holds(name: string, order: number): boolean {
  if (name === 'gt') return order > 0
  if (name === 'gte') return order >= 0
  return name === 'lt' ? order < 0 : order <= 0
}

function encoded(name: string, value: unknown): Buffer {
  try {
    return encodeTuple([value as TupleValue])
  } catch (error) {
    throw invalid(`where.${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The values of one filter in one segment. */
interface FilterColumn {
  /** Each value once. */
  readonly values: readonly Buffer[]
  /** By ordinal: where in `ids` the document's begin; one more at the end. */
  readonly starts: Uint32Array
  readonly ids: Uint32Array
}

/** Documents between two looks at the clock. */
const testedPerLook = 8192
const readPerLook = 512

/** A segment never changes: neither do its columns. */
const columns = new WeakMap<SegmentReader, FilterColumn[]>()

/** By ordinal 1 if the document passes all tests; undefined if there are none. */
export async function passing(
  reader: SegmentReader,
  tests: readonly FilterTest[],
  filterCount: number,
  pause: Pause,
): Promise<Uint8Array | undefined> {
  if (tests.length === 0) return undefined
  let known = columns.get(reader)
  if (known === undefined) {
    known = await readColumns(reader, filterCount, pause)
    columns.set(reader, known)
  }
  const passes = new Uint8Array(reader.facts.documents).fill(1)
  for (const test of tests) {
    const column = known[test.filter]
    if (column === undefined) continue
    const allowed = Uint8Array.from(column.values, value => (test.passes(value) ? 1 : 0))
    for (let ordinal = 0; ordinal < passes.length; ordinal++) {
      let passed = 0
      for (let at = column.starts[ordinal] as number; at < (column.starts[ordinal + 1] as number); at++) {
        passed |= allowed[column.ids[at] as number] as number
      }
      passes[ordinal] = (passes[ordinal] as number) & passed
      const late = ordinal % testedPerLook === 0 ? pause() : undefined
      if (late !== undefined) await late
    }
  }
  return passes
}

async function readColumns(
  reader: SegmentReader,
  filterCount: number,
  pause: Pause,
): Promise<FilterColumn[]> {
  const { source, filterStarts } = reader.documents
  const count = reader.facts.documents
  const made = Array.from({ length: filterCount }, () => ({
    known: new Map<string, number>(),
    values: [] as Buffer[],
    starts: new Uint32Array(count + 1),
    ids: [] as number[],
  }))
  for (let ordinal = 0; ordinal < count; ordinal++) {
    const bytes = new ByteReader(source, filterStarts[ordinal] as number)
    for (const { known, values, starts, ids } of made) {
      for (let left = bytes.number(); left > 0; left--) {
        const value = bytes.block()
        const name = value.toString('latin1')
        let id = known.get(name)
        if (id === undefined) {
          id = values.length
          known.set(name, id)
          values.push(value)
        }
        ids.push(id)
      }
      starts[ordinal + 1] = ids.length
    }
    const late = ordinal % readPerLook === 0 ? pause() : undefined
    if (late !== undefined) await late
  }
  return made.map(({ values, starts, ids }) => ({ values, starts, ids: Uint32Array.from(ids) }))
}
