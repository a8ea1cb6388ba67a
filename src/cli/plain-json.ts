/**
 * Documents as lines of JSON that `import` takes: the same fields in the same order, every number as it is,
 * -0 included.
 *
 * JSON has neither dates nor bytes: a date becomes its ISO text, bytes become base64 text, and come back as
 * text. The writer counts them, so that nobody is left to believe that nothing was changed.
 */

/** Writes documents and counts what JSON could not hold as it was. */
export class PlainJson {
  /** Dates that became text so far. */
  dates = 0
  /** Values of bytes that became text so far. */
  bytes = 0

  /** The document on one line, without the line feed. */
  line(document: object): string {
    return this.#text(document)
  }

  #text(value: unknown): string {
    if (typeof value === 'number') return Object.is(value, -0) ? '-0' : JSON.stringify(value)
    if (typeof value !== 'object' || value === null) return JSON.stringify(value)
    if (value instanceof Date) {
      this.dates++
      return JSON.stringify(value)
    }
    if (value instanceof Uint8Array) {
      this.bytes++
      return JSON.stringify(Buffer.from(value).toString('base64'))
    }
    if (Array.isArray(value)) return `[${value.map(part => this.#text(part)).join(',')}]`
    const fields = Object.entries(value).map(([name, part]) => `${JSON.stringify(name)}:${this.#text(part)}`)
    return `{${fields.join(',')}}`
  }
}
