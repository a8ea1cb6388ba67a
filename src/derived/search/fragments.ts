/**
 * The pieces of a text that show what a question found in it.
 *
 * A piece is about as long as it is asked to be and begins and ends between words where one ends nearby, else
 * between characters, however these are composed. Every mark begins inside a piece or is not shown at all;
 * one that is longer than a piece is cut. Pieces do not overlap; where there are more marks than pieces can
 * show, those with the most marks are shown, in the order of the text.
 */
import { joinsPrevious } from './folded-text.js'

/** A range of UTF-16 units: from `start` to before `end`. */
export interface MarkedRange {
  readonly start: number
  readonly end: number
}

/** Some text of a piece. */
export interface FragmentPart {
  readonly text: string
  /** The question asks for it. */
  readonly isMarked: boolean
}

/** A piece of a text: its parts in their order, `…` among them where the text was cut. */
export type Fragment = readonly FragmentPart[]

/** How many pieces of one text there are at most, and about how many UTF-16 units each has. */
export interface FragmentOptions {
  readonly count: number
  readonly units: number
}

interface Piece {
  start: number
  end: number
  readonly ranges: MarkedRange[]
}

const ellipsis = '…'

/** The pieces of a text with these ranges (ascending, none touching another); none if there is no range. */
export function fragmentsOf(
  text: string,
  ranges: readonly MarkedRange[],
  { count, units }: FragmentOptions,
): Fragment[] {
  const best = piecesOf(text, ranges, units)
    .map((piece, at) => ({ piece, at }))
    .sort((a, b) => b.piece.ranges.length - a.piece.ranges.length || a.at - b.at)
    .slice(0, count)
    .sort((a, b) => a.at - b.at)
  return best.map(({ piece }) => partsOf(text, piece))
}

/** The piece as HTML: everything is escaped, marked parts stand in `<mark>`. */
export function fragmentHtml(fragment: Fragment): string {
  return fragment
    .map(({ text, isMarked }) => (isMarked ? `<mark>${escaped(text)}</mark>` : escaped(text)))
    .join('')
}

/** Each piece begins a little before the first mark that the piece before did not show. */
function piecesOf(text: string, ranges: readonly MarkedRange[], units: number): Piece[] {
  const pieces: Piece[] = []
  let last: Piece | undefined
  for (const range of ranges) {
    if (last !== undefined && range.start < last.end) {
      last.ranges.push(range)
      continue
    }
    const from = last?.end ?? 0
    // At the end of the text there is room before the mark.
    const wanted = Math.min(range.start - Math.floor(units / 4), Math.max(0, text.length - units))
    const start = beginning(text, Math.max(from, wanted), range.start)
    const end = ending(text, Math.min(text.length, start + units), Math.min(range.end, start + units))
    last = { start, end, ranges: [range] }
    pieces.push(last)
  }
  return pieces
}

/** A place from `at` to `most` behind a space, else between two characters. */
function beginning(text: string, at: number, most: number): number {
  if (at <= 0 || isSpace(text, at - 1)) return Math.max(0, at)
  for (let place = at; place < most; place++) if (isSpace(text, place)) return place + 1
  return characterStart(text, at)
}

/** A place down from `at` before a space, not before `least`, else between two characters. */
function ending(text: string, at: number, least: number): number {
  if (at >= text.length || isSpace(text, at)) return Math.min(at, text.length)
  for (let place = at - 1; place >= least; place--) if (isSpace(text, place)) return place
  const start = characterStart(text, at)
  // A character that is longer than the whole piece is not shown in halves, either.
  return start >= least ? start : characterEnd(text, at)
}

function characterStart(text: string, at: number): number {
  let start = at
  while (start > 0 && start < text.length && joinsPrevious(text, start)) start--
  return start
}

function characterEnd(text: string, at: number): number {
  let end = at
  while (end < text.length && joinsPrevious(text, end)) end++
  return end
}

function isSpace(text: string, at: number): boolean {
  const unit = text.charCodeAt(at)
  return unit === 0x20 || (unit >= 0x09 && unit <= 0x0d) || unit === 0x3000
}

function partsOf(text: string, { start, end, ranges }: Piece): Fragment {
  const parts: FragmentPart[] = []
  const add = (some: string, isMarked: boolean): void => {
    if (some !== '') parts.push({ text: some, isMarked })
  }
  let at = start
  add(start > 0 ? ellipsis : '', false)
  for (const range of ranges) {
    const to = Math.min(end, range.end)
    add(text.slice(at, range.start), false)
    add(text.slice(range.start, to), true)
    at = to
  }
  add(text.slice(at, end), false)
  add(end < text.length ? ellipsis : '', false)
  return parts
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, character => entities[character] ?? character)
}
