/**
 * Shapes for decoded values of unknown origin: a shape gives back the typed value, or throws INVALID with the
 * path and what was expected. Objects are taken strictly: an unknown field is refused, a known one must be
 * the object's own; what comes back is a new object with the known fields only.
 */
import { SillokError } from '../base/errors.js'
import { isPlainObject, pathText } from './value.js'

/**
 * Where a value stands: a chain up to the outermost, made of small objects because few paths are ever
 * printed.
 */
type Path = { readonly parent: Path; readonly key: string | number } | undefined

/** Reads a value at a path as T. */
export type Shape<T> = (value: unknown, path: Path) => T

/** A field that may be missing. */
export interface OptionalShape<T> {
  readonly optional: Shape<T>
}

type Fields = Readonly<Record<string, Shape<unknown> | OptionalShape<unknown>>>
type OptionalNames<F> = { [K in keyof F]: F[K] extends OptionalShape<unknown> ? K : never }[keyof F]

/** The type of an object with those fields. */
export type ObjectOf<F extends Fields> = {
  [K in Exclude<keyof F, OptionalNames<F>>]: F[K] extends Shape<infer T> ? T : never
} & { [K in OptionalNames<F>]?: F[K] extends OptionalShape<infer T> ? T : never }

/** The value as the shape says; `name` stands for it in errors. Throws INVALID. */
export function parse<T>(shape: Shape<T>, value: unknown, name = 'value'): T {
  try {
    return shape(value, undefined)
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error
    const path = pathText(keysOf(error.path))
    throw new SillokError('INVALID', `${name}: ${path} is not ${error.expected}`, { details: { path } })
  }
}

function keysOf(path: Path): (string | number)[] {
  const keys: (string | number)[] = []
  for (let step = path; step !== undefined; step = step.parent) keys.unshift(step.key)
  return keys
}

class Mismatch {
  readonly path: Path
  readonly expected: string

  constructor(path: Path, expected: string) {
    this.path = path
    this.expected = expected
  }
}

/** A shape out of a test. */
export function shape<T>(expected: string, test: (value: unknown) => value is T): Shape<T> {
  return (value, path) => {
    if (test(value)) return value
    throw new Mismatch(path, expected)
  }
}

/** Text of at most so many UTF-8 bytes, at least `bytesMin`. */
export function text(bytesMax: number, bytesMin = 0): Shape<string> {
  const expected = `text of ${bytesMin} to ${bytesMax} bytes`
  return shape(expected, (value): value is string => {
    if (typeof value !== 'string' || value.length > bytesMax) return false
    const bytes = Buffer.byteLength(value)
    return bytes >= bytesMin && bytes <= bytesMax
  })
}

/** A whole number from min to max. */
export function integer(min: number, max: number): Shape<number> {
  return shape(`a whole number from ${min} to ${max}`, (value): value is number => {
    return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
  })
}

/** 0 … 2^53 - 1: positions, terms, sequences, times. */
export function index(): Shape<number> {
  return integer(0, Number.MAX_SAFE_INTEGER)
}

/** A finite number. */
export function number(): Shape<number> {
  return shape('a number', (value): value is number => Number.isFinite(value))
}

/** true or false. */
export function boolean(): Shape<boolean> {
  return shape('true or false', (value): value is boolean => typeof value === 'boolean')
}

/** At most so many bytes. */
export function bytes(bytesMax: number): Shape<Uint8Array> {
  return shape(`at most ${bytesMax} bytes`, (value): value is Uint8Array => {
    return value instanceof Uint8Array && value.length <= bytesMax
  })
}

type Literal = string | number | boolean | null

/** One of the literals. */
export function literal<const L extends readonly Literal[]>(...allowed: L): Shape<L[number]> {
  const expected = allowed.map(one => JSON.stringify(one)).join(' or ')
  return shape(expected, (value): value is L[number] => allowed.includes(value as Literal))
}

/** Whatever was decoded: checked elsewhere, or stored as it is. */
export function anything(): Shape<unknown> {
  return value => value
}

/** A plain object, fields unknown. */
export function record(): Shape<Record<string, unknown>> {
  return shape('an object', isRecord)
}

/** What the shape takes, or null. */
export function nullable<T>(inner: Shape<T>): Shape<T | null> {
  return (value, path) => (value === null ? null : inner(value, path))
}

/** A field that may be missing; not one that is undefined or null. */
export function optional<T>(inner: Shape<T>): OptionalShape<T> {
  return { optional: inner }
}

/** An array of at most so many, each of that shape. */
export function list<T>(inner: Shape<T>, countMax: number): Shape<T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length > countMax)
      throw new Mismatch(path, `a list of at most ${countMax}`)
    return value.map((one, i) => inner(one, { parent: path, key: i }))
  }
}

/** An object whose field names are free, at most so many, each value of that shape. */
export function dictionary<T>(inner: Shape<T>, countMax: number): Shape<Record<string, T>> {
  return (value, path) => {
    const expected = `an object of at most ${countMax} fields`
    if (!isRecord(value)) throw new Mismatch(path, expected)
    const entries = Object.entries(value)
    if (entries.length > countMax) throw new Mismatch(path, expected)
    // fromEntries defines fields: one of any name stays a field.
    return Object.fromEntries(entries.map(([name, one]) => [name, inner(one, { parent: path, key: name })]))
  }
}

/** An object with exactly these fields, the optional ones if present. */
export function object<const F extends Fields>(fields: F): Shape<ObjectOf<F>> {
  const known = Object.entries(fields).map(([name, field]) => {
    return typeof field === 'function'
      ? { name, inner: field, required: true }
      : { name, inner: field.optional, required: false }
  })
  const names = new Set(known.map(field => field.name))
  return (value, path) => {
    if (!isRecord(value)) throw new Mismatch(path, 'an object')
    const result: Record<string, unknown> = {}
    for (const { name, inner, required } of known) {
      if (Object.hasOwn(value, name)) result[name] = inner(value[name], { parent: path, key: name })
      else if (required) throw new Mismatch({ parent: path, key: name }, 'given')
    }
    for (const name of Object.keys(value)) {
      if (!names.has(name)) throw new Mismatch({ parent: path, key: name }, 'a known field')
    }
    return result as ObjectOf<F>
  }
}

/** One of several objects, told apart by a literal field: `{put: object({op: literal('put'), …}), …}`. */
export function union<const C extends Readonly<Record<string, Shape<unknown>>>>(
  tag: string,
  cases: C,
): Shape<{ [K in keyof C]: C[K] extends Shape<infer T> ? T : never }[keyof C]> {
  const byName = new Map(Object.entries(cases))
  const expected = [...byName.keys()].map(name => JSON.stringify(name)).join(' or ')
  return (value, path) => {
    if (!isRecord(value)) throw new Mismatch(path, 'an object')
    const name = Object.hasOwn(value, tag) ? value[tag] : undefined
    const inner = typeof name === 'string' ? byName.get(name) : undefined
    if (inner === undefined) throw new Mismatch({ parent: path, key: tag }, expected)
    return inner(value, path) as never
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && isPlainObject(value)
}
