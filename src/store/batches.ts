/**
 * Atomic batches as operations, of the store itself or of a session. A step says one thing: one verb, the
 * collection, and for some a condition; a field that is not known might have been meant as a condition, so it
 * is refused.
 *
 * A step names its collection, or holds the collection object: then its document is shown to the schema of
 * that object.
 */
import { SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Operation } from '../machine/command.js'
import type { CollectionSchema } from '../machine/schema.js'
import { type Asking, operationBytes } from './asking.js'
import { invalid, type OptionNames } from './check-options.js'
import type { Operations } from './operations.js'
import type { BatchStep, InsertOptions, Written } from './options.js'
import type { Validation } from './validation.js'
import { type Writer, writeChecked, written } from './writer.js'

const verbs = ['insert', 'put', 'delete', 'check'] as const

/** A step, its collection by name and its document as the schema gave it. */
type NamedStep = BatchStep & { readonly in: string }

/** What batches are made with. */
export interface BatchesParts {
  readonly asking: Asking
  readonly operations: Operations
  readonly schemaOf: (name: string) => CollectionSchema
}

/** The batches of one store. */
export class Batches {
  readonly #parts: BatchesParts
  /** The collection objects of this store, with what their documents are shown to. */
  readonly #collections = new WeakMap<
    object,
    { readonly name: string; readonly validation: Validation | undefined }
  >()

  constructor(parts: BatchesParts) {
    this.#parts = parts
  }

  /** From now on steps may hold this collection object. */
  take<C extends { readonly name: string }>(collection: C, validation: Validation | undefined): C {
    this.#collections.set(collection, { name: collection.name, validation })
    return collection
  }

  /**
   * Shows the documents to their schemas and writes all, or nothing. Rejects with INVALID, naming the place,
   * VALIDATION_FAILED (details: step, issues), TOO_LARGE for too many or too long steps, what a document or
   * key deserves, and as writes do.
   */
  write(
    writer: Writer,
    steps: readonly BatchStep[],
    options: InsertOptions,
    allowed: OptionNames,
  ): Promise<Written> {
    const { asking } = this.#parts
    return writeChecked(
      { writer, asking },
      () => this.#checked(steps),
      named => this.#operations(named),
      options,
      allowed,
      written,
    )
  }

  /** All schemas are asked at once; of several that refuse, the first step is told. */
  #checked(steps: readonly BatchStep[]): readonly NamedStep[] | Promise<readonly NamedStep[]> {
    if (!Array.isArray(steps) || steps.length === 0) throw invalid('a batch needs at least one step')
    if (steps.length > limits.batchCommandsMax) {
      throw tooLarge(`a batch of ${steps.length} steps, ${limits.batchCommandsMax} allowed`)
    }
    const found = Array.from(steps, (step: BatchStep, place) => ({
      step,
      place,
      ...this.#checkedStep(step, place),
    }))
    const passing = found.map(({ step, place, name, validation }) => {
      const named = { ...step, in: name }
      return validation === undefined ? named : passed(named, place, validation)
    })
    if (passing.every(one => !(one instanceof Promise))) return passing as readonly NamedStep[]
    return inOrder(passing)
  }

  #checkedStep(step: BatchStep, place: number): { name: string; validation: Validation | undefined } {
    checkStep(step, place)
    const { in: target } = step
    const own =
      typeof target === 'string' ? { name: target, validation: undefined } : this.#collections.get(target)
    if (own !== undefined) return own
    throw invalid(`step ${place} of the batch: in must name its collection, or be a collection of this store`)
  }

  #operations(steps: readonly NamedStep[]): Operation[] {
    const { operations, schemaOf } = this.#parts
    const all = steps.map(step => stepOperation(step, operations, schemaOf(step.in)))
    const bytes = operationBytes(all)
    if (bytes <= limits.batchCommandBytesMax) return all
    throw tooLarge(`a batch of ${bytes} bytes, ${limits.batchCommandBytesMax} allowed`)
  }
}

/** The step with what the schema makes of its document, if it has one. */
function passed(step: NamedStep, place: number, validation: Validation): NamedStep | Promise<NamedStep> {
  const verb = 'insert' in step ? 'insert' : 'put' in step ? 'put' : undefined
  if (verb === undefined) return step
  const document = (step as unknown as Record<string, unknown>)[verb]
  try {
    const passing = validation.pass(document)
    if (!(passing instanceof Promise)) return { ...step, [verb]: passing }
    return passing.then(
      output => ({ ...step, [verb]: output }),
      (error: unknown) => {
        throw ofStep(error, place)
      },
    )
  } catch (error) {
    // Not thrown here: the steps before it may still wait for their answers, and come first.
    return Promise.reject(ofStep(error, place) as Error)
  }
}

/** Rejects with the first refusal in the order of the steps; later ones are heard, and left alone. */
async function inOrder<T>(all: readonly (T | Promise<T>)[]): Promise<T[]> {
  for (const one of all) if (one instanceof Promise) one.catch(() => {})
  const results: T[] = []
  for (const one of all) results.push(await one)
  return results
}

function ofStep(error: unknown, place: number): unknown {
  if (!(error instanceof SillokError)) return error
  const { code, message, outcome, details } = error
  const placed = { outcome, details: { ...details, step: place }, cause: error.cause }
  return new SillokError(code, `step ${place} of the batch: ${message}`, placed)
}

function stepOperation(step: NamedStep, operations: Operations, schema: CollectionSchema): Operation {
  if ('insert' in step) return operations.ofDocument(schema, 'insert', step.insert, undefined)
  if ('put' in step) return operations.ofDocument(schema, 'put', step.put, step.ifVersion)
  if ('delete' in step) return operations.ofKey(schema, 'delete', step.delete, step.ifVersion)
  return operations.ofKey(schema, 'check', step.check, step.ifVersion)
}

function checkStep(step: BatchStep, place: number): void {
  const where = `step ${place} of the batch`
  if (typeof step !== 'object' || step === null) throw invalid(`${where} is not an object`)
  const named = verbs.filter(verb => verb in step)
  if (named.length !== 1)
    throw invalid(`${where}: one of insert, put, delete or check, not ${named.length} of them`)
  const isObject = typeof step.in === 'object' && step.in !== null
  if (typeof step.in !== 'string' && !isObject) throw invalid(`${where}: in must name its collection`)
  const [verb] = named
  for (const field of Object.keys(step)) {
    const known = field === verb || field === 'in' || (field === 'ifVersion' && verb !== 'insert')
    if (!known) throw invalid(`${where}: ${verb} takes no ${field}`)
  }
  if (verb === 'check' && (step as { ifVersion?: unknown }).ifVersion === undefined) {
    throw invalid(`${where}: check needs ifVersion, a version or null`)
  }
}

function tooLarge(message: string): SillokError {
  return new SillokError('TOO_LARGE', message)
}
