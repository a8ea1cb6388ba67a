/** Values of JSON as texts that are equal exactly if the values are: the order of fields does not matter. */
import type { Value } from './history.js'

/** The text of a value. */
export function textOf(value: Value): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (isList(value)) return `[${value.map(textOf).join()}]`
  const names = Object.keys(value).sort()
  return `{${names.map(name => `${JSON.stringify(name)}:${textOf(value[name] ?? null)}`).join()}}`
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

const charsShown = 80

/** The text of a value for a message; of a long one only the end, where lists differ. */
export function shown(value: Value): string {
  return ending(textOf(value))
}

/** The end of a text that may be too long for a message. */
export function ending(text: string): string {
  return text.length <= charsShown ? text : `…${text.slice(-charsShown)}`
}
