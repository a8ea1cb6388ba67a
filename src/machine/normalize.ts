/**
 * When two texts count as the same unique value: named steps, applied in the order given.
 *
 *   trim   takes Unicode's White_Space from both ends
 *   nfc    canonical composition: 한 of one code point or of three is the same
 *   nfkc   compatibility composition: also half-width forms, ligatures, circled digits
 *   fold   full case folding (CaseFolding.txt C and F of one fixed version of Unicode), then nfc again: not a
 *          language's lower-casing (ß is ss; Turkish i is not special)
 *
 * The rule's name holds all that the result depends on and is stored with each claim: same name, same result,
 * in every release and on every Node. Only nfc and nfkc come from the JavaScript engine: they are stable for
 * all characters that were assigned when the engine was built. Values other than text pass unchanged.
 */
import { caseFoldingVersion } from '../base/case-folding.js'
import { SillokError } from '../base/errors.js'
import { fold } from '../base/fold.js'

/** The steps by name. */
export const normalizeSteps = ['trim', 'nfc', 'nfkc', 'fold'] as const

/** One of the steps. */
export type NormalizeStep = (typeof normalizeSteps)[number]

/** The version of the steps' meaning; a change of any of them raises it. */
export const normalizeVersion = 1

/** Gives the normal form of a value. */
export type Normalizer = (value: unknown) => unknown

/** The steps, checked: a list of known names, none twice, else INVALID. */
export function parseSteps(value: unknown): readonly NormalizeStep[] {
  if (!Array.isArray(value)) throw new SillokError('INVALID', 'normalize is a list of steps')
  for (const [i, step] of value.entries()) {
    if (!normalizeSteps.includes(step as NormalizeStep)) {
      const known = normalizeSteps.join(', ')
      throw new SillokError(
        'INVALID',
        `normalize: no step is named ${JSON.stringify(step)}; there are ${known}`,
      )
    }
    if (value.indexOf(step) !== i)
      throw new SillokError('INVALID', `normalize: the step ${step} is given twice`)
  }
  return value as NormalizeStep[]
}

/** The rule's name, for the record of a claim: `1:trim+nfc+fold/15.0`. */
export function ruleName(steps: readonly NormalizeStep[]): string {
  return `${normalizeVersion}:${steps.join('+')}/${caseFoldingVersion}`
}

/** The steps as one function. It reads nothing but its argument. */
export function normalizer(steps: readonly NormalizeStep[]): Normalizer {
  if (steps.length === 0) return value => value
  const trims = steps.includes('trim')
  const folds = steps.includes('fold')
  return value => {
    if (typeof value !== 'string') return value
    if (isAscii(value)) {
      // Of ASCII, both trims take the same characters, and folding is lower-casing; the order does not
      // matter.
      const trimmed = trims ? value.trim() : value
      return folds ? trimmed.toLowerCase() : trimmed
    }
    let text = value
    for (const step of steps) text = apply(step, text)
    return text
  }
}

function apply(step: NormalizeStep, text: string): string {
  switch (step) {
    case 'trim':
      return trim(text)
    case 'nfc':
      return text.normalize('NFC')
    case 'nfkc':
      return text.normalize('NFKC')
    case 'fold':
      return fold(text).normalize('NFC')
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false
  return true
}

/** White_Space of Unicode: unlike JavaScript's trim it takes U+0085 and leaves U+FEFF. Stable since 6.3. */
function isSpace(unit: number): boolean {
  if (unit <= 0x20) return unit === 0x20 || (unit >= 0x09 && unit <= 0x0d)
  if (unit < 0x1680) return unit === 0x85 || unit === 0xa0
  if (unit < 0x2000) return unit === 0x1680
  return (
    unit <= 0x200a ||
    unit === 0x2028 ||
    unit === 0x2029 ||
    unit === 0x202f ||
    unit === 0x205f ||
    unit === 0x3000
  )
}

function trim(text: string): string {
  let from = 0
  let to = text.length
  while (from < to && isSpace(text.charCodeAt(from))) from++
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}
