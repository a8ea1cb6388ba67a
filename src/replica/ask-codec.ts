/**
 * What a node asks another one to have decided, and the answer: frames (see codec/frame) among the messages
 * of replicas, whose stream is the partition.
 *
 *   30 ask      u64 run of the asking process, u64 number of the request in it, u64 lane, then the command
 *               (machine/command-codec.ts); those of one lane are decided in the order in which they come
 *   31 answer   u64 run, u64 number, then msgpack: `{v, value}` version and value of a command that took
 *               effect, `{c, m, d}` of one that was refused, with `o` (outcome) of one that failed
 *
 * Little-endian. An answer to a request that nobody waits for is dropped.
 */
import { SillokError } from '../base/errors.js'
import type { PartitionId } from '../base/ids.js'
import { decodeFrame, frameKind, messageBodyBytesMax } from '../codec/frame.js'
import { packStrict, unpackStrict } from '../codec/msgpack.js'
import * as schema from '../codec/wire-schema.js'
import { type AskedCommand, decodeCommand, encodeCommand } from '../machine/command-codec.js'
import type { Reply } from '../machine/reply.js'
import { failureShape, packFailure } from './failure-form.js'
import { FieldReader } from './message-fields.js'
import { budgetBehind, numberedFrame } from './numbered-frame.js'

/** Names a request: by the run of the process that asks, and a number in it. */
export interface RequestName {
  readonly run: number
  readonly number: number
}

/** A request of another node. */
export interface Ask {
  readonly type: 'ask'
  readonly partition: PartitionId
  readonly request: RequestName
  readonly lane: number
  readonly command: AskedCommand
  /** Of the command as it came. */
  readonly bytes: number
}

/** A request of another node that is no command here: it is refused, and nothing else. */
export interface UnknownAsk {
  readonly type: 'unknown'
  readonly partition: PartitionId
  readonly request: RequestName
  readonly error: SillokError
}

/** What became of a request. */
export interface Answer {
  readonly type: 'answer'
  readonly request: RequestName
  readonly result: Reply | SillokError
}

const kinds = { ask: 30, answer: 31 } as const
const budget = budgetBehind(2)

/** True if the frame is a request or an answer, rather than a message of a replica. */
export function isAskFrame(frame: Buffer): boolean {
  const kind = frameKind(frame)
  return kind === kinds.ask || kind === kinds.answer
}

/** The frame of the request. TOO_LARGE if the command fits none. */
export function encodeAsk({ partition, request, lane, command }: Omit<Ask, 'type' | 'bytes'>): Buffer {
  return numberedFrame(kinds.ask, partition, [request.run, request.number, lane], encodeCommand(command))
}

/** The frame of the answer. TOO_LARGE if it fits none. */
export function encodeAnswer(
  partition: PartitionId,
  request: RequestName,
  result: Reply | SillokError,
): Buffer {
  return numberedFrame(kinds.answer, partition, [request.run, request.number], packResult(result))
}

/** What the frame says. Throws DAMAGED, TOO_LARGE or INVALID for what cannot be answered. */
export function decodeAsk(frame: Buffer): Ask | UnknownAsk | Answer {
  const { kind, stream, body } = decodeFrame(frame, messageBodyBytesMax)
  const reader = new FieldReader(body)
  const request = { run: reader.index(), number: reader.index() }
  if (kind === kinds.answer) return { type: 'answer', request, result: resultOf(reader.rest()) }
  if (kind !== kinds.ask) throw new SillokError('INVALID', `a frame of kind ${kind} asks nothing`)
  const lane = reader.index()
  const bytes = reader.rest()
  try {
    const command = decodeCommand(bytes)
    return { type: 'ask', partition: stream, request, lane, command, bytes: bytes.length }
  } catch (error) {
    if (!(error instanceof SillokError)) throw error
    return { type: 'unknown', partition: stream, request, error }
  }
}

function packResult(result: Reply | SillokError): Buffer {
  if (result instanceof SillokError) return packFailure(result, budget)
  if (!result.ok) return packStrict({ c: result.code, m: result.message, d: result.details }, budget)
  return packStrict({ v: result.version, value: result.value }, budget)
}

const done = schema.object({ v: schema.index(), value: schema.anything() })

function resultOf(bytes: Buffer): Reply | SillokError {
  const value = unpackStrict(bytes, budget)
  if (typeof value === 'object' && value !== null && 'v' in value) {
    const { v: version, value: inner } = schema.parse(done, value, 'an answer')
    return { ok: true, version, value: inner }
  }
  const { c, m: message, d: details, o: outcome } = schema.parse(failureShape, value, 'an answer')
  if (outcome !== undefined) return new SillokError(c, message, { outcome, details })
  return { ok: false, code: c, message, details }
}
