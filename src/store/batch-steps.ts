/**
 * Atomic batches as operations, of the store itself or of a session. A step says one thing: one verb, the
 * collection, and for some a condition; a field that is not known might have been meant as a condition, so it
 * is refused.
 */
import { SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Operation } from '../machine/command.js'
import type { CollectionSchema } from '../machine/schema.js'
import { operationBytes } from './asking.js'
import { invalid } from './check-options.js'
import type { Operations } from './operations.js'
import type { BatchStep } from './options.js'

const verbs = ['insert', 'put', 'delete', 'check'] as const

/**
 * The steps as operations, in their order. Throws INVALID, naming the place, TOO_LARGE for too many or too
 * long ones, or what a document or key deserves.
 */
export function batchOperations(
  steps: readonly BatchStep[],
  operations: Operations,
  schemaOf: (name: string) => CollectionSchema,
): Operation[] {
  if (!Array.isArray(steps) || steps.length === 0) throw invalid('a batch needs at least one step')
  if (steps.length > limits.batchCommandsMax) {
    throw tooLarge(`a batch of ${steps.length} steps, ${limits.batchCommandsMax} allowed`)
  }
  const all = Array.from(steps, (step: BatchStep, i) => stepOperation(step, i, operations, schemaOf))
  const bytes = operationBytes(all)
  if (bytes <= limits.batchCommandBytesMax) return all
  throw tooLarge(`a batch of ${bytes} bytes, ${limits.batchCommandBytesMax} allowed`)
}

function stepOperation(
  step: BatchStep,
  place: number,
  operations: Operations,
  schemaOf: (name: string) => CollectionSchema,
): Operation {
  checkStep(step, place)
  const schema = schemaOf(step.in)
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
  if (typeof step.in !== 'string') throw invalid(`${where}: in must name its collection`)
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
