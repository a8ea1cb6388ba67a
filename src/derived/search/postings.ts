/**
 * Postings: which documents of a segment have a term, how often in each field, and where.
 *
 * A piece of postings, `n` of them, in the order of the documents' ordinals:
 *
 *   more than 8: for each block of 128 (the last may be shorter)
 *     number  its last ordinal, as the distance from that of the block before; of the first from -1
 *     number  bytes of its ordinals, then of its counts, then of its places
 *     for each field: number of bounds, then each as count and length
 *   for each block (8 or fewer are one block)
 *     ordinals: each as what it is above the one before, less 1; the first follows the block before
 *     counts: with one field the count; else a mask of the fields that have the term, then their counts
 *     places, unless the term is a stem: how many, then each as the distance from the one before
 *
 * A bound (c, l) says that a document of the block may have the term c times in a field of length l: what no
 * document exceeds in any field gives no higher score (bm25.ts). Bounds are those that no other one covers;
 * of more than 4 the two with the most counts are joined, which makes a bound that no document may reach.
 */
import { ByteReader, ByteWriter } from './bytes.js'

/** Postings in a block. */
export const blockPostings = 128
/** So few have no bounds. */
export const barePostings = 8

const boundsMax = 4

/** Postings in memory, column by column. */
export class PostingColumns {
  readonly fieldCount: number
  count = 0
  ordinals: Int32Array
  /** `fieldCount` for each. */
  counts: Int32Array
  /** Places as they are stored, of one after the other, and where each ends. */
  readonly places = new ByteWriter()
  placeEnds: Int32Array

  /** With room for so many; it grows. */
  constructor(fieldCount: number, room = 256) {
    this.fieldCount = fieldCount
    this.ordinals = new Int32Array(Math.max(1, room))
    this.placeEnds = new Int32Array(Math.max(1, room))
    this.counts = new Int32Array(Math.max(1, room) * fieldCount)
  }

  clear(): void {
    this.count = 0
    this.places.clear()
  }

  /** One more, without counts and places so far: give them, then `end` it. */
  begin(ordinal: number): void {
    if (this.count === this.ordinals.length) this.#grow()
    this.ordinals[this.count] = ordinal
    const end = (this.count + 1) * this.fieldCount
    for (let at = end - this.fieldCount; at < end; at++) this.counts[at] = 0
  }

  end(): void {
    this.placeEnds[this.count++] = this.places.size
  }

  #grow(): void {
    const size = 2 * this.ordinals.length
    this.ordinals = grown(this.ordinals, size)
    this.placeEnds = grown(this.placeEnds, size)
    this.counts = grown(this.counts, size * this.fieldCount)
  }
}

function grown(column: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const more = new Int32Array(size)
  more.set(column)
  return more
}

const heads = new ByteWriter()
const bodies = new ByteWriter()

/**
 * Writes the piece from posting `from` to before `to`. `lengths` are those of the segment's documents, a
 * number per field for each ordinal.
 */
export function writePostings(
  writer: ByteWriter,
  columns: PostingColumns,
  from: number,
  to: number,
  lengths: Uint32Array,
): void {
  heads.clear()
  bodies.clear()
  const isBare = to - from <= barePostings
  let last = -1
  for (let at = from; at < to; at += blockPostings) {
    const end = Math.min(to, at + blockPostings)
    const sizes = writeBlock(columns, at, end, last)
    const blockLast = columns.ordinals[end - 1] as number
    if (!isBare) {
      heads.number(blockLast - last)
      for (const size of sizes) heads.number(size)
      writeBounds(columns, at, end, lengths)
    }
    last = blockLast
  }
  writer.copy(heads)
  writer.copy(bodies)
}

function writeBlock(columns: PostingColumns, from: number, to: number, before: number): number[] {
  const { ordinals, counts, fieldCount, places, placeEnds } = columns
  const ordinalsAt = bodies.size
  let last = before
  for (let i = from; i < to; i++) {
    const ordinal = ordinals[i] as number
    bodies.number(ordinal - last - 1)
    last = ordinal
  }
  const countsAt = bodies.size
  for (let i = from; i < to; i++) {
    if (fieldCount === 1) bodies.number(counts[i] as number)
    else writeCounts(counts, i * fieldCount, fieldCount)
  }
  const placesAt = bodies.size
  const start = from === 0 ? 0 : (placeEnds[from - 1] as number)
  bodies.copy(places, start, placeEnds[to - 1] as number)
  return [countsAt - ordinalsAt, placesAt - countsAt, bodies.size - placesAt]
}

function writeCounts(counts: Int32Array, at: number, fieldCount: number): void {
  let mask = 0
  for (let field = 0; field < fieldCount; field++) if (counts[at + field] !== 0) mask += 2 ** field
  bodies.number(mask)
  for (let field = 0; field < fieldCount; field++) {
    const count = counts[at + field] as number
    if (count !== 0) bodies.number(count)
  }
}

