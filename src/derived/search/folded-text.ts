/**
 * A text as it is searched: composed (NFC), folded by one fixed table, and where each unit of it stood in the
 * original.
 *
 * Forms of full and half width count as the usual ones. A dot that folding leaves above an i (of İ) goes:
 * then İstanbul is found by istanbul. Nothing depends on a language or a locale.
 *
 * A text is worked on in clusters: a character, and what may join with it. No cluster touches its neighbour,
 * so the whole is the clusters one after the other, and a range of it is a range of whole clusters.
 */
import { fold } from '../../base/fold.js'
import { classes, classOf } from './characters.js'

/** A folded text with its places in the original. */
export interface FoldedText {
  readonly text: string
  /**
   * By unit of `text`: where the cluster that it came from begins and ends in the original. Undefined: every
   * unit stands where it stood.
   */
  readonly starts: Uint32Array | undefined
  readonly ends: Uint32Array | undefined
}

/**
 * Units after which a cluster ends, whatever follows: normalising takes time with their square. No writing
 * has so many marks on one character.
 */
const clusterUnitsMax = 256

/** Units of most texts: they join with nothing before them, and folding them is lower-casing. */
function isSimple(unit: number): boolean {
  if (unit < 0x80) return true
  if (unit >= 0xac00 && unit <= 0xd7a3) return true
  if (unit >= 0x4e00 && unit <= 0x9fff) return true
  if (unit >= 0x3041 && unit <= 0x30ff) return unit !== 0x3099 && unit !== 0x309a
  if (unit >= 0x3131 && unit <= 0x318e) return true
  return unit >= 0x2010 && unit <= 0x2027
}

/** The folded text, and its places. */
export function foldText(original: string): FoldedText {
  let at = 0
  while (at < original.length && isSimple(original.charCodeAt(at))) at++
  if (at === original.length) return { text: original.toLowerCase(), starts: undefined, ends: undefined }
  return foldClusters(original)
}

function foldClusters(original: string): FoldedText {
  const parts: string[] = []
  let starts = new Uint32Array(original.length + 16)
  let ends = new Uint32Array(original.length + 16)
  let size = 0
  for (let from = 0; from < original.length; ) {
    const to = clusterEnd(original, from)
    const folded = foldCluster(original.slice(from, to))
    parts.push(folded)
    if (size + folded.length > starts.length) {
      starts = grown(starts, size + folded.length)
      ends = grown(ends, size + folded.length)
    }
    starts.fill(from, size, size + folded.length)
    ends.fill(to, size, size + folded.length)
    size += folded.length
    from = to
  }
  return { text: parts.join(''), starts, ends }
}

function grown(places: Uint32Array<ArrayBuffer>, needed: number): Uint32Array<ArrayBuffer> {
  const more = new Uint32Array(2 * needed)
  more.set(places)
  return more
}

/** A character and what may join with it: marks, and the jamo that make one syllable. */
function clusterEnd(text: string, from: number): number {
  let at = from + unitsAt(text, from)
  const most = Math.min(text.length, from + clusterUnitsMax)
  while (at < most && joins(text.codePointAt(at) ?? 0)) at += unitsAt(text, at)
  return at
}

/** True if a character does not begin there: half of one, or what joins with what stands before it. */
export function joinsPrevious(text: string, at: number): boolean {
  const unit = text.charCodeAt(at)
  const isSecondHalf = unit >= 0xdc00 && unit <= 0xdfff && at > 0 && unitsAt(text, at - 1) === 2
  return isSecondHalf || joins(text.codePointAt(at) ?? 0)
}

function unitsAt(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
}

function joins(code: number): boolean {
  if (code < 0x300) return false
  // Vowels and final consonants of Hangul.
  if ((code >= 0x1160 && code <= 0x11ff) || (code >= 0xd7b0 && code <= 0xd7ff)) return true
  return classOf(code) === classes.mark
}

function foldCluster(cluster: string): string {
  const first = cluster.charCodeAt(0)
  if (cluster.length === 1 && isSimple(first)) return cluster.toLowerCase()
  const usual = first >= 0xff01 && first <= 0xff9d ? cluster.normalize('NFKC') : cluster.normalize('NFC')
  const folded = fold(usual).normalize('NFC')
  return folded.startsWith('i\u0307') ? `i${folded.slice(2)}` : folded
}
