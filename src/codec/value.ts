/**
 * What may be stored and sent: null, booleans, finite numbers (-0 too), well-formed text, dates, bytes
 * (Uint8Array, Buffer) and arrays and plain objects of these. What passes comes back equal from its bytes (a
 * Buffer as Uint8Array, an object without prototype as a plain one); everything else is refused by name and
 * path.
 */
import { SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { isWellFormed } from '../base/text.js'

/** Budgets of one value. */
export interface ValueLimits {
  /** Arrays and objects inside each other. */
  readonly depthMax: number
  /** Values in all, the outermost included, field names not. */
  readonly elementsMax: number
  /** Encoded bytes. */
  readonly bytesMax: number
}

/** The budgets of a document. */
export const documentValueLimits: ValueLimits = {
  depthMax: limits.documentDepthMax,
  elementsMax: limits.documentElementsMax,
  bytesMax: limits.documentBytesMax,
}

/** The field name that no object can hold safely in JavaScript. */
export const refusedFieldName = '__proto__'

/**
 * True for `{…}`, `Object.create(null)` and their like from another realm; false for instances of classes.
 */
export function isPlainObject(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype) return true
  if (prototype === null) return true
  return Object.getPrototypeOf(prototype) === null
}

/**
 * Throws INVALID with the path of what may not be stored (`$.address.tags[3]`), TOO_LARGE when text and bytes
 * alone are many times over the budget. Returns true if there is a -0 somewhere inside.
 */
export function checkValue(value: unknown, budget: ValueLimits): boolean {
  return new ValueCheck(value, budget).run()
}

/** A path as errors name it. */
export function pathText(path: readonly (string | number)[]): string {
  let text = '$'
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`
    else text += /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
  }
  return text
}

const allowed =
  'allowed are null, booleans, finite numbers, well-formed text, dates, bytes, arrays and plain objects'

// A value so far over its budget is not encoded merely to tell its exact size.
const measuredFactor = 4

class ValueCheck {
  readonly #root: unknown
  readonly #budget: ValueLimits
  /** Keys from the root to the current value; what is beyond its depth is left from earlier ones. */
  readonly #path: (string | number)[] = []
  #elements = 0
  #volume = 0
  #negativeZero = false

  constructor(root: unknown, budget: ValueLimits) {
    this.#root = root
    this.#budget = budget
  }

  run(): boolean {
    this.#check(this.#root, 0)
    return this.#negativeZero
  }

  #check(value: unknown, depth: number): void {
    if (++this.#elements > this.#budget.elementsMax) {
      this.#refuse(depth, `more than ${this.#budget.elementsMax} values in one`)
    }
    switch (typeof value) {
      case 'string':
        this.#count(value.length, depth)
        if (!isWellFormed(value)) this.#refuse(depth, 'ill-formed text: it holds half of a surrogate pair')
        return
      case 'number':
        if (value === 0) this.#negativeZero ||= Object.is(value, -0)
        else if (!Number.isFinite(value)) this.#refuse(depth, `${value} cannot be stored; ${allowed}`)
        return
      case 'boolean':
        return
      case 'object':
        if (value !== null) this.#checkObject(value, depth)
        return
      default:
        this.#refuse(depth, unstorable(value))
    }
  }

  #checkObject(value: object, depth: number): void {
    if (Array.isArray(value)) this.#checkArray(value, depth)
    else if (isPlainObject(value)) this.#checkFields(value, depth)
    else if (value instanceof Date && Object.getPrototypeOf(value) === Date.prototype) {
      if (Number.isNaN(value.getTime())) this.#refuse(depth, 'an invalid date cannot be stored')
    } else if (isBytes(value)) this.#count(value.length, depth)
    else {
      const name = String((value as { constructor?: { name?: unknown } }).constructor?.name ?? 'a class')
      this.#refuse(depth, `an instance of ${name} cannot be stored; ${allowed}`)
    }
  }

  #checkArray(value: readonly unknown[], depth: number): void {
    if (depth >= this.#budget.depthMax) this.#refuseDepth(depth)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Array.prototype && Object.getPrototypeOf(Object.getPrototypeOf(prototype)) !== null) {
      this.#refuse(depth, `an instance of a class derived from Array cannot be stored; ${allowed}`)
    }
    for (let i = 0; i < value.length; i++) {
      this.#path[depth] = i
      this.#check(value[i], depth + 1)
    }
    // Not before: the loop has found holes and bounded the length.
    if (Object.keys(value).length !== value.length) {
      this.#refuse(depth, 'an array with named fields besides its elements cannot be stored')
    }
  }

  #checkFields(value: Record<string, unknown>, depth: number): void {
    if (depth >= this.#budget.depthMax) this.#refuseDepth(depth)
    const keys = Object.keys(value)
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string
      this.#path[depth] = key
      this.#count(key.length, depth)
      if (key === refusedFieldName) this.#refuse(depth + 1, `no field may be named ${refusedFieldName}`)
      if (!isWellFormed(key))
        this.#refuse(depth + 1, 'ill-formed field name: it holds half of a surrogate pair')
      this.#check(value[key], depth + 1)
    }
    if (Object.getOwnPropertySymbols(value).length > 0) {
      this.#refuse(depth, 'a field named by a symbol cannot be stored')
    }
  }

  #count(length: number, depth: number): void {
    this.#volume += length
    const { bytesMax } = this.#budget
    if (this.#volume <= measuredFactor * bytesMax) return
    const path = pathText(this.#path.slice(0, depth))
    throw new SillokError(
      'TOO_LARGE',
      `${path}: at least ${this.#volume} bytes in one; at most ${bytesMax}`,
      {
        details: { path, bytes: this.#volume, limit: bytesMax },
      },
    )
  }

  #refuseDepth(depth: number): never {
    const holders = new Set<unknown>([this.#root])
    let value = this.#root
    for (const key of this.#path.slice(0, depth)) {
      value = (value as Record<string | number, unknown>)[key]
      if (holders.has(value)) this.#refuse(holders.size, 'it contains itself')
      holders.add(value)
    }
    this.#refuse(depth, `nested deeper than ${this.#budget.depthMax} levels`)
  }

  #refuse(depth: number, why: string): never {
    const path = pathText(this.#path.slice(0, depth))
    throw new SillokError('INVALID', `${path}: ${why}`, { details: { path } })
  }
}

function unstorable(value: unknown): string {
  if (value === undefined) return 'undefined cannot be stored: leave the field out, or write null'
  if (typeof value === 'bigint') return 'a bigint cannot be stored: write it as text'
  return `a ${typeof value} cannot be stored; ${allowed}`
}

function isBytes(value: object): value is Uint8Array {
  const prototype: unknown = Object.getPrototypeOf(value)
  return value instanceof Uint8Array && (prototype === Uint8Array.prototype || prototype === Buffer.prototype)
}
