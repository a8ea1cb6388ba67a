/**
 * CRC-32 (IEEE, as in zlib) of bytes, also in parts. Zeros have a CRC like other bytes: what must not be all
 * zeros needs a magic number besides.
 *
 * A short piece is summed here, four bytes at a time by tables: the call into zlib alone costs more. Keys,
 * versions and most values of rows are short.
 */
import { crc32 as zlibCrc32 } from 'node:zlib'

/** Up to this length the loop beats the call: measured. */
const shortBytes = 128

const polynomial = 0xedb88320

/** What a byte does to the sum, with no, one, two and three bytes behind it. */
const tables = makeTables()

/** The CRC of the bytes, going on from `seed` (the CRC of what came before). An unsigned 32-bit number. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  return bytes.length > shortBytes ? zlibCrc32(bytes, seed) : shortCrc32(bytes, seed)
}

/** The CRC of the parts as if they were one piece. */
export function crc32Parts(...parts: readonly Uint8Array[]): number {
  let crc = 0
  for (const part of parts) crc = crc32(part, crc)
  return crc
}

// Every index is within its array: the casts only say so.
function shortCrc32(bytes: Uint8Array, seed: number): number {
  const { length } = bytes
  let crc = ~seed
  let at = 0
  for (const end = length - 3; at < end; at += 4) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    crc =
      (tables[768 + (crc & 255)] as number) ^
      (tables[512 + ((crc >>> 8) & 255)] as number) ^
      (tables[256 + ((crc >>> 16) & 255)] as number) ^
      (tables[crc >>> 24] as number)
  }
  for (; at < length; at++) crc = (crc >>> 8) ^ (tables[(crc ^ (bytes[at] as number)) & 255] as number)
  return ~crc >>> 0
}

function makeTables(): Int32Array {
  const all = new Int32Array(4 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    all[byte] = crc
  }
  for (let at = 256; at < all.length; at++) {
    const before = all[at - 256] as number
    all[at] = (before >>> 8) ^ (all[before & 255] as number)
  }
  return all
}
