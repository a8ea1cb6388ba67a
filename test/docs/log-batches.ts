/** The write-ahead log taken apart by the tables of `src/FORMATS.md`, with none of the decoders of `src/`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Test } from 'tap'
import { Layout, numberOf, tableOf } from './layout.js'
import { block } from './sample-folders.js'

/** The head of a file. */
export const fileHeader = new Layout('WAL file header')
/** The head of a batch. */
export const batchHead = new Layout('WAL batch')

/** A batch, taken apart. */
export interface Batch {
  readonly start: number
  readonly flags: number
  readonly sequence: number
  readonly records: readonly { readonly kind: number; readonly bytes: Buffer }[]
}

/** All batches of a file from the first one on, each checked against its head and the one before. */
export function readBatches(t: Test, file: Buffer, before?: { sequence: number; crc: number }): Batch[] {
  const batches: Batch[] = []
  let last = before
  for (let at = block; at + block <= file.length; ) {
    if (batchHead.number(file, 'magic', at) !== 0x62574c53) break
    const body = batchHead.number(file, 'body', at)
    const length = Math.ceil((batchHead.length + body) / block) * block
    const crc = batchHead.number(file, 'crc', at)
    t.equal(crc, crc32(file.subarray(at + 4, at + length)), `CRC of the batch at ${at}`)
    t.ok(batchHead.bytes(file, 'salt', at).equals(fileHeader.bytes(file, 'salt')), 'salt of the file')
    t.equal(batchHead.number(file, 'file', at), fileHeader.number(file, 'sequence'))
    const sequence = batchHead.number(file, 'sequence', at)
    if (last !== undefined) {
      t.equal(sequence, last.sequence + 1)
      t.equal(batchHead.number(file, 'previous', at), last.crc)
    }
    last = { sequence, crc }
    const records = []
    const end = at + batchHead.length + body
    for (let from = at + batchHead.length; from < end; ) {
      const head = file.readUInt32LE(from)
      const bytes = file.subarray(from + 4, from + 4 + (head >>> 8))
      records.push({ kind: head & 255, bytes })
      from += 4 + bytes.length
    }
    t.equal(records.length, batchHead.number(file, 'records', at))
    t.ok(
      file.subarray(end, at + length).every(byte => byte === 0),
      'zeros to the next block',
    )
    batches.push({ start: at, flags: batchHead.number(file, 'flags', at), sequence, records })
    at += length
  }
  return batches
}

/** The file of the log with that sequence. */
export function walFile(dir: string, sequence: number): Buffer {
  return readFileSync(join(dir, 'wal', `wal-${sequence.toString(16).padStart(16, '0')}`))
}

/** The newest payload of each register, as `partition name`. */
export function registersOf(batches: readonly Batch[]): Map<string, Buffer> {
  const names = new Map(tableOf('Registers').map(([number, name]) => [Number(number), name]))
  const kinds = [numberOf('WAL record', 'register'), numberOf('WAL record', 'restated')]
  const newest = new Map<string, Buffer>()
  for (const { kind, bytes } of batches.flatMap(batch => batch.records)) {
    if (!kinds.includes(kind)) continue
    const name = `${bytes.readUInt32LE(0)} ${names.get(bytes.readUInt32LE(4))}`
    newest.set(name, bytes.subarray(8))
  }
  return newest
}

/** All numbers of eight bytes. */
export function u64s(bytes: Buffer): number[] {
  return Array.from({ length: Math.floor(bytes.length / 8) }, (_, i) => Number(bytes.readBigUInt64LE(8 * i)))
}
