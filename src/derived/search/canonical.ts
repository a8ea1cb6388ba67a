/**
 * What the rows of a search index say, as rows that do not depend on the batches in which documents came: two
 * indexes of the same documents agree in them.
 *
 *   'd' | key    lengths and filters, as they are stored with the document
 *   'm'          documents, and their length in each field, all together
 *   't' | term   documents that have the term, by the count that ranks and by their postings · digest of the
 *                postings in the order of the keys: each key's place among all, its counts, its places
 */
import { createHash } from 'node:crypto'
import type { IndexRow, IndexRows } from '../contract.js'
import { termKinds } from './analysis.js'
import { ByteReader, ByteWriter } from './bytes.js'
import { PieceReader } from './piece-reader.js'
import { blockPostings } from './postings.js'
import { TermBytes } from './term-bytes.js'
import { TermWalk, WalksInOrder } from './term-walk.js'
import type { SearchView, ViewedSegment } from './view.js'

const rowsPerPage = 1000

/** The rows of a view, in pages. */
export async function* canonicalRows(
  { manifest, segments }: SearchView,
  rows: IndexRows,
  fieldCount: number,
): AsyncGenerator<readonly IndexRow[]> {
  const ranks = segments.map(({ reader }) => new Int32Array(reader.facts.documents).fill(-1))
  const documents = liveDocuments(segments)
  const page: IndexRow[] = []
  for (const [rank, { key, segment, ordinal }] of documents.entries()) {
    const column = ranks[segment] as Int32Array
    column[ordinal] = rank
    const { source, keyEnds, ends } = (segments[segment] as ViewedSegment).reader.documents
    page.push([Buffer.concat([Buffer.from('d'), key]), source.subarray(keyEnds[ordinal], ends[ordinal])])
    if (page.length === rowsPerPage) yield page.splice(0)
  }
  const writer = new ByteWriter()
  for (const total of [manifest.documents, ...manifest.lengths]) writer.number(total)
  page.push([Buffer.from('m'), writer.taken()])
  const walks = segments.map(({ reader }) => new TermWalk(reader, rows, ''))
  for (const walk of walks) await walk.begin()
  const lowest: number[] = []
  const piece = new PieceReader(fieldCount)
  const inOrder = new WalksInOrder(walks)
  for (inOrder.lowest(lowest); lowest.length > 0; inOrder.lowest(lowest)) {
    const row = await termRow(lowest, walks, ranks, piece)
    if (row !== undefined) page.push(row)
    if (page.length >= rowsPerPage) yield page.splice(0)
  }
  if (page.length > 0) yield page
}

function liveDocuments(
  segments: readonly ViewedSegment[],
): { key: Buffer; segment: number; ordinal: number }[] {
  const live: { key: Buffer; segment: number; ordinal: number }[] = []
  for (const [segment, { reader, gone }] of segments.entries()) {
    for (let ordinal = 0; ordinal < reader.facts.documents; ordinal++) {
      if (gone?.[ordinal] !== 1) live.push({ key: reader.keyOf(ordinal), segment, ordinal })
    }
  }
  return live.sort((a, b) => a.key.compare(b.key))
}

/** The row of the term at which these walks stand; they step over it. Undefined if no document has it. */
async function termRow(
  lowest: readonly number[],
  walks: readonly TermWalk[],
  ranks: readonly Int32Array[],
  piece: PieceReader,
): Promise<IndexRow | undefined> {
  const postings: { rank: number; bytes: Buffer }[] = []
  let counted = 0
  const term = new TermBytes()
  term.copyFrom((walks[lowest[0] as number] as TermWalk).term)
  for (const n of lowest) {
    const walk = walks[n] as TermWalk
    while (!walk.isDone && walk.term.compare(term) === 0) {
      counted += walk.documents - walk.went
      collect(postings, walk, ranks[n] as Int32Array, piece)
      if (!walk.step()) await walk.nextPage()
    }
  }
  if (postings.length === 0 && counted === 0) return undefined
  const hash = createHash('sha256')
  postings.sort((a, b) => a.rank - b.rank)
  for (const { bytes } of postings) hash.update(bytes)
  const head = Buffer.alloc(8)
  head.writeInt32BE(counted)
  head.writeInt32BE(postings.length, 4)
  const key = Buffer.concat([Buffer.from('t'), term.bytes.subarray(0, term.size)])
  return [key, Buffer.concat([head, hash.digest().subarray(0, 16)])]
}

function collect(
  postings: { rank: number; bytes: Buffer }[],
  { source, start, end, documents, term }: TermWalk,
  ranks: Int32Array,
  piece: PieceReader,
): void {
  const hasPlaces = term.bytes[0] !== stemByte
  const { counts, ordinals } = piece
  const fieldCount = counts.length / blockPostings
  const writer = new ByteWriter()
  piece.begin(source, start, end, documents)
  while (piece.next()) {
    const reader = new ByteReader(source, piece.placesAt)
    for (let i = 0; i < piece.count; i++) {
      const from = reader.at
      if (hasPlaces) reader.skipNumbers(reader.number())
      const rank = ranks[ordinals[i] as number] as number
      if (rank < 0) continue
      writer.number(rank)
      for (let field = 0; field < fieldCount; field++) writer.number(counts[i * fieldCount + field] as number)
      writer.bytes(source, from, reader.at)
      postings.push({ rank, bytes: writer.taken() })
    }
  }
}

const stemByte = termKinds.stem.charCodeAt(0)
