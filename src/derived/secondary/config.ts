/**
 * What a secondary index is told: the fields in order, which of them has many values, and whether documents
 * that lack a field are left out.
 *
 * A field is named by a path: a dot always separates, so `address.city` is the field `city` of the object in
 * the field `address`. A field whose own name holds a dot cannot be indexed.
 */
import type { ErrorPolicy } from '../../base/error-policy.js'
import { SillokError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { isWellFormed } from '../../base/text.js'

/**
 * A definition of a secondary index, as it is written: documents in the order of its fields.
 *
 * The order: null (or missing), false, true, numbers, dates, text by code point, bytes, arrays. An object has
 * no place in it: its document is left out. Of a value 1 KiB counts; hits on longer ones are compared with
 * the document.
 */
export interface SecondaryDefinition {
  readonly type: 'secondary'
  /** Paths of fields, 1 to `limits.fieldsPerIndexMax`; rows are ordered by the first, then the second … */
  readonly fields: readonly string[]
  /** One of `fields`: if it holds an array the document has one row per distinct element. */
  readonly each?: string | undefined
  /** True: documents that lack one of the fields (or hold null there) are left out. Default false. */
  readonly sparse?: boolean | undefined
  /** What becomes of a document that has too much for the index; default `stop`. */
  readonly onError?: ErrorPolicy | undefined
}

/** A checked definition in its one normal form. */
export interface SecondaryConfig {
  readonly fields: readonly string[]
  /** Null: none. */
  readonly each: string | null
  readonly sparse: boolean
}

const allowed = ['fields', 'each', 'sparse']

/** The definition in its normal form. INVALID names what is wrong, and what is allowed. */
export function configureSecondary(definition: Readonly<Record<string, unknown>>): SecondaryConfig {
  for (const name of Object.keys(definition)) {
    if (name !== 'type' && !allowed.includes(name)) {
      throw invalid(`unknown ${JSON.stringify(name)}; allowed are ${allowed.join(', ')}`)
    }
  }
  const { fields, each, sparse } = definition
  const paths = checkPaths(fields)
  if (each !== undefined && each !== null && !(paths as unknown[]).includes(each)) {
    throw invalid(`each must be one of the fields: ${paths.join(', ')}`)
  }
  if (sparse !== undefined && typeof sparse !== 'boolean') throw invalid('sparse must be true or false')
  return { fields: paths, each: (each as string | null | undefined) ?? null, sparse: sparse ?? false }
}

function checkPaths(fields: unknown): string[] {
  if (!Array.isArray(fields) || fields.length === 0 || fields.length > limits.fieldsPerIndexMax) {
    throw invalid(`fields must be a list of 1 to ${limits.fieldsPerIndexMax} fields`)
  }
  const paths: string[] = []
  for (const field of fields as unknown[]) {
    if (typeof field !== 'string') throw invalid('a field must be text: a name, or a path like address.city')
    const quoted = JSON.stringify(field)
    if (!isWellFormed(field) || field.split('.').some(name => name === '' || name === '__proto__')) {
      throw invalid(`${quoted} names no field: names, separated by single dots, are allowed`)
    }
    if (Buffer.byteLength(field) > limits.nameBytesMax) {
      throw invalid(`a field of ${Buffer.byteLength(field)} bytes; at most ${limits.nameBytesMax}`)
    }
    if (paths.includes(field)) throw invalid(`field ${quoted} is named twice`)
    paths.push(field)
  }
  return paths
}

function invalid(why: string): SillokError {
  return new SillokError('INVALID', `secondary index: ${why}`)
}
