/**
 * A failure as it is said to another process, `{c, m, d, o}` (code, message, details and outcome), and as it
 * is seen there.
 */
import { type Code, errorTable, SillokError } from '../base/errors.js'
import { packStrict } from '../codec/msgpack.js'
import type { ValueLimits } from '../codec/value.js'
import * as schema from '../codec/wire-schema.js'
import type { Address } from '../env/network.js'

const code = schema.shape('an error code', (value): value is Code => {
  return typeof value === 'string' && Object.hasOwn(errorTable, value)
})

/** What another process says of a failure; without an outcome it is a refusal. */
export const failureShape = schema.object({
  c: code,
  m: schema.text(64 * 1024),
  d: schema.record(),
  o: schema.optional(schema.literal('not-applied', 'unknown')),
})

function failureForm({ code, message, details, outcome }: SillokError): object {
  return { c: code, m: message, d: details, o: outcome }
}

/** Its form, packed; of one that does not fit its code and outcome. */
export function packFailure(failure: SillokError, budget: ValueLimits): Buffer {
  try {
    return packStrict(failureForm(failure), budget)
  } catch (error) {
    if (!(error instanceof SillokError)) throw error
    const { code, outcome } = failure
    return packStrict(
      failureForm(new SillokError(code, 'more cannot be said of it here', { outcome })),
      budget,
    )
  }
}

/** Failures that say that the other node stops, or has stopped: not this one. */
const ofTheOther: ReadonlySet<Code> = new Set<Code>([
  'CLOSED',
  'CLOSED_WHILE_WAITING',
  'DISK_FAILED',
  'STOPPED',
])

/** What another node said, at that address, as this process tells it: what befell it did not befall us. */
export function asSeenFromHere(error: SillokError, from: Address): SillokError {
  const { code, message, outcome, details } = error
  if (code === 'DAMAGED') {
    return new SillokError(code, message, { outcome, details: { ...details, node: from } })
  }
  if (!ofTheOther.has(code)) return error
  return new SillokError('UNAVAILABLE', `the other node stops: ${message}`, { outcome, cause: error })
}
