/**
 * Changes on their way into a search index: one segment for the batch, some work on merges, a new manifest.
 */

import { createHash } from 'node:crypto'
import { must } from '../../base/assert.js'
import type { IndexChange, IndexOps, IndexRows, KeyedDocument } from '../contract.js'
import type { AnalysisOptions } from './analysis.js'
import { BatchTerms } from './batch-terms.js'
import { ByteWriter } from './bytes.js'
import { bodyTexts, decodeNote, documentParts, type SearchShape } from './document-parts.js'
import {
  encodeManifest,
  type Leftover,
  type Manifest,
  manifestKey,
  noRows,
  readManifest,
} from './manifest.js'
import { Merge } from './merge.js'
import { planOf } from './merge-plan.js'
import { mergeWorkBytes, withDueMerges } from './merge-policy.js'
import { digestText, rowKinds, type SegmentFacts, SegmentWriter, segmentKey } from './segment.js'
import type { SegmentCache } from './segment-cache.js'
import type { Pause } from './sorted-texts.js'

/** Rows of segments that are used no more, deleted with one batch. */
const leftoverRowsMax = 2000

/** How an index is kept, to measure and to test. */
export interface SearchOptions extends AnalysisOptions {
  /** Bytes of a row that is full. */
  readonly pageBytes?: number
  /** Bytes that a merge may write with any batch. */
  readonly mergeBytesMin?: number
}

/** What applying works with. */
export interface SearchWriter {
  readonly shape: SearchShape
  readonly options: SearchOptions
  readonly cache: SegmentCache
}

/** Turns changes into operations. */
export async function applyChanges(
  writer: SearchWriter,
  changes: readonly IndexChange[],
  rows: IndexRows,
  ops: IndexOps,
): Promise<void> {
  const fieldCount = writer.shape.fields.length
  const { manifest, bytes } = await readManifest(rows, fieldCount)
  const planned = withDueMerges(manifest)
  const batch = new Batch(writer, planned, ops)
  const pause = (): Promise<void> | undefined => rows.pause()
  for (const change of changes) {
    batch.take(change)
    const late = pause()
    if (late !== undefined) await late
  }
  const segment = await batch.end(pause)
  let next = await advanceMerges(writer, planned, segment?.bytes ?? 0, rows, ops)
  next = clearLeftovers(next, ops)
  if (segment !== undefined) next = batch.added(next, segment)
  const encoded = encodeManifest(next)
  if (!encoded.equals(bytes) && (segment !== undefined || bytes.length > 0)) ops.put(manifestKey, encoded)
}

/** The documents of one batch. */
class Batch {
  readonly #shape: SearchShape
  readonly #manifest: Manifest
  readonly #ops: IndexOps
  readonly #terms: BatchTerms
  readonly #writer: SegmentWriter
  readonly #digest = createHash('sha256')
  readonly #went: number[] = []
  readonly #lengths: number[]
  readonly #parts = new ByteWriter()
  readonly #rest = new ByteWriter()
  #documents = 0

  constructor({ shape, options }: SearchWriter, manifest: Manifest, ops: IndexOps) {
    this.#shape = shape
    this.#manifest = manifest
    this.#ops = ops
    this.#terms = new BatchTerms(shape.fields.length, options)
    this.#lengths = [...manifest.lengths]
    const hashed: IndexOps = {
      ...noOps,
      put: (key, value) => {
        this.#digest.update(value)
        ops.put(key, value)
      },
    }
    this.#writer = new SegmentWriter(hashed, manifest.nextSegment, noRows, options.pageBytes)
  }

