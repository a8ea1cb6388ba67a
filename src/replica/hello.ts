/**
 * What a node says first on a connection to another one: one frame of kind 0 (see codec/frame) with
 *
 *   0  u32 magic     "sill" in the bytes
 *   4  u16 version   of all that is said on the connection, this frame behind here included: 1
 *   6  u16 purpose   what follows: 0 messages (message-codec.ts), 1 one snapshot (snapshot-codec.ts), 2 calls
 *                    (cluster/call-codec.ts)
 *   8  u64 run       names the run of the process that speaks
 *  16  u64 number    of the connection in that run: a greater one is a newer one
 *  24  u16 length    of the address
 *  26  u16 length    of the cluster's name
 *  28  address       UTF-8, `host:port`, where the sender itself listens; empty before calls
 *   n  cluster       UTF-8: nodes of another one are not listened to; before calls perhaps empty: not known
 *
 * Little-endian. An address and a name are claims: who can connect can make them.
 */
import { readIndex, writeIndex } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { decodeFrame, frameHeadBytes, sealFrame } from '../codec/frame.js'
import { type Address, addressParts } from '../env/network.js'

/** What a connection is made for. */
export type Purpose = 'messages' | 'snapshot' | 'calls'

/** Who speaks, and what about. */
export interface Hello {
  readonly purpose: Purpose
  readonly address: Address
  readonly cluster: string
  readonly run: number
  readonly number: number
}

/** The version that this release speaks, and understands. */
export const wireVersion = 1

const kind = 0
const magic = 0x6c6c6973
const headBytes = 28

/** By number. */
const purposes: readonly Purpose[] = ['messages', 'snapshot', 'calls']

const clusterBytesMax = 256

/** The frame; INVALID if the address or the name cannot be said. */
export function encodeHello({ purpose, address, cluster, run, number }: Hello): Buffer {
  const texts = [Buffer.from(address), Buffer.from(cluster)] as const
  checkLengths(texts[0].length, texts[1].length)
  const head = Buffer.alloc(frameHeadBytes + headBytes)
  head.writeUInt32LE(magic, frameHeadBytes)
  head.writeUInt16LE(wireVersion, frameHeadBytes + 4)
  head.writeUInt16LE(purposes.indexOf(purpose), frameHeadBytes + 6)
  writeIndex(head, run, frameHeadBytes + 8)
  writeIndex(head, number, frameHeadBytes + 16)
  head.writeUInt16LE(texts[0].length, frameHeadBytes + 24)
  head.writeUInt16LE(texts[1].length, frameHeadBytes + 26)
  return sealFrame(Buffer.concat([head, ...texts]), kind, 0)
}

/** What was said; DAMAGED, TOO_LARGE or INVALID if the bytes are no hello, or one of another version. */
export function decodeHello(bytes: Buffer): Hello {
  const frame = decodeFrame(bytes, headBytes + limits.addressBytesMax + clusterBytesMax)
  const { body } = frame
  if (frame.kind !== kind || frame.stream !== 0 || body.length < 6 || body.readUInt32LE(0) !== magic) {
    throw invalid('it begins with something else')
  }
  const version = body.readUInt16LE(4)
  if (version !== wireVersion) throw invalid(`it is of version ${version}, here is ${wireVersion}`)
  if (body.length < headBytes) throw invalid('it is cut short')
  const purpose = purposes[body.readUInt16LE(6)]
  if (purpose === undefined) throw invalid(`its purpose is ${body.readUInt16LE(6)}`)
  const [run, number] = [readIndex(body, 8), readIndex(body, 16)]
  if (!Number.isSafeInteger(run) || !Number.isSafeInteger(number)) throw invalid('a number is out of range')
  const [addressBytes, clusterBytes] = [body.readUInt16LE(24), body.readUInt16LE(26)]
  checkLengths(addressBytes, clusterBytes)
  if (body.length !== headBytes + addressBytes + clusterBytes) throw invalid('its lengths do not fit')
  const address = text(body.subarray(headBytes, headBytes + addressBytes))
  checkAddress(purpose, address)
  return { purpose, address, cluster: text(body.subarray(headBytes + addressBytes)), run, number }
}

function checkLengths(addressBytes: number, clusterBytes: number): void {
  if (addressBytes > limits.addressBytesMax) throw invalid(`an address of ${addressBytes} bytes`)
  if (clusterBytes > clusterBytesMax) throw invalid(`a cluster's name of ${clusterBytes} bytes`)
}

/** Who only asks is nowhere to be reached. */
function checkAddress(purpose: Purpose, address: string): void {
  if (purpose === 'calls') {
    if (address !== '') throw invalid(`who calls has no address, not ${address}`)
    return
  }
  try {
    addressParts(address)
  } catch (error) {
    if (error instanceof RangeError) throw invalid(error.message)
    throw error
  }
}

function text(bytes: Buffer): string {
  const text = bytes.toString()
  if (!Buffer.from(text).equals(bytes)) throw invalid('a text is not UTF-8')
  return text
}

function invalid(what: string): SillokError {
  return new SillokError('INVALID', `a node's hello: ${what}`)
}
