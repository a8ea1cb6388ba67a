/**
 * Checks a LevelDB table file by the checksums that LevelDB wrote into it and does not verify itself.
 *
 *   { block | u8 type | u32 masked crc32c of block and type }*  footer
 *   footer (48)   varint offset and size of the meta-index block, and of the index block | zeros | u64 magic
 *   index block   rows whose values are handles (varint offset, varint size) of the data blocks; the
 *                 meta-index likewise of the filter; type 0: nothing is compressed, else it is not ours
 *
 * Every block is checked, index and filter included, and together they must cover the file to its footer: a
 * flipped bit anywhere before the footer is found. Source: LevelDB, doc/table_format.md.
 */
import { limits } from '../base/limits.js'
import { type Crc32c, loadCrc32c, maskCrc32c } from './crc32c.js'
import type { Disk, DiskFile } from './disk.js'

const footerBytes = 48
const trailerBytes = 5
const magicLow = 0x8b80fb57
const magicHigh = 0xdb477524

interface Handle {
  readonly offset: number
  readonly size: number
}

/** True if the file ends as a finished table does. */
export async function isFinishedTable(file: DiskFile): Promise<boolean> {
  return (await readFooter(file)) !== undefined
}

/** True if the table is whole: every byte before the footer is covered by a checksum that holds. */
export async function checkTable(disk: Disk, path: string): Promise<boolean> {
  const crc32c = await loadCrc32c()
  const file = await disk.open(path)
  try {
    const footer = await readFooter(file)
    if (footer === undefined) return false
    const blocks = [footer.metaIndex, footer.index]
    for (const handle of [footer.metaIndex, footer.index]) {
      const block = await readBlock(file, handle, crc32c)
      const handles = block && indexedHandles(block)
      if (handles === undefined) return false
      blocks.push(...handles)
    }
    return await checkBlocks(file, blocks, footer.start, crc32c)
  } finally {
    await file.close()
  }
}

async function readFooter(
  file: DiskFile,
): Promise<{ metaIndex: Handle; index: Handle; start: number } | undefined> {
  const size = await file.size()
  if (size < footerBytes) return undefined
  const start = size - footerBytes
  const bytes = await file.read(start, footerBytes)
  if (bytes.length < footerBytes) return undefined
  if (bytes.readUInt32LE(40) !== magicLow || bytes.readUInt32LE(44) !== magicHigh) return undefined
  const reader = new Varints(bytes)
  const metaIndex = reader.handle()
  const index = reader.handle()
  if (metaIndex === undefined || index === undefined) return undefined
  return { metaIndex, index, start }
}

/**
 * All blocks in the order of the file: each follows the one before, the last ends at the footer, all CRCs
 * hold.
 */
async function checkBlocks(file: DiskFile, blocks: Handle[], end: number, crc32c: Crc32c): Promise<boolean> {
  blocks.sort((left, right) => left.offset - right.offset)
  let covered = 0
  let slice: Buffer = Buffer.alloc(0)
  let sliceStart = 0
  for (const { offset, size } of blocks) {
    const next = offset + size + trailerBytes
    if (offset !== covered || next > end) return false
    if (next > sliceStart + slice.length) {
      sliceStart = offset
      slice = await file.read(offset, Math.min(end - offset, Math.max(limits.flushBatchBytesMax, size + 5)))
      if (slice.length < size + trailerBytes) return false
    }
    if (!blockHolds(slice.subarray(offset - sliceStart, next - sliceStart), crc32c)) return false
    covered = next
  }
  return covered === end
}

function blockHolds(block: Buffer, crc32c: Crc32c): boolean {
  const body = block.subarray(0, block.length - 4)
  return maskCrc32c(crc32c(body)) === block.readUInt32LE(block.length - 4)
}

/** The block's content; undefined if it does not validate or is compressed. */
async function readBlock(
  file: DiskFile,
  { offset, size }: Handle,
  crc32c: Crc32c,
): Promise<Buffer | undefined> {
  if (offset + size > (await file.size())) return undefined
  const block = await file.read(offset, size + trailerBytes)
  if (block.length < size + trailerBytes || !blockHolds(block, crc32c)) return undefined
  return block[size] === 0 ? block.subarray(0, size) : undefined
}

/** The handles that are the values of an index block's rows. */
function indexedHandles(block: Buffer): Handle[] | undefined {
  if (block.length < 4) return undefined
  const restarts = block.readUInt32LE(block.length - 4)
  const end = block.length - 4 - 4 * restarts
  if (end < 0) return undefined
  const reader = new Varints(block.subarray(0, end))
  const handles: Handle[] = []
  while (reader.at < end) {
    const shared = reader.next()
    const unshared = reader.next()
    const valueBytes = reader.next()
    if (shared === undefined || unshared === undefined || valueBytes === undefined) return undefined
    reader.at += unshared
    const after = reader.at + valueBytes
    const handle = reader.handle()
    if (handle === undefined || after > end) return undefined
    handles.push(handle)
    reader.at = after
  }
  return handles
}

class Varints {
  at = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  next(): number | undefined {
    let value = 0
    for (let scale = 1; scale < 2 ** 50; scale *= 128) {
      const byte = this.#bytes[this.at++]
      if (byte === undefined) return undefined
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    return undefined
  }

  handle(): Handle | undefined {
    const offset = this.next()
    const size = this.next()
    return offset === undefined || size === undefined ? undefined : { offset, size }
  }
}