  /** Takes back what the document gave, and takes what it gives now. */
  take(change: IndexChange): void {
    const { note } = change
    const number = this.#manifest.nextDocument + this.#documents
    const before = note === undefined ? undefined : decodeNote(note)
    const now = hasDocument(change) ? documentParts(this.#shape, change, number, this.#parts) : undefined
    if (before !== undefined && now?.body.equals(before.body) === true) return
    if (before !== undefined) {
      this.#add(this.#terms.remove(bodyTexts(before.body, this.#lengths.length)), -1)
      this.#went.push(before.number)
    }
    const lengths = now === undefined ? undefined : this.#terms.add(now.texts)
    if (now === undefined || lengths === undefined) {
      if (before !== undefined) this.#ops.note(change, undefined)
      return
    }
    this.#add(lengths, 1)
    this.#rest.clear()
    for (const length of lengths) this.#rest.number(length)
    this.#rest.bytes(now.filters)
    this.#writer.document(number, change.keyBytes, this.#rest.view())
    this.#documents++
    this.#ops.note(change, now.note)
  }

  /** Writes the rest of the segment; undefined if nothing changed. */
  async end(pause: Pause): Promise<SegmentFacts | undefined> {
    if (this.#documents === 0 && this.#went.length === 0) return undefined
    const { nextSegment: id, nextDocument: first } = this.#manifest
    const writer = this.#writer
    await this.#terms.write(writer, pause)
    writer.went(this.#went.sort((a, b) => a - b))
    writer.end()
    return {
      id,
      digest: digestText(this.#digest),
      first,
      end: first + this.#documents,
      documents: this.#documents,
      went: this.#went.length,
      rows: writer.rows,
      bytes: writer.bytes,
    }
  }

  /** The manifest with the segment. */
  added(manifest: Manifest, segment: SegmentFacts): Manifest {
    return {
      ...manifest,
      nextDocument: segment.end,
      nextSegment: segment.id + 1,
      documents: manifest.documents + segment.documents - segment.went,
      lengths: this.#lengths,
      segments: [...manifest.segments, segment],
    }
  }

  #add(lengths: readonly number[], sign: 1 | -1): void {
    for (const [field, length] of lengths.entries()) {
      this.#lengths[field] = (this.#lengths[field] as number) + sign * length
    }
  }
}

function hasDocument(change: IndexChange): change is IndexChange & KeyedDocument {
  return change.document !== undefined
}

const noOps: IndexOps = { put() {}, delete() {}, note() {} }

/** Goes on with each merge. The rows are those before this batch, and so are the segments. */
async function advanceMerges(
  { cache, shape, options }: SearchWriter,
  manifest: Manifest,
  batchBytes: number,
  rows: IndexRows,
  ops: IndexOps,
): Promise<Manifest> {
  let next = manifest
  for (const facts of manifest.merges) {
    const inputs = facts.inputs.map(id =>
      must(
        next.segments.find(segment => segment.id === id),
        'a segment that is merged',
      ),
    )
    const fieldCount = shape.fields.length
    const opened = await cache.open(inputs, rows)
    const plan = await planOf(opened, fieldCount, () => rows.pause())
    const merge = new Merge(opened, plan, fieldCount, rows, ops)
    const work = mergeWorkBytes(batchBytes, options.mergeBytesMin)
    const made = await merge.advance(facts, work, options.pageBytes)
    const merges = next.merges.filter(({ id }) => id !== facts.id)
    if (!('digest' in made)) {
      next = { ...next, merges: next.merges.map(one => (one.id === made.id ? made : one)) }
      continue
    }
    const at = next.segments.findIndex(({ id }) => id === facts.inputs[0])
    const segments = [...next.segments]
    segments.splice(at, inputs.length, made)
    const leftovers: Leftover[] = inputs.map(input => ({ id: input.id, rows: input.rows }))
    next = { ...next, segments, merges, leftovers: [...next.leftovers, ...leftovers] }
  }
  cache.keepOnly(next.segments)
  return next
}

/** Deletes some rows of what was merged before. */
function clearLeftovers(manifest: Manifest, ops: IndexOps): Manifest {
  const leftovers = [...manifest.leftovers]
  let left = leftoverRowsMax
  for (let one = leftovers.shift(); one !== undefined; one = leftovers.shift()) {
    const rows = { ...one.rows }
    for (const kind of Object.keys(rowKinds) as (keyof typeof rowKinds)[]) {
      for (; rows[kind] > 0 && left > 0; left--) {
        rows[kind]--
        ops.delete(segmentKey(one.id, rowKinds[kind], rows[kind]))
      }
    }
    if (left > 0) continue
    leftovers.unshift({ id: one.id, rows })
    break
  }
  return { ...manifest, leftovers }
}
