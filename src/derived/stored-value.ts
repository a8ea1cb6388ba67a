/**
 * How an index store keeps keys and values: five key spaces, and a checksum in each value.
 *
 *   r | key                a row of the index
 *   n | document's key     the note left with a document: u64 version | u8 flags | note
 *   t | document's key     that note says "gone" and is to be cleared away when the index is built: empty
 *   k | document's key     its newest change could not be taken, see parked.ts
 *   ! …                    marks, see index-marks.ts
 *
 * A stored value is u32 crc | rest, where the CRC covers the key, its space included, and the rest: a value
 * that is stored under another key does not validate.
 */
import { crc32 } from '../base/checksum.js'
import { readIndex, writeIndex } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { Version } from '../base/ids.js'

/** The first byte of a key. The end of a space is the byte after it. */
export const spaces = { row: 0x72, note: 0x6e, gone: 0x74, parked: 0x6b, mark: 0x21 } as const

/** Nothing. */
export const noBytes = Buffer.alloc(0)

const crcBytes = 4
const noteHeadBytes = 9
const flagGone = 1
const flagNote = 2
const flagSkipped = 4

/** The key in that space: a copy. */
export function spaceKey(space: number, key: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(key.length + 1)
  bytes[0] = space
  bytes.set(key, 1)
  return bytes
}

/** The stored form of a value under that key: a copy. */
export function sealValue(key: Buffer, rest: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(crcBytes + rest.length)
  bytes.writeUInt32LE(crc32(rest, crc32(key)), 0)
  bytes.set(rest, crcBytes)
  return bytes
}

/** What the stored value holds, a view; undefined unless its CRC holds. */
export function openValue(key: Buffer, stored: Buffer): Buffer | undefined {
  if (stored.length < crcBytes) return undefined
  const rest = stored.subarray(crcBytes)
  return crc32(rest, crc32(key)) === stored.readUInt32LE(0) ? rest : undefined
}

/** The same, but throws DAMAGED if the CRC does not hold. */
export function checkedValue(key: Buffer, stored: Buffer): Buffer {
  const rest = openValue(key, stored)
  if (rest === undefined) throw damagedRow(key)
  return rest
}

/** DAMAGED for that row. */
function damagedRow(key: Buffer): SillokError {
  const name = key.toString('hex')
  return new SillokError('DAMAGED', `row ${name} of an index fails its check`, { details: { key: name } })
}

/** What an index store knows of one document. */
export interface StoredNote {
  readonly version: Version
  /** The document was deleted; it never has a note. */
  readonly isGone: boolean
  /** The index could not take the document and left it out: it has no rows and no note of it. */
  readonly isSkipped: boolean
  readonly note: Buffer | undefined
}

/** The same as it is given; not skipped if it does not say. */
type SealedNote = Omit<StoredNote, 'isSkipped'> & Partial<StoredNote>

/** The stored form of what is known of a document, under its key in the space of notes. */
export function sealNote(key: Buffer, { version, isGone, isSkipped = false, note }: SealedNote): Buffer {
  const noteBytes = note?.length ?? 0
  const bytes = Buffer.allocUnsafe(crcBytes + noteHeadBytes + noteBytes)
  writeIndex(bytes, version, crcBytes)
  const noteFlag = note === undefined ? 0 : flagNote
  bytes[crcBytes + 8] = (isGone ? flagGone : 0) | noteFlag | (isSkipped ? flagSkipped : 0)
  if (note !== undefined) bytes.set(note, crcBytes + noteHeadBytes)
  bytes.writeUInt32LE(crc32(bytes.subarray(crcBytes), crc32(key)), 0)
  return bytes
}

/** What is known of the document under that key in the space of notes. Throws DAMAGED. */
export function openNote(key: Buffer, stored: Buffer): StoredNote {
  const rest = checkedValue(key, stored)
  const flags = rest[8]
  if (flags === undefined) throw damagedRow(key)
  const note = (flags & flagNote) === 0 ? undefined : rest.subarray(noteHeadBytes)
  const isSkipped = (flags & flagSkipped) !== 0
  return { version: readIndex(rest, 0), isGone: (flags & flagGone) !== 0, isSkipped, note }
}
