/**
 * CRC-32 (IEEE, as in zlib) of bytes, also in parts. Zeros have a CRC like other bytes: what must not be all
 * zeros needs a magic number besides.
 */
import { crc32 as zlibCrc32 } from 'node:zlib'

/** The CRC of the bytes, going on from `seed` (the CRC of what came before). An unsigned 32-bit number. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  return zlibCrc32(bytes, seed)
}

/** The CRC of the parts as if they were one piece. */
export function crc32Parts(...parts: readonly Uint8Array[]): number {
  let crc = 0
  for (const part of parts) crc = zlibCrc32(part, crc)
  return crc
}
