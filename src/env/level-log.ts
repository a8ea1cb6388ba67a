/**
 * Checks files in LevelDB's log format (`*.log`, `MANIFEST-*`) by the checksums in them, which LevelDB passes
 * over or takes for the end of the file.
 *
 *   file      blocks of 32 KiB; the last one may be shorter
 *   block     records, then fewer than 7 zero bytes
 *   record    u32 masked crc32c of type and content | u16 length | u8 type | content
 *   type      1 whole, 2 first, 3 middle, 4 last part of what was written at once
 *
 * Source: LevelDB, doc/log_format.md.
 */
import { loadCrc32c, maskCrc32c } from './crc32c.js'

const blockBytes = 32 * 1024
const headBytes = 7
const types = { whole: 1, first: 2, middle: 3, last: 4 } as const

/** Where the bytes stop making sense, and why. */
export interface LogFault {
  readonly offset: number
  readonly what: string
}

/** What a file holds: all that was written at once, in order, up to the first fault. */
export interface LevelLog {
  readonly records: readonly Buffer[]
  readonly fault: LogFault | undefined
}

/** Reads a whole file. */
export async function readLevelLog(bytes: Buffer): Promise<LevelLog> {
  const crc32c = await loadCrc32c()
  const records: Buffer[] = []
  let parts: Buffer[] = []
  let at = 0
  const stop = (what: string): LevelLog => ({ records, fault: { offset: at, what } })
  while (at < bytes.length) {
    const left = blockBytes - (at % blockBytes)
    const rest = bytes.subarray(at, Math.min(bytes.length, at + left))
    if (left < headBytes) {
      if (rest.some(byte => byte !== 0)) return stop('the end of a block is not zeros')
      at += rest.length
      continue
    }
    if (rest.length < headBytes) return stop('ends within the head of a record')
    const end = headBytes + rest.readUInt16LE(4)
    if (end > left) return stop('a record is longer than its block')
    if (end > rest.length) return stop('ends within a record')
    if (maskCrc32c(crc32c(rest.subarray(6, end))) !== rest.readUInt32LE(0)) {
      return stop('a record fails its checksum')
    }
    const type = rest.readUInt8(6)
    const begins = type === types.whole || type === types.first
    if (type < types.whole || type > types.last) return stop(`a record of type ${type}`)
    if (begins !== (parts.length === 0)) return stop('the parts of a record do not fit')
    parts.push(rest.subarray(headBytes, end))
    if (type === types.whole || type === types.last) {
      records.push(Buffer.concat(parts))
      parts = []
    }
    at += end
  }
  return parts.length > 0 ? stop('ends between the parts of a record') : { records, fault: undefined }
}
