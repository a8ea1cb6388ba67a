/**
 * What a search index takes from a document: the texts of its fields and the values of its filters; and the
 * note that keeps them, so that what the document gave can be taken back.
 *
 *   note   number of the document · for each field: how many texts, each a block · for each filter: how many
 *          values, each a block (a tuple element), ascending, each once
 *
 * A field holds a text or a list of texts; whatever else it holds is not searched. A filter's value may be
 * anything that has a place in the order of tuples; of a list each element counts. A missing one is null.
 */
import { SillokError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { KeyedDocument } from '../contract.js'
import { type FieldPath, fieldPath, fieldValue, orderedBytes } from '../secondary/field.js'
import { ByteReader, ByteWriter } from './bytes.js'
import type { SearchConfig } from './config.js'

/** The fields of an index, ready for reading documents. */
export interface SearchShape {
  readonly fields: readonly FieldPath[]
  readonly filters: readonly FieldPath[]
}

/** Bytes of one document's filter values, together. */
const filterBytesMax = 64 * 1024

/** What a document gives. */
export interface DocumentParts {
  /** By field. */
  readonly texts: readonly (readonly string[])[]
  /** The note, as the bytes that were handed in hold it: only until they are written again. */
  readonly note: Buffer
  /** The note without the number: two forms of a document that agree in it are the same to the index. */
  readonly body: Buffer
  /** The last bytes of `body`: the filters. */
  readonly filters: Buffer
}

/** The shape of an index. */
export function searchShape(config: SearchConfig): SearchShape {
  return {
    fields: config.fields.map(({ field }) => fieldPath(field)),
    filters: config.filters.map(fieldPath),
  }
}

/**
 * The parts of a document, with a note that says that number. TOO_LARGE if they take more than a row, or a
 * filter's values are too long. `writer` is written anew.
 */
export function documentParts(
  shape: SearchShape,
  keyed: KeyedDocument,
  number: number,
  writer = new ByteWriter(),
): DocumentParts {
  const { document } = keyed
  writer.clear()
  writer.number(number)
  const bodyAt = writer.size
  const texts = shape.fields.map(path => fieldTexts(document, path))
  for (const list of texts) {
    writer.number(list.length)
    for (const text of list) writer.text(text)
  }
  const filtersAt = writer.size
  for (const path of shape.filters) {
    const values = filterValues(keyed, path)
    writer.number(values.length)
    for (const value of values) writer.block(value)
  }
  if (writer.size - filtersAt > filterBytesMax) {
    throw tooLarge(keyed, 'values of filters', writer.size - filtersAt, filterBytesMax)
  }
  // A number takes 8 bytes at most.
  const bodyMax = limits.indexValueBytesMax - 8
  if (writer.size - bodyAt > bodyMax)
    throw tooLarge(keyed, 'text in one index', writer.size - bodyAt, bodyMax)
  const note = writer.view()
  return { texts, note, body: note.subarray(bodyAt), filters: note.subarray(filtersAt) }
}

/** The texts of a field in their order. */
export function fieldTexts(document: Readonly<Record<string, unknown>>, path: FieldPath): readonly string[] {
  const value = fieldValue(document, path)
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter(one => typeof one === 'string') : []
}

/** What the note says. */
export function decodeNote(note: Buffer): { number: number; body: Buffer } {
  const reader = new ByteReader(note)
  const number = reader.number()
  return { number, body: note.subarray(reader.at) }
}

/** The texts that a body keeps. */
export function bodyTexts(body: Buffer, fieldCount: number): string[][] {
  const reader = new ByteReader(body)
  return Array.from({ length: fieldCount }, () =>
    Array.from({ length: reader.number() }, () => reader.text()),
  )
}

function filterValues(keyed: KeyedDocument, path: FieldPath): readonly Buffer[] {
  const value = fieldValue(keyed.document, path)
  if (!Array.isArray(value)) {
    const ordered = orderedBytes(value, Number.POSITIVE_INFINITY)
    return ordered === undefined ? [] : [checkedFilter(keyed, path, ordered)]
  }
  const bytes: Buffer[] = []
  for (const one of value as unknown[]) {
    const ordered = orderedBytes(one, Number.POSITIVE_INFINITY)
    if (ordered !== undefined) bytes.push(checkedFilter(keyed, path, ordered))
  }
  bytes.sort(Buffer.compare)
  return bytes.filter((one, at) => at === 0 || !one.equals(bytes[at - 1] as Buffer))
}

function checkedFilter(keyed: KeyedDocument, path: FieldPath, ordered: Buffer): Buffer {
  const most = limits.indexedValueBytesMax
  if (ordered.length <= most) return ordered
  throw tooLarge(keyed, `a value of filter ${path.join('.')}`, ordered.length, most)
}

function tooLarge({ key }: KeyedDocument, what: string, bytes: number, limit: number): SillokError {
  const message = `document ${JSON.stringify(key)} has ${bytes} bytes of ${what}; at most ${limit}`
  return new SillokError('TOO_LARGE', message, { details: { key, bytes, limit } })
}
