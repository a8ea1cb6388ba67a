/**
 * Which segments are merged when: eight neighbours of one size become one of the next size, with the smaller
 * ones that stand between them and behind.
 *
 * So each byte is written again once for each power of eight between a batch and the whole, and there are
 * never many segments. Sizes go by bytes, nothing else; the same segments give the same merges.
 */
import type { Manifest } from './manifest.js'
import { type MergeFacts, noRows } from './manifest.js'
import type { SegmentFacts } from './segment.js'

const fanOut = 8
const smallBytes = 16 * 1024
/** Work of one batch on one merge: so many times what the batch brought, and at least so much. */
const workFactor = 4
const workBytesMin = 256 * 1024

/** Bytes that a merge may write in a batch that brought so many. */
export function mergeWorkBytes(batchBytes: number, bytesMin = workBytesMin): number {
  return Math.max(bytesMin, workFactor * batchBytes)
}

/** The manifest with all merges that are due. */
export function withDueMerges(manifest: Manifest): Manifest {
  let planned = manifest
  for (let inputs = dueInputs(planned); inputs !== undefined; inputs = dueInputs(planned)) {
    const merge: MergeFacts = {
      id: planned.nextSegment,
      inputs: inputs.map(({ id }) => id),
      phase: 'documents',
      input: 0,
      ordinal: 0,
      term: '',
      rows: noRows,
      documents: 0,
      bytes: 0,
    }
    planned = { ...planned, nextSegment: planned.nextSegment + 1, merges: [...planned.merges, merge] }
  }
  return planned
}

/** Neighbours to be merged; undefined: none. */
function dueInputs({ segments, merges }: Manifest): readonly SegmentFacts[] | undefined {
  const busy = new Set(merges.flatMap(({ inputs }) => inputs))
  const tiers = segments.map(({ bytes }) => tierOf(bytes))
  const top = Math.max(0, ...tiers)
  for (let tier = 0; tier <= top; tier++) {
    let from = -1
    let count = 0
    for (let at = 0; at <= segments.length; at++) {
      const segment = segments[at]
      const own = tiers[at] ?? Number.POSITIVE_INFINITY
      if (segment === undefined || own > tier || busy.has(segment.id)) {
        if (count >= fanOut) return segments.slice(from, at)
        from = -1
        count = 0
      } else if (own === tier) {
        if (count === 0) from = at
        count++
      }
    }
  }
  return undefined
}

function tierOf(bytes: number): number {
  let tier = 0
  for (let most = smallBytes; bytes > most; most *= fanOut) tier++
  return tier
}
