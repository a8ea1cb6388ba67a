/**
 * A search index as of one manifest: its segments, opened, and which of their documents went.
 *
 * Made of rows that the manifest names, so the same manifest gives the same view.
 */

import type { IndexRows } from '../contract.js'
import { mustFit } from './damage.js'
import { type Manifest, readManifest } from './manifest.js'
import type { SegmentCache } from './segment-cache.js'
import type { SegmentReader } from './segment-reader.js'

/** One segment of a view. */
export interface ViewedSegment {
  readonly reader: SegmentReader
  /** By ordinal 1 for documents that went; undefined: none did. */
  readonly gone: Uint8Array | undefined
}

/** What a question is put to. */
export interface SearchView {
  readonly manifest: Manifest
  readonly segments: readonly ViewedSegment[]
}

/** Gives views, and keeps the last one. */
export class Views {
  readonly #cache: SegmentCache
  readonly #fieldCount: number
  #last: { readonly bytes: Buffer; readonly view: SearchView } | undefined

  constructor(cache: SegmentCache, fieldCount: number) {
    this.#cache = cache
    this.#fieldCount = fieldCount
  }

  /** The index as these rows have it. */
  async view(rows: IndexRows): Promise<SearchView> {
    const { manifest, bytes } = await readManifest(rows, this.#fieldCount)
    if (this.#last?.bytes.equals(bytes)) return this.#last.view
    const readers = await this.#cache.open(manifest.segments, rows)
    const view: SearchView = { manifest, segments: withGone(readers) }
    this.#last = { bytes, view }
    return view
  }
}

function withGone(readers: readonly SegmentReader[]): ViewedSegment[] {
  const gone = new Map<SegmentReader, Uint8Array>()
  for (const { went } of readers) {
    for (const number of went) {
      const reader = holderOf(readers, number)
      const ordinal = reader?.ordinalOf(number)
      mustFit(reader !== undefined && ordinal !== undefined, () => `document ${number} went, and is nowhere`)
      let flags = gone.get(reader)
      if (flags === undefined) {
        flags = new Uint8Array(reader.facts.documents)
        gone.set(reader, flags)
      }
      flags[ordinal] = 1
    }
  }
  return readers.map(reader => ({ reader, gone: gone.get(reader) }))
}

/** The segment whose numbers this is one of. */
function holderOf(readers: readonly SegmentReader[], number: number): SegmentReader | undefined {
  let low = 0
  let high = readers.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((readers[middle] as SegmentReader).facts.end <= number) low = middle + 1
    else high = middle
  }
  return readers[low]
}
