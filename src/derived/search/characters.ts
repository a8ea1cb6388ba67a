/**
 * The class of each character: what runs of text are made of.
 *
 * Tables of our own, of one version of Unicode: a character that a newer engine knows as a letter separates
 * words here, on every Node.
 */
import { letterRanges, markRanges } from './word-characters.js'

/** Classes by name. */
export const classes = {
  /** Separates runs. */
  none: 0,
  /** Latin letters and ASCII digits. */
  latin: 1,
  /** Syllables and jamo. */
  hangul: 2,
  han: 3,
  kana: 4,
  /** Letters and numbers of other scripts. */
  other: 5,
  /** Belongs to the character before it. */
  mark: 6,
} as const

/** A class. */
export type CharacterClass = (typeof classes)[keyof typeof classes]

type Span = readonly [first: number, last: number, is: CharacterClass]

const scripts: readonly Span[] = [
  [0x30, 0x39, classes.latin],
  [0x41, 0x5a, classes.latin],
  [0x61, 0x7a, classes.latin],
  [0xaa, 0xaa, classes.latin],
  [0xba, 0xba, classes.latin],
  [0xc0, 0x24f, classes.latin],
  [0x250, 0x2b8, classes.latin],
  [0x1d00, 0x1d25, classes.latin],
  [0x1d2c, 0x1d5c, classes.latin],
  [0x1d62, 0x1d65, classes.latin],
  [0x1d6b, 0x1d77, classes.latin],
  [0x1d79, 0x1dbe, classes.latin],
  [0x1e00, 0x1eff, classes.latin],
  [0x2c60, 0x2c7f, classes.latin],
  [0xa722, 0xa7ff, classes.latin],
  [0xab30, 0xab64, classes.latin],
  [0xfb00, 0xfb06, classes.latin],
  [0x1100, 0x11ff, classes.hangul],
  [0x3131, 0x318e, classes.hangul],
  [0xa960, 0xa97f, classes.hangul],
  [0xac00, 0xd7a3, classes.hangul],
  [0xd7b0, 0xd7ff, classes.hangul],
  [0xffa0, 0xffdc, classes.hangul],
  [0x2e80, 0x2fd5, classes.han],
  [0x3005, 0x3007, classes.han],
  [0x3021, 0x3029, classes.han],
  [0x3038, 0x303b, classes.han],
  [0x3400, 0x4dbf, classes.han],
  [0x4e00, 0x9fff, classes.han],
  [0xf900, 0xfaff, classes.han],
  [0x20000, 0x3ffff, classes.han],
  [0x3041, 0x3096, classes.kana],
  [0x309d, 0x309f, classes.kana],
  [0x30a1, 0x30fa, classes.kana],
  [0x30fc, 0x30ff, classes.kana],
  [0x31f0, 0x31ff, classes.kana],
  [0xff66, 0xff9d, classes.kana],
  [0x1aff0, 0x1b16f, classes.kana],
]

const planes = 0x110000

/** Class by code point. */
const table = makeTable()

/** The class of a code point; surrogates separate. */
export function classOf(code: number): CharacterClass {
  return (table[code] ?? classes.none) as CharacterClass
}

function makeTable(): Uint8Array {
  const made = new Uint8Array(planes)
  fill(made, letterRanges, classes.other)
  for (const [first, last, is] of scripts) {
    for (let code = first; code <= last; code++) if (made[code] === classes.other) made[code] = is
  }
  // Voiced sound marks of half-width kana are letters to Unicode; they compose with the kana before them.
  fill(made, markRanges, classes.mark)
  made[0xff9e] = classes.mark
  made[0xff9f] = classes.mark
  return made
}

function fill(made: Uint8Array, ranges: string, is: CharacterClass): void {
  let at = 0
  for (const token of ranges.trim().split(/\s+/)) {
    const [distance = '', size = '1'] = token.split('-')
    at += parseInt(distance, 36)
    const count = parseInt(size, 36)
    made.fill(is, at, at + count)
    at += count - 1
  }
}
