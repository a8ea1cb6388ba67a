/**
 * The manifest: the one row that says what the index is made of. It is replaced by each batch that changes
 * anything; what it does not name does not count.
 *
 *   'm' -> number of the next document · of the next segment · documents · their length in each field, all
 *          together · how many segments, then each, the oldest first · how many merges, then each ·
 *          how many segments to clear away, then each as id and how many rows of each kind
 *
 *   segment: id · 8 bytes digest · first number · end · documents · documents that went · rows: documents,
 *            terms, index, went · bytes
 *   merge:   id of the segment that it makes · how many inputs, their ids · 1 while documents are copied,
 *            else 2 · input and ordinal that come next · the last term that was written, a text · rows so
 *            far, as above · documents so far · bytes so far
 */
import type { IndexRows } from '../contract.js'
import { ByteReader, ByteWriter } from './bytes.js'
import type { RowCounts, SegmentFacts } from './segment.js'

/** A merge that is on its way. */
export interface MergeFacts {
  /** The segment that it makes. */
  readonly id: number
  /** Neighbours, the oldest first. */
  readonly inputs: readonly number[]
  readonly phase: 'documents' | 'terms'
  /** While documents are copied: what comes next. */
  readonly input: number
  readonly ordinal: number
  /** All terms up to this one are written; empty: none. */
  readonly term: string
  readonly rows: RowCounts
  readonly documents: number
  readonly bytes: number
}

/** Rows of a segment that is used no more, still to be deleted. */
export interface Leftover {
  readonly id: number
  readonly rows: RowCounts
}

/** What an index is made of. */
export interface Manifest {
  readonly nextDocument: number
  readonly nextSegment: number
  /** Documents with a term. */
  readonly documents: number
  /** Of all documents together, by field. */
  readonly lengths: readonly number[]
  readonly segments: readonly SegmentFacts[]
  readonly merges: readonly MergeFacts[]
  readonly leftovers: readonly Leftover[]
}

/** The key of the manifest. */
export const manifestKey = Buffer.from('m')

/** No rows of any kind. */
export const noRows: RowCounts = { documents: 0, terms: 0, index: 0, went: 0 }

/** The stored manifest, and its bytes; the empty one if nothing was written. */
export async function readManifest(
  rows: IndexRows,
  fieldCount: number,
): Promise<{ manifest: Manifest; bytes: Buffer }> {
  const [stored] = await rows.getMany([manifestKey])
  const bytes = stored ?? Buffer.alloc(0)
  return { manifest: decodeManifest(bytes, fieldCount), bytes }
}

function emptyManifest(fieldCount: number): Manifest {
  const lengths = new Array<number>(fieldCount).fill(0)
  return { nextDocument: 1, nextSegment: 1, documents: 0, lengths, segments: [], merges: [], leftovers: [] }
}

/** The value of the row. */
export function encodeManifest(manifest: Manifest): Buffer {
  const writer = new ByteWriter()
  writer.number(manifest.nextDocument)
  writer.number(manifest.nextSegment)
  writer.number(manifest.documents)
  for (const length of manifest.lengths) writer.number(length)
  writer.number(manifest.segments.length)
  for (const segment of manifest.segments) {
    writer.number(segment.id)
    writer.bytes(Buffer.from(segment.digest, 'hex'))
    for (const value of [segment.first, segment.end, segment.documents, segment.went]) writer.number(value)
    writeRows(writer, segment.rows)
    writer.number(segment.bytes)
  }
  writer.number(manifest.merges.length)
  for (const merge of manifest.merges) {
    writer.number(merge.id)
    writer.number(merge.inputs.length)
    for (const input of merge.inputs) writer.number(input)
    writer.number(merge.phase === 'documents' ? 1 : 2)
    writer.number(merge.input)
    writer.number(merge.ordinal)
    writer.text(merge.term)
    writeRows(writer, merge.rows)
    writer.number(merge.documents)
    writer.number(merge.bytes)
  }
  writer.number(manifest.leftovers.length)
  for (const { id, rows } of manifest.leftovers) {
    writer.number(id)
    writeRows(writer, rows)
  }
  return writer.taken()
}

/** The manifest of the value. */
export function decodeManifest(bytes: Buffer, fieldCount: number): Manifest {
  if (bytes.length === 0) return emptyManifest(fieldCount)
  const reader = new ByteReader(bytes)
  const list = <T>(read: () => T): T[] => Array.from({ length: reader.number() }, read)
  return {
    nextDocument: reader.number(),
    nextSegment: reader.number(),
    documents: reader.number(),
    lengths: Array.from({ length: fieldCount }, () => reader.number()),
    segments: list(() => readSegment(reader)),
    merges: list(() => readMerge(reader)),
    leftovers: list(() => ({ id: reader.number(), rows: readRows(reader) })),
  }
}

function readSegment(reader: ByteReader): SegmentFacts {
  const id = reader.number()
  reader.at += 8
  return {
    id,
    digest: reader.source.toString('hex', reader.at - 8, reader.at),
    first: reader.number(),
    end: reader.number(),
    documents: reader.number(),
    went: reader.number(),
    rows: readRows(reader),
    bytes: reader.number(),
  }
}

function readMerge(reader: ByteReader): MergeFacts {
  return {
    id: reader.number(),
    inputs: Array.from({ length: reader.number() }, () => reader.number()),
    phase: reader.number() === 1 ? 'documents' : 'terms',
    input: reader.number(),
    ordinal: reader.number(),
    term: reader.text(),
    rows: readRows(reader),
    documents: reader.number(),
    bytes: reader.number(),
  }
}

function writeRows(writer: ByteWriter, rows: RowCounts): void {
  for (const count of [rows.documents, rows.terms, rows.index, rows.went]) writer.number(count)
}

function readRows(reader: ByteReader): RowCounts {
  return {
    documents: reader.number(),
    terms: reader.number(),
    index: reader.number(),
    went: reader.number(),
  }
}
