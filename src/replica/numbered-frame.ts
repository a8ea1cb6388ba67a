/**
 * Frames that name what they are about by numbers: `u64` each, then the rest, as the kind of frame says.
 */
import { frameHeadBytes, messageBodyBytesMax, sealFrame } from '../codec/frame.js'
import type { ValueLimits } from '../codec/value.js'
import { FieldWriter } from './message-fields.js'

/** The frame, sealed. */
export function numberedFrame(
  kind: number,
  stream: number,
  numbers: readonly number[],
  rest: Buffer,
): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeadBytes + 8 * numbers.length + rest.length)
  const writer = new FieldWriter(bytes, frameHeadBytes)
  for (const number of numbers) writer.index(number)
  writer.copy(rest)
  writer.end()
  return sealFrame(bytes, kind, stream)
}

/** What the rest of a frame of so many numbers may hold, if it is msgpack. */
export function budgetBehind(numbers: number): ValueLimits {
  return { depthMax: 64, elementsMax: 200_000, bytesMax: messageBodyBytesMax - 8 * numbers }
}
