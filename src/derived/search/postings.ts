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

  /** The same with counts: the ones of number `at` of those. */
  add(ordinal: number, counts: Int32Array, at: number): void {
    if (this.count === this.ordinals.length) this.#grow()
    const { count, fieldCount } = this
    this.ordinals[count] = ordinal
    for (let field = 0; field < fieldCount; field++) {
      this.counts[count * fieldCount + field] = counts[at * fieldCount + field] as number
    }
  }

  /** What was begun is complete. */
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
  if (to - from <= barePostings) {
    writeBlock(writer, columns, from, to, -1)
    return
  }
  heads.clear()
  bodies.clear()
  let last = -1
  for (let at = from; at < to; at += blockPostings) {
    const end = Math.min(to, at + blockPostings)
    const start = bodies.size
    const { countsAt, placesAt } = writeBlock(bodies, columns, at, end, last)
    const blockLast = columns.ordinals[end - 1] as number
    heads.number(blockLast - last)
    heads.number(countsAt - start)
    heads.number(placesAt - countsAt)
    heads.number(bodies.size - placesAt)
    writeBounds(columns, at, end, lengths)
    last = blockLast
  }
  writer.copy(heads)
  writer.copy(bodies)
}

function writeBlock(
  writer: ByteWriter,
  columns: PostingColumns,
  from: number,
  to: number,
  before: number,
): { countsAt: number; placesAt: number } {
  const { ordinals, counts, fieldCount, places, placeEnds } = columns
  let last = before
  for (let i = from; i < to; i++) {
    const ordinal = ordinals[i] as number
    writer.number(ordinal - last - 1)
    last = ordinal
  }
  const countsAt = writer.size
  if (fieldCount === 1) for (let i = from; i < to; i++) writer.number(counts[i] as number)
  else for (let i = from; i < to; i++) writeCounts(writer, counts, i * fieldCount, fieldCount)
  const placesAt = writer.size
  const start = from === 0 ? 0 : (placeEnds[from - 1] as number)
  if (to > from) writer.copy(places, start, placeEnds[to - 1] as number)
  return { countsAt, placesAt }
}

function writeCounts(writer: ByteWriter, counts: Int32Array, at: number, fieldCount: number): void {
  let mask = 0
  for (let field = 0; field < fieldCount; field++) if (counts[at + field] !== 0) mask += 2 ** field
  writer.number(mask)
  for (let field = 0; field < fieldCount; field++) {
    const count = counts[at + field] as number
    if (count !== 0) writer.number(count)
  }
}

/** Bounds of one block and field, one more than are kept. */
const boundCounts = new Int32Array(blockPostings + 1)
const boundLengths = new Float64Array(blockPostings + 1)

function writeBounds(columns: PostingColumns, from: number, to: number, lengths: Uint32Array): void {
  for (let field = 0; field < columns.fieldCount; field++) {
    const size = findBounds(columns, from, to, field, lengths)
    heads.number(size)
    for (let at = 0; at < size; at++) {
      heads.number(boundCounts[at] as number)
      heads.number(boundLengths[at] as number)
    }
  }
}

/** The bounds of a block of postings in memory, as a stored block has them. */
export function boundsOf(columns: PostingColumns, block: number, lengths: Uint32Array): number[] {
  const from = block * blockPostings
  const to = Math.min(columns.count, from + blockPostings)
  const bounds: number[] = []
  for (let field = 0; field < columns.fieldCount; field++) {
    const size = findBounds(columns, from, to, field, lengths)
    bounds.push(size)
    for (let at = 0; at < size; at++) bounds.push(boundCounts[at] as number, boundLengths[at] as number)
  }
  return bounds
}

/** Finds the bounds of postings in one field; returns how many there are. */
function findBounds(
  columns: PostingColumns,
  from: number,
  to: number,
  field: number,
  lengths: Uint32Array,
): number {
  const { ordinals, counts, fieldCount } = columns
  let size = 0
  for (let i = from; i < to; i++) {
    const count = counts[i * fieldCount + field] as number
    if (count === 0) continue
    size = addBound(size, count, lengths[(ordinals[i] as number) * fieldCount + field] as number)
  }
  for (; size > boundsMax; size--) {
    // The shorter length of the two; the count is the higher one already.
    const [one, other] = [boundLengths[size - 2] as number, boundLengths[size - 1] as number]
    boundCounts[size - 2] = boundCounts[size - 1] as number
    boundLengths[size - 2] = Math.min(one, other)
  }
  return size
}

/** Keeps what no other covers, by ascending counts (and so ascending lengths); returns how many there are. */
function addBound(size: number, count: number, length: number): number {
  for (let at = 0; at < size; at++) {
    if ((boundCounts[at] as number) >= count && (boundLengths[at] as number) <= length) return size
  }
  let kept = 0
  for (let at = 0; at < size; at++) {
    if ((boundCounts[at] as number) <= count && (boundLengths[at] as number) >= length) continue
    boundCounts[kept] = boundCounts[at] as number
    boundLengths[kept++] = boundLengths[at] as number
  }
  let place = kept
  for (; place > 0 && (boundCounts[place - 1] as number) > count; place--) {
    boundCounts[place] = boundCounts[place - 1] as number
    boundLengths[place] = boundLengths[place - 1] as number
  }
  boundCounts[place] = count
  boundLengths[place] = length
  return kept + 1
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

/** What reading a block takes. */
export type BlockPlace = Pick<PostingBlock, 'source' | 'count' | 'before' | 'ordinalsAt'>

/** The ordinals of a block; returns where its counts stand. */
export function readOrdinals(block: BlockPlace, ordinals: Int32Array): number {
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
  return at
}

/** The counts of a block, `fieldCount` for each posting. */
export function readBlockCounts(block: PostingBlock, counts: Int32Array, fieldCount: number): void {
  readCounts(block.source, block.countsAt, block.count, counts, fieldCount)
}

/** So many counts that stand there; returns where they end. */
export function readCounts(
  source: Buffer,
  countsAt: number,
  count: number,
  counts: Int32Array,
  fieldCount: number,
): number {
  let at = countsAt
  if (fieldCount === 1) {
    for (let i = 0; i < count; i++) {
      const byte = source[at++] as number
      counts[i] = byte
      if (byte < 0x80) continue
      // Most counts are below 128.
      const reader = new ByteReader(source, at - 1)
      counts[i] = reader.number()
      at = reader.at
    }
    return at
  }
  const reader = new ByteReader(source, at)
  for (let i = 0; i < count; i++) {
    const mask = reader.number()
    for (let field = 0; field < fieldCount; field++) {
      counts[i * fieldCount + field] = (mask >>> field) & 1 ? reader.number() : 0
    }
  }
  return reader.at
}

function skipCounts(reader: ByteReader, fieldCount: number): void {
  let mask = reader.number()
  if (fieldCount === 1) return
  for (; mask > 0; mask >>>= 1) if (mask & 1) reader.number()
}