function writeBounds(columns: PostingColumns, from: number, to: number, lengths: Uint32Array): void {
  const { ordinals, counts, fieldCount } = columns
  for (let field = 0; field < fieldCount; field++) {
    const bounds: [count: number, length: number][] = []
    for (let i = from; i < to; i++) {
      const count = counts[i * fieldCount + field] as number
      if (count === 0) continue
      addBound(bounds, count, lengths[(ordinals[i] as number) * fieldCount + field] as number)
    }
    while (bounds.length > boundsMax) {
      const [one, other] = bounds.splice(-2) as [[number, number], [number, number]]
      bounds.push([Math.max(one[0], other[0]), Math.min(one[1], other[1])])
    }
    heads.number(bounds.length)
    for (const [count, length] of bounds) {
      heads.number(count)
      heads.number(length)
    }
  }
}

/** Keeps what no other covers, by ascending counts (and so ascending lengths). */
function addBound(bounds: [number, number][], count: number, length: number): void {
  for (const bound of bounds) if (bound[0] >= count && bound[1] <= length) return
  let at = 0
  for (let i = 0; i < bounds.length; i++) {
    const bound = bounds[i] as [number, number]
    if (bound[0] <= count && bound[1] >= length) continue
    bounds[at++] = bound
  }
  bounds.length = at
  let place = at
  while (place > 0 && (bounds[place - 1] as [number, number])[0] > count) place--
  bounds.splice(place, 0, [count, length])
}

/** One block of stored postings. */
export interface PostingBlock {
  readonly source: Buffer
  readonly count: number
  /** The last ordinal of the block before, and of this one. */
  readonly before: number
  readonly last: number
  readonly ordinalsAt: number
  readonly countsAt: number
  readonly placesAt: number
  /** For each field how many bounds there are, then each as count and length; undefined: there are none. */
  readonly bounds: readonly number[] | undefined
}

/** The blocks of a piece of `count` postings that begins at `start`. */
export function readBlocks(source: Buffer, start: number, count: number, fieldCount: number): PostingBlock[] {
  const reader = new ByteReader(source, start)
  if (count <= barePostings) return count === 0 ? [] : [bareBlock(reader, count, fieldCount)]
  const heads: { last: number; sizes: readonly number[]; bounds: readonly number[] }[] = []
  let last = -1
  for (let left = count; left > 0; left -= blockPostings) {
    last += reader.number()
    const sizes = [reader.number(), reader.number(), reader.number()]
    heads.push({ last, sizes, bounds: readBounds(reader, fieldCount) })
  }
  let { at } = reader
  let before = -1
  return heads.map(({ last, sizes, bounds }, n) => {
    const [ordinals = 0, counts = 0, places = 0] = sizes
    const block: PostingBlock = {
      source,
      count: Math.min(blockPostings, count - n * blockPostings),
      before,
      last,
      ordinalsAt: at,
      countsAt: at + ordinals,
      placesAt: at + ordinals + counts,
      bounds,
    }
    before = last
    at += ordinals + counts + places
    return block
  })
}

function readBounds(reader: ByteReader, fieldCount: number): number[] {
  const bounds: number[] = []
  for (let field = 0; field < fieldCount; field++) {
    const size = reader.number()
    bounds.push(size)
    for (let left = 2 * size; left > 0; left--) bounds.push(reader.number())
  }
  return bounds
}

function bareBlock(reader: ByteReader, count: number, fieldCount: number): PostingBlock {
  const ordinalsAt = reader.at
  let last = -1
  for (let left = count; left > 0; left--) last += reader.number() + 1
  const countsAt = reader.at
  for (let left = count; left > 0; left--) skipCounts(reader, fieldCount)
  const { source, at: placesAt } = reader
  return { source, count, before: -1, last, ordinalsAt, countsAt, placesAt, bounds: undefined }
}

/** The ordinals of a block. */
export function readOrdinals(block: PostingBlock, ordinals: Int32Array): void {
  const { source, count } = block
  let at = block.ordinalsAt
  let last = block.before
  for (let i = 0; i < count; i++) {
    let byte = source[at++] as number
    let distance = byte
    if (byte >= 0x80) {
      distance = byte & 0x7f
      let shift = 7
      do {
        byte = source[at++] as number
        distance |= (byte & 0x7f) << shift
        shift += 7
      } while (byte >= 0x80)
    }
    last += distance + 1
    ordinals[i] = last
  }
}

/** The counts of a block, `fieldCount` for each posting. */
export function readBlockCounts(block: PostingBlock, counts: Int32Array, fieldCount: number): void {
  const { source, countsAt } = block
  if (fieldCount === 1 && block.placesAt === countsAt + block.count) {
    // Most counts are below 128.
    for (let i = 0; i < block.count; i++) counts[i] = source[countsAt + i] as number
    return
  }
  const reader = new ByteReader(block.source, block.countsAt)
  for (let i = 0; i < block.count; i++) readCounts(reader, counts, i * fieldCount, fieldCount)
}

function readCounts(reader: ByteReader, counts: Int32Array, at: number, fieldCount: number): void {
  if (fieldCount === 1) {
    counts[at] = reader.number()
    return
  }
  const mask = reader.number()
  for (let field = 0; field < fieldCount; field++) {
    counts[at + field] = (mask >>> field) & 1 ? reader.number() : 0
  }
}

function skipCounts(reader: ByteReader, fieldCount: number): void {
  let mask = reader.number()
  if (fieldCount === 1) return
  for (; mask > 0; mask >>>= 1) if (mask & 1) reader.number()
}
