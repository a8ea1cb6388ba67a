/**
 * One frame: a checksummed body with its kind and stream, the same for files and connections.
 *
 *   0  u16 magic    0x6673, "sf" in the bytes; another form of frame has another magic
 *   2  u16 kind     what the body is: its user's own numbers
 *   4  u32 length   of the body
 *   8  u32 stream   which conversation, or which part, it belongs to
 *  12  u32 crc      of the body
 *  16  u32 crc      of the 16 bytes before: checked before the length is believed
 *  20  body
 *
 * All little-endian, no padding. A frame that fails a check is DAMAGED, one over the maximum TOO_LARGE; after
 * either nothing behind it can be found, so a reader stays failed. A CRC finds accidents, not forgery.
 */
import { assert } from '../base/assert.js'
import { crc32, crc32Parts } from '../base/checksum.js'
import { SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'

/** Bytes before the body. */
export const frameHeadBytes = 20

/** Body of a frame that is one message of the network, head included (see env/network). */
export const messageBodyBytesMax = limits.walBatchBytesMax - frameHeadBytes

const magic = 0x6673

/** A frame, decoded. */
export interface Frame {
  readonly kind: number
  readonly stream: number
  /** A view of the bytes that were read. */
  readonly body: Buffer
}

/**
 * The head of a frame whose body is the parts, one after the other: to be written before them, without a
 * copy.
 */
export function frameHead(kind: number, stream: number, ...parts: readonly Uint8Array[]): Buffer {
  let length = 0
  for (const part of parts) length += part.length
  assert(length <= limits.walBatchBytesMax, () => `a frame of ${length} bytes`)
  const head = Buffer.allocUnsafe(frameHeadBytes)
  writeHead(
    head,
    kind,
    stream,
    length,
    parts.length === 1 ? crc32(parts[0] as Uint8Array) : crc32Parts(...parts),
  )
  return head
}

/** The frame in one piece. */
export function encodeFrame(kind: number, stream: number, body: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeadBytes + body.length)
  bytes.set(body, frameHeadBytes)
  return sealFrame(bytes, kind, stream)
}

/** Writes the head into the first 20 bytes of `bytes`, whose rest is the body already. */
export function sealFrame(bytes: Buffer, kind: number, stream: number): Buffer {
  const length = bytes.length - frameHeadBytes
  assert(length <= limits.walBatchBytesMax, () => `a frame of ${length} bytes`)
  writeHead(bytes, kind, stream, length, crc32(bytes.subarray(frameHeadBytes)))
  return bytes
}

function writeHead(head: Buffer, kind: number, stream: number, length: number, crc: number): void {
  head.writeUInt16LE(magic, 0)
  head.writeUInt16LE(kind, 2)
  head.writeUInt32LE(length, 4)
  head.writeUInt32LE(stream, 8)
  head.writeUInt32LE(crc, 12)
  head.writeUInt32LE(crc32(head.subarray(0, 16)), 16)
}

/** What the frame says of its kind, unchecked; 0 if it is too short to say anything. */
export function frameKind(bytes: Buffer): number {
  return bytes.length < frameHeadBytes ? 0 : bytes.readUInt16LE(2)
}

/** The one frame that the bytes are, whole. `bodyBytesMax`: the longest body that is taken. */
export function decodeFrame(bytes: Buffer, bodyBytesMax: number = limits.walBatchBytesMax): Frame {
  if (bytes.length < frameHeadBytes) throw damaged(`a frame of ${bytes.length} bytes has no whole head`)
  const length = bodyLength(bytes, bodyBytesMax)
  if (bytes.length !== frameHeadBytes + length) {
    throw damaged(`a frame with a body of ${length} bytes, in ${bytes.length} bytes`)
  }
  return checkedFrame(bytes)
}

function bodyLength(head: Buffer, bodyBytesMax: number): number {
  if (head.readUInt16LE(0) !== magic) throw damaged('no frame begins here')
  if (crc32(head.subarray(0, 16)) !== head.readUInt32LE(16)) throw damaged("a frame's head fails its check")
  const length = head.readUInt32LE(4)
  if (length > bodyBytesMax) {
    throw new SillokError('TOO_LARGE', `a frame with a body of ${length} bytes; at most ${bodyBytesMax}`, {
      details: { bytes: length, limit: bodyBytesMax },
    })
  }
  return length
}

function checkedFrame(bytes: Buffer): Frame {
  const body = bytes.subarray(frameHeadBytes)
  if (crc32(body) !== bytes.readUInt32LE(12)) throw damaged("a frame's body fails its check")
  return { kind: bytes.readUInt16LE(2), stream: bytes.readUInt32LE(8), body }
}

function damaged(message: string): SillokError {
  return new SillokError('DAMAGED', message)
}

/**
 * Frames out of a stream of chunks, however cut. Holds at most one frame's bytes and the last chunk's rest,
 * if `next` is called until it answers undefined after each `push`.
 */
export class FrameReader {
  readonly #bodyBytesMax: number
  #chunks: Buffer[] = []
  #pendingBytes = 0
  /** Bytes of the frame at hand, head included; 0 while its head is not whole. */
  #frameBytes = 0
  #failure: SillokError | undefined

  constructor(bodyBytesMax: number = limits.walBatchBytesMax) {
    this.#bodyBytesMax = bodyBytesMax
  }

  /** Bytes taken and not yet given back as frames. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Takes the next bytes; they must not change until their frames were handled. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#pendingBytes += chunk.length
  }

  /**
   * The next whole frame, undefined until more bytes come. Throws DAMAGED or TOO_LARGE, from then on always.
   */
  next(): Frame | undefined {
    if (this.#failure !== undefined) throw this.#failure
    try {
      return this.#next()
    } catch (error) {
      if (error instanceof SillokError) this.#failure = error
      this.#chunks = []
      this.#pendingBytes = 0
      throw error
    }
  }

  /** For the end of the stream: throws DAMAGED if it ends inside a frame. */
  end(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#pendingBytes > 0) throw damaged(`the stream ends ${this.#pendingBytes} bytes into a frame`)
  }

  #next(): Frame | undefined {
    if (this.#frameBytes === 0) {
      if (this.#pendingBytes < frameHeadBytes) return undefined
      this.#frameBytes = frameHeadBytes + bodyLength(this.#front(frameHeadBytes), this.#bodyBytesMax)
    }
    if (this.#pendingBytes < this.#frameBytes) return undefined
    const front = this.#front(this.#frameBytes)
    const frame = checkedFrame(front.subarray(0, this.#frameBytes))
    this.#pendingBytes -= this.#frameBytes
    if (front.length === this.#frameBytes) this.#chunks.shift()
    else this.#chunks[0] = front.subarray(this.#frameBytes)
    this.#frameBytes = 0
    return frame
  }

  /**
   * The first chunk, made to hold at least `bytes`; whole chunks are joined only when the frame is complete.
   */
  #front(bytes: number): Buffer {
    let held = 0
    let count = 0
    while (held < bytes) held += (this.#chunks[count++] as Buffer).length
    if (count > 1) this.#chunks.splice(0, count, Buffer.concat(this.#chunks.slice(0, count), held))
    return this.#chunks[0] as Buffer
  }
}
