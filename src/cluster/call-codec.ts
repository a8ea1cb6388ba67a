/**
 * Calls to a node, and their answers: frames (see codec/frame) over a connection whose hello says `calls`.
 *
 *   40 call     u64 number, then msgpack: `[method, argument]`
 *   41 answer   u64 number, then msgpack: `{r}` the result, or a failure (replica/failure-form.ts)
 *
 * Little-endian; the frames' stream is 0. Numbers are the caller's, and name a call on its connection.
 */
import { SillokError } from '../base/errors.js'
import { decodeFrame, messageBodyBytesMax } from '../codec/frame.js'
import { packStrict, unpackStrict } from '../codec/msgpack.js'
import * as schema from '../codec/wire-schema.js'
import { failureShape, packFailure } from '../replica/failure-form.js'
import { FieldReader } from '../replica/message-fields.js'
import { budgetBehind, numberedFrame } from '../replica/numbered-frame.js'

/** A call as it came: its argument is checked by who answers it. */
export interface Call {
  readonly number: number
  readonly method: string
  readonly argument: unknown
}

/** What a call was answered with. */
export interface CallAnswer {
  readonly number: number
  readonly result: { readonly value: unknown } | SillokError
}

const kinds = { call: 40, answer: 41 } as const
const budget = budgetBehind(1)

/** The frame of the call. TOO_LARGE, or INVALID, if the argument fits none. */
export function encodeCall({ number, method, argument }: Call): Buffer {
  return numberedFrame(kinds.call, 0, [number], packStrict([method, argument], budget))
}

/** The frame of the answer; of a result that fits none that it is TOO_LARGE. */
export function encodeCallAnswer({ number, result }: CallAnswer): Buffer {
  return numberedFrame(kinds.answer, 0, [number], packResult(result))
}

/** What a caller says. Throws DAMAGED, TOO_LARGE or INVALID. */
export function decodeCall(frame: Buffer): Call {
  const { number, rest } = readFrame(frame, kinds.call, 'call')
  const [method, argument] = schema.parse(call, unpackStrict(rest, budget), 'a call')
  return { number, method: schema.parse(methodName, method, 'the method'), argument }
}

/** What a node answers. Throws DAMAGED, TOO_LARGE or INVALID. */
export function decodeCallAnswer(frame: Buffer): CallAnswer {
  const { number, rest } = readFrame(frame, kinds.answer, 'answer')
  const value = unpackStrict(rest, budget)
  if (typeof value === 'object' && value !== null && 'r' in value) {
    return { number, result: { value: schema.parse(done, value, 'an answer').r } }
  }
  const { c, m, d: details, o: outcome } = schema.parse(failureShape, value, 'an answer')
  return { number, result: new SillokError(c, m, { details, ...(outcome && { outcome }) }) }
}

const call = schema.list(schema.anything(), 2)
const methodName = schema.text(64, 1)
const done = schema.object({ r: schema.anything() })

function readFrame(
  frame: Buffer,
  expected: number,
  name: string,
): { readonly number: number; readonly rest: Buffer } {
  const { kind, stream, body } = decodeFrame(frame, messageBodyBytesMax)
  if (kind !== expected || stream !== 0)
    throw new SillokError('INVALID', `a frame of kind ${kind}: no ${name}`)
  const reader = new FieldReader(body)
  return { number: reader.index(), rest: reader.rest() }
}

function packResult(result: CallAnswer['result']): Buffer {
  if (result instanceof SillokError) return packFailure(result, budget)
  try {
    return packStrict({ r: result.value }, budget)
  } catch (error) {
    if (!(error instanceof SillokError)) throw error
    return packFailure(error, budget)
  }
}
