/**
 * Documents are shown to a schema of the user's own (Standard Schema, version 1) before anything is sent, and
 * what the schema makes of them is what is stored.
 *
 * The schema belongs to the collection object that it was given to, not to the collection: whoever writes
 * through another object, or another process, is not held to it. Reads are not shown to it.
 *
 * It is foreign code: it may throw, answer nonsense, or never answer. Nothing was sent then, the document is
 * refused, and the caller waits for it under the deadline and the signal of the call. What never answers is
 * counted until it does. Source: standardschema.dev.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { messageOf, SillokError } from '../base/errors.js'
import { invalid, show } from './check-options.js'
import type { WaitingRoom } from './waiting-room.js'

/** A schema that gives documents, of any library that follows Standard Schema, version 1. */
export type DocumentSchema = StandardSchemaV1<unknown, object>

/** What a schema takes, as a document type. */
export type SchemaInput<S extends DocumentSchema> = StandardSchemaV1.InferInput<S> & object

/** What a schema gives, which is what is stored. */
export type SchemaOutput<S extends DocumentSchema> = StandardSchemaV1.InferOutput<S>

/** What a schema has against a document: `details.issues` of VALIDATION_FAILED is a list of them. */
export interface ValidationIssue {
  readonly message: string
  /** The fields and places that lead to it; empty: the document as a whole. */
  readonly path: readonly (string | number)[]
}

/** Issues that stand in the message; `details` has all. */
const issuesInMessage = 3

/** Shows the documents of one collection to its schema. */
export class Validation {
  readonly #collection: string
  readonly #validate: (value: unknown) => unknown
  readonly #room: WaitingRoom

  /** Throws INVALID for what is no schema. */
  constructor(collection: string, schema: DocumentSchema, room: WaitingRoom) {
    this.#collection = collection
    this.#validate = validateOf(schema)
    this.#room = room
  }

  /**
   * What the schema makes of the document; a promise only if the schema gives one. Throws, or rejects with,
   * VALIDATION_FAILED (details: issues), and OVERLOADED when too many answers of schemas are waited for.
   */
  pass(document: unknown): object | Promise<object> {
    let result: unknown
    try {
      result = this.#validate(document)
      if (!isThenable(result)) return this.#outputOf(result)
    } catch (error) {
      throw this.#refusal(error)
    }
    this.#room.enter()
    return Promise.resolve(result)
      .finally(() => this.#room.leave())
      .then(answer => this.#outputOf(answer))
      .catch((error: unknown) => {
        throw this.#refusal(error)
      })
  }

  #outputOf(result: unknown): object {
    if (typeof result !== 'object' || result === null) throw this.#noResult(show(result))
    const { issues } = result as Partial<StandardSchemaV1.FailureResult>
    if (!issues) {
      if ('value' in result) return result.value as object
      throw this.#noResult('an object with neither value nor issues')
    }
    if (!Array.isArray(issues)) throw this.#noResult(`issues that are ${show(issues)}`)
    const all = (issues as unknown[]).map(issueOf)
    if (all.length === 0) throw this.#failed('the schema refuses it', all, undefined)
    const told = all.slice(0, issuesInMessage).map(({ path, message }) => {
      return path.length === 0 ? message : `${path.join('.')}: ${message}`
    })
    const more = all.length > told.length ? `; and ${all.length - told.length} more` : ''
    throw this.#failed(`${told.join('; ')}${more}`, all, undefined)
  }

  #noResult(what: string): SillokError {
    return this.#failed(`the schema gave no result of a Standard Schema, but ${what}`, [], undefined)
  }

  /** What the schema throws is its own; the document is refused for it. */
  #refusal(error: unknown): SillokError {
    if (error instanceof SillokError && error.code === 'VALIDATION_FAILED') return error
    return this.#failed(`the schema failed: ${messageOf(error)}`, [], error)
  }

  #failed(message: string, issues: readonly ValidationIssue[], cause: unknown): SillokError {
    const text = `the document is not one of ${this.#collection}: ${message}`
    return new SillokError('VALIDATION_FAILED', text, { details: { issues }, cause })
  }
}

function validateOf(schema: unknown): (value: unknown) => unknown {
  const isHolder = (typeof schema === 'object' && schema !== null) || typeof schema === 'function'
  const standard = isHolder ? (schema as Partial<DocumentSchema>)['~standard'] : undefined
  if (standard?.version === 1 && typeof standard.validate === 'function') {
    return value => standard.validate(value)
  }
  throw invalid(`validate must be a schema that follows Standard Schema, version 1, not ${show(schema)}`)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<Promise<unknown>>).then === 'function'
  )
}

function issueOf(issue: unknown): ValidationIssue {
  const { message, path } = (issue ?? {}) as Partial<StandardSchemaV1.Issue>
  const keys = Array.isArray(path) ? (path as unknown[]).map(pathKey) : []
  return { message: typeof message === 'string' ? message : 'not acceptable', path: keys }
}

/** Standard Schema has keys, or objects that hold one. */
function pathKey(step: unknown): string | number {
  const key = typeof step === 'object' && step !== null ? (step as { readonly key?: unknown }).key : step
  return typeof key === 'number' ? key : String(key)
}
