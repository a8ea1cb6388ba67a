/**
 * Merges: neighbouring segments become one, some of it with each batch.
 *
 * The result is what its inputs are together: documents of theirs that went in one of them are not in it, nor
 * are their postings, nor what was counted of them as gone. So the number of documents that have a term,
 * those counted less those that went, is the same before and after.
 *
 * Until the manifest names the result, a merge is rows that nobody reads, and how far it has come.
 */

import { createHash } from 'node:crypto'
import { must } from '../../base/assert.js'
import type { IndexOps, IndexRows } from '../contract.js'
import { termKinds } from './analysis.js'
import { ByteReader } from './bytes.js'
import { mustFit } from './damage.js'
import type { MergeFacts } from './manifest.js'
import type { MergePlan } from './merge-plan.js'
import { PieceReader } from './piece-reader.js'
import { PostingColumns } from './postings.js'
import {
  digestText,
  isFullEntry,
  type SegmentFacts,
  SegmentWriter,
  termWork,
  workPerLook,
} from './segment.js'
import type { SegmentReader } from './segment-reader.js'
import { TermBytes } from './term-bytes.js'
import { TermWalk, WalksInOrder } from './term-walk.js'

/** Documents that are written between two looks at the clock. */
const documentsPerLook = 32

/** One merge on its way. */
export class Merge {
  readonly #inputs: readonly SegmentReader[]
  readonly #rows: IndexRows
  readonly #ops: IndexOps
  readonly #plan: MergePlan
  readonly #columns: PostingColumns
  readonly #piece: PieceReader

  /** Of segments side by side, with the plan for them. */
  constructor(
    inputs: readonly SegmentReader[],
    plan: MergePlan,
    fieldCount: number,
    rows: IndexRows,
    ops: IndexOps,
  ) {
    this.#inputs = inputs
    this.#plan = plan
    this.#rows = rows
    this.#ops = ops
    this.#columns = new PostingColumns(fieldCount)
    this.#piece = new PieceReader(fieldCount)
  }

  /** Goes on for about so many bytes; the segment that was made, or how far it has come. */
  async advance(facts: MergeFacts, bytesMax: number, pageBytes?: number): Promise<SegmentFacts | MergeFacts> {
    const writer = new SegmentWriter(this.#ops, facts.id, facts.rows, pageBytes)
    let next = facts
    if (next.phase === 'documents') next = await this.#copyDocuments(next, writer, bytesMax)
    let isDone = false
    if (next.phase === 'terms') {
      const term = await this.#mergeTerms(next.term, writer, bytesMax)
      isDone = term === undefined
      next = { ...next, term: term ?? next.term }
    }
    if (isDone) writer.went(this.#plan.went)
    writer.end()
    const bytes = facts.bytes + writer.bytes
    return isDone ? this.#result(next, writer, bytes) : { ...next, rows: writer.rows, bytes }
  }

  #result(facts: MergeFacts, writer: SegmentWriter, bytes: number): SegmentFacts {
    const inputs = this.#inputs.map(input => input.facts)
    return {
      id: facts.id,
      digest: digestText(
        createHash('sha256').update(['merge', ...inputs.map(({ digest }) => digest)].join('')),
      ),
      first: must(inputs[0], 'an input').first,
      end: must(inputs.at(-1), 'an input').end,
      documents: facts.documents,
      went: this.#plan.went.length,
      rows: writer.rows,
      bytes,
    }
  }

  async #copyDocuments(facts: MergeFacts, writer: SegmentWriter, bytesMax: number): Promise<MergeFacts> {
    let { input, ordinal, documents } = facts
    while (input < this.#inputs.length) {
      const reader = this.#inputs[input] as SegmentReader
      const ordinals = this.#plan.ordinals[input] as Int32Array
      const { numbers, source, keyStarts, keyEnds, ends } = reader.documents
      for (; ordinal < ordinals.length; ordinal++) {
        if (writer.bytes >= bytesMax) return { ...facts, input, ordinal, documents }
        if ((ordinals[ordinal] as number) < 0) continue
        const keyEnd = keyEnds[ordinal] as number
        const key = source.subarray(keyStarts[ordinal], keyEnd)
        writer.document(numbers[ordinal] as number, key, source.subarray(keyEnd, ends[ordinal]))
        documents++
        const late = documents % documentsPerLook === 0 ? this.#rows.pause() : undefined
        if (late !== undefined) await late
      }
      input++
      ordinal = 0
    }
    return { ...facts, phase: 'terms', input: 0, ordinal: 0, documents }
  }

  /** Goes on after that term; the last one that was written, undefined at the end of all. */
  async #mergeTerms(after: string, writer: SegmentWriter, bytesMax: number): Promise<string | undefined> {
    const walks = this.#inputs.map(reader => new TermWalk(reader, this.#rows, after))
    for (const walk of walks) await walk.begin()
    const inOrder = new WalksInOrder(walks)
    const lowest: number[] = []
    const term = new TermBytes()
    const columns = this.#columns
    let work = 0
    for (;;) {
      inOrder.lowest(lowest)
      const first = walks[lowest[0] ?? -1]
      if (first === undefined) return undefined
      if (writer.bytes >= bytesMax) return term.size === 0 ? after : term.toString()
      term.copyFrom(first.term)
      columns.clear()
      let went = 0
      for (const n of lowest) {
        const walk = walks[n] as TermWalk
        for (let isSame = true; isSame; isSame = !walk.isDone && walk.term.compare(term) === 0) {
          went += walk.went - this.#take(walk, this.#plan.ordinals[n] as Int32Array, writer)
          work += termWork + walk.documents
          if (work >= workPerLook) {
            work = 0
            await this.#rows.pause()
          }
          if (!walk.step()) await walk.nextPage()
        }
      }
      mustFit(went >= 0, () => `more documents with term ${term.toString()} went than were counted`)
      if (columns.count > 0 || went > 0) writer.term(term, went, columns, this.#plan.lengths)
    }
  }

  /** Takes the postings of the walk's entry that stay, and writes full entries; returns how many do not. */
  #take(walk: TermWalk, ordinals: Int32Array, writer: SegmentWriter): number {
    const { source, term } = walk
    const columns = this.#columns
    const hasPlaces = term.bytes[0] !== stemByte
    const piece = this.#piece
    piece.begin(source, walk.start, walk.end, walk.documents)
    let dropped = 0
    while (piece.next()) {
      let end = piece.placesAt
      for (let i = 0; i < piece.count; i++) {
        const start = end
        if (hasPlaces) end = placesEnd(source, start)
        const ordinal = ordinals[piece.ordinals[i] as number] as number
        if (ordinal < 0) {
          dropped++
          continue
        }
        if (isFullEntry(columns)) {
          writer.term(term, 0, columns, this.#plan.lengths)
          columns.clear()
        }
        columns.add(ordinal, piece.counts, i)
        columns.places.bytes(source, start, end)
        columns.end()
      }
    }
    return dropped
  }
}

/** Where the places end that begin there. */
function placesEnd(source: Buffer, start: number): number {
  const count = source[start] as number
  if (count === 1) {
    let at = start + 1
    while ((source[at++] as number) >= 0x80);
    return at
  }
  const reader = new ByteReader(source, start)
  reader.skipNumbers(reader.number())
  return reader.at
}

const stemByte = termKinds.stem.charCodeAt(0)
