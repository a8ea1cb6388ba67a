/**
 * Words of the command line as values: one of each option, whole numbers where numbers are asked for, JSON,
 * keys. What does not fit is a UsageError or INVALID that names the option; nothing is guessed.
 */
import { SillokError } from '../base/errors.js'
import type { DocumentKey, TupleValue } from '../base/tuple.js'
import type { Arguments } from './command.js'
import { parseExactJson } from './exact-json.js'
import { UsageError } from './usage.js'

/** Stands before a word that yargs must not take for an option. No argument of a process can hold this. */
const shield = '\0'

/**
 * The words as yargs may have them; the functions below turn them back. A lone `-` is a word, and after `--`
 * every word is one.
 */
export function shieldDashes(words: readonly string[]): string[] {
  const end = words.indexOf('--')
  const before = end < 0 ? words : words.slice(0, end)
  const behind = end < 0 ? [] : words.slice(end + 1)
  return [
    ...before.map(word => (word === '-' ? shield + word : word)),
    ...behind.map(word => (word.startsWith('-') ? shield + word : word)),
  ]
}

/** The text as it was before `shieldDashes`. */
export function unshield(text: string): string {
  return text.replaceAll(shield, '')
}

/** The text of an option or positional; undefined when it was not given. Given twice is an error. */
export function textOf(given: Arguments, name: string): string | undefined {
  const value = given[name]
  if (value === undefined) return undefined
  if (Array.isArray(value)) throw new UsageError(`--${name} is given ${value.length} times`)
  return unshield(String(value))
}

/** The text of what must be there. */
export function neededText(given: Arguments, name: string): string {
  const text = textOf(given, name)
  if (text === undefined || text === '') throw new UsageError(`<${name}> is missing`)
  return text
}

/** All words of a positional that takes several. */
export function textsOf(given: Arguments, name: string): string[] {
  const value = given[name]
  if (value === undefined) return []
  return (Array.isArray(value) ? (value as unknown[]) : [value]).map(word => unshield(String(word)))
}

/** True when the flag was given. */
export function isGiven(given: Arguments, name: string): boolean {
  return given[name] === true
}

/** A whole number of at least `least`; undefined when it was not given. */
export function countOf(given: Arguments, name: string, least = 0): number | undefined {
  const text = textOf(given, name)
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value
  throw new UsageError(`--${name} is a whole number from ${least}, not ${text}`)
}

/** A key of a document as written: text, or with `--number` a whole number. */
export function keyOf(word: string, isNumber: boolean): DocumentKey {
  if (!isNumber) return word
  const value = Number(word)
  if (/^-?\d+$/.test(word) && Number.isSafeInteger(value)) return value
  throw new UsageError(`--number: a key is a whole number, not ${word}`)
}

/**
 * A value to be looked up: as JSON, and a word that is no JSON is text. INVALID for a number that could not
 * be held exactly.
 */
export function lookupValue(word: string): TupleValue {
  try {
    JSON.parse(word)
  } catch {
    return word
  }
  return parseJson(word, 'a value') as TupleValue
}

/** The value that the JSON text holds, exactly; INVALID says what it was to be, and why it is not. */
export function parseJson(text: string, what: string): unknown {
  const read = parseExactJson(text)
  if ('fault' in read) throw new SillokError('INVALID', `${what}: ${read.fault}`)
  return read.value
}

/** What standard input holds, whole: for a document or a definition, not for an import. */
export async function readInput(limitBytes: number): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of process.stdin as AsyncIterable<Buffer>) {
    parts.push(part)
    bytes += part.length
    if (bytes > limitBytes)
      throw new SillokError('TOO_LARGE', `standard input holds over ${limitBytes} bytes`)
  }
  return Buffer.concat(parts).toString('utf8')
}
