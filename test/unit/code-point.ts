/**
 * One code point that is no half of a surrogate pair, for random texts: `fc.string({ unit: anyCodePoint })`
 * draws what `unit: 'binary'` draws, seed by seed, without its table of a million texts, which takes each
 * process a second.
 */
import fc from 'fast-check'

const firstHalf = 0xd800
const halves = 0x800

export const anyCodePoint: fc.Arbitrary<string> = fc
  .nat({ max: 0x10ffff - halves })
  .map(number => String.fromCodePoint(number < firstHalf ? number : number + halves), numberOf)

/** The way back, by which words that are dangerous to a program get into the texts. */
function numberOf(text: unknown): number {
  const code = typeof text === 'string' ? text.codePointAt(0) : undefined
  if (code === undefined || text !== String.fromCodePoint(code)) throw new Error('not one code point')
  if (code >= firstHalf && code < firstHalf + halves) throw new Error('half of a pair')
  return code < firstHalf ? code : code - halves
}
