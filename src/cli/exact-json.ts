/**
 * JSON without silent rounding: JavaScript reads every number as a double, so a whole number beyond 2^53 may
 * come out as another one. Such a text is refused, with the number as it was written.
 */
import { messageOf } from '../base/errors.js'

/** What a text holds, or why it is not taken. */
export type ExactJson = { readonly value: unknown } | { readonly fault: string }

/** Parses the text; a fault if it is no JSON, or holds a whole number that would be changed. */
export function parseExactJson(text: string): ExactJson {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return { fault: `not JSON: ${messageOf(error)}` }
  }
  const lost = lostInteger(text)
  if (lost === undefined) return { value }
  const advice = `up to ${Number.MAX_SAFE_INTEGER} every whole number can, beyond write it as a text`
  return { fault: `${lost} cannot be held exactly as a number: ${advice}` }
}

/** A whole number in the JSON text that would be rounded, if there is one. Cheap when no number is long. */
function lostInteger(text: string): string | undefined {
  if (!/\d{16}/.test(text)) return undefined
  const bare = text.replace(/"(?:[^"\\]|\\.)*"/g, '""')
  return bare
    .match(/(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g)
    ?.find(word => BigInt(word) !== BigInt(Number(word)))
}
