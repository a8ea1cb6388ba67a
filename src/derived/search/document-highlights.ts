/**
 * What of a document a question found: fragments of its fields, as the index reads them.
 */
import { limits } from '../../base/limits.js'
import { isPlainObject } from '../../codec/value.js'
import type { FieldPath } from '../secondary/field.js'
import { invalid, type SearchConfig } from './config.js'
import { fieldTexts, searchShape } from './document-parts.js'
import { type Fragment, type FragmentOptions, fragmentsOf } from './fragments.js'
import { Highlighter, type HighlighterOptions } from './highlight.js'

/** Which fragments of a document are shown. */
export interface HighlightOptions<Field extends string = string> {
  /** Some of the fields of the index; all if not given. */
  readonly fields?: readonly Field[] | undefined
  /** About so many characters (UTF-16 units) in a fragment: 20 to `limits.highlightUnitsMax`; 160. */
  readonly fragmentLength?: number | undefined
  /** So many fragments of each field at most: 1 to `limits.highlightFragmentsMax`; 3. */
  readonly fragments?: number | undefined
}

const allowed = ['fields', 'fragmentLength', 'fragments']
const defaults = { fragmentLength: 160, fragments: 3 } as const
const unitsMin = 20

/** Fragments of the documents that answer one question. */
export class DocumentHighlights {
  readonly #highlighter: Highlighter
  readonly #fields: readonly (readonly [name: string, path: FieldPath])[]
  readonly #options: FragmentOptions

  /** Throws INVALID for what the highlights cannot be, by its name. `config`: that of the index. */
  constructor(
    config: SearchConfig,
    text: string,
    question: HighlighterOptions,
    options: true | HighlightOptions = true,
  ) {
    checkHighlight(config, options)
    const { fields, ...given } = options === true ? {} : options
    const { fragmentLength = defaults.fragmentLength, fragments = defaults.fragments } = given
    this.#highlighter = new Highlighter(text, question)
    const paths = searchShape(config).fields
    this.#fields = config.fields
      .map(({ field }, at) => [field, paths[at] as FieldPath] as const)
      .filter(([field]) => fields?.includes(field) ?? true)
    this.#options = { count: fragments, units: fragmentLength }
  }

  /** By field, in the order of the index: its fragments; fields without one are left out. */
  of(document: Readonly<Record<string, unknown>>): Map<string, Fragment[]> {
    const found = new Map<string, Fragment[]>()
    for (const [field, path] of this.#fields) {
      const fragments: Fragment[] = []
      for (const text of fieldTexts(document, path)) {
        const count = this.#options.count - fragments.length
        if (count === 0) break
        const ranges = this.#highlighter.ranges(text)
        fragments.push(...fragmentsOf(text, ranges, { count, units: this.#options.units }))
      }
      if (fragments.length > 0) found.set(field, fragments)
    }
    return found
  }

  /** UTF-16 units of text that `of` looks through. */
  unitsOf(document: Readonly<Record<string, unknown>>): number {
    let units = 0
    for (const [, path] of this.#fields) for (const text of fieldTexts(document, path)) units += text.length
    return units
  }
}

function checkHighlight(config: SearchConfig, options: unknown): asserts options is true | HighlightOptions {
  if (options === true) return
  if (typeof options !== 'object' || options === null || !isPlainObject(options)) {
    throw invalid('highlight must be true, false, or an object')
  }
  for (const name of Object.keys(options)) {
    if (allowed.includes(name)) continue
    throw invalid(`unknown highlight.${name}; allowed are ${allowed.join(', ')}`)
  }
  const { fields, fragmentLength, fragments } = options as Record<string, unknown>
  checkCount('fragmentLength', fragmentLength, unitsMin, limits.highlightUnitsMax)
  checkCount('fragments', fragments, 1, limits.highlightFragmentsMax)
  if (fields === undefined) return
  const names = config.fields.map(({ field }) => field)
  if (!Array.isArray(fields) || fields.length === 0) {
    throw invalid(`highlight.fields must be a list of fields of the index: ${names.join(', ')}`)
  }
  for (const field of fields as unknown[]) {
    if ((names as unknown[]).includes(field)) continue
    throw invalid(
      `highlight.fields: ${JSON.stringify(field)} is no field of the index; it has ${names.join(', ')}`,
    )
  }
}

function checkCount(name: string, value: unknown, least: number, most: number): void {
  if (value === undefined) return
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return
  throw invalid(`highlight.${name} must be a whole number from ${least} to ${most}`)
}
