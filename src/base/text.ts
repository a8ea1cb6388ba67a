/** Text as JavaScript holds it (UTF-16), and whether UTF-8 can hold it too. */

// Node 20 has it; the type library of ES2023 does not.
const { isWellFormed: wellFormed } = String.prototype as unknown as { isWellFormed(this: string): boolean }

/**
 * True unless the text holds half of a surrogate pair: then, and only then, UTF-8 gives it back as it was.
 */
export function isWellFormed(text: string): boolean {
  return wellFormed.call(text)
}
