/** What a caller wants of one document, as an operation for the log: checked as far as one can without it. */
import { SillokError } from '../base/errors.js'
import type { DocumentKey } from '../base/tuple.js'
import { encodeDocument } from '../codec/document.js'
import type { RowKey } from '../codec/row.js'
import type { Operation } from '../machine/command.js'
import { documentKey } from '../machine/keys.js'
import type { CollectionSchema } from '../machine/schema.js'
import { invalid, show } from './check-options.js'
import type { IndexTypes } from './index-types.js'

/** An insert that stands by itself among others. */
export interface Row {
  readonly operation: Operation
  readonly refused: SillokError | undefined
}

/** Makes the operations of one store. */
export class Operations {
  readonly #indexTypes: IndexTypes

  constructor(indexTypes: IndexTypes) {
    this.#indexTypes = indexTypes
  }

  /**
   * Brings a document; its key is taken from it. Throws INVALID or TOO_LARGE for what is no document, has no
   * key, or cannot be held by an index of the collection.
   */
  ofDocument(
    schema: CollectionSchema,
    op: 'insert' | 'put',
    document: object,
    ifVersion: number | null | undefined,
  ): Operation {
    const { key, operation } = documentOperation(schema, op, document, ifVersion)
    this.#indexTypes.check(schema, { key, document: document as Record<string, unknown> })
    return operation
  }

  /** The insert of a document, and why an index of now refuses it, if one does. Throws as `ofDocument`. */
  ofRow(schema: CollectionSchema, document: object): Row {
    const { key, operation } = documentOperation(schema, 'insert', document, undefined)
    try {
      this.#indexTypes.check(schema, { key, document: document as Record<string, unknown> })
      return { operation, refused: undefined }
    } catch (error) {
      if (!(error instanceof SillokError)) throw error
      return { operation, refused: error }
    }
  }

  /** On a key. Throws INVALID or TOO_LARGE for what is no key. */
  ofKey(
    schema: CollectionSchema,
    op: 'delete' | 'check',
    key: DocumentKey,
    ifVersion: number | null | undefined,
  ): Operation {
    const operation = { op, collection: schema.id, key: rowOfKey(schema, key) }
    return ifVersion === undefined ? operation : { ...operation, ifVersion: checkVersion(ifVersion) }
  }
}

function documentOperation(
  schema: CollectionSchema,
  op: 'insert' | 'put',
  document: object,
  ifVersion: number | null | undefined,
): { readonly key: DocumentKey; readonly operation: Operation } {
  const given = keyIn(document, schema)
  const bytes = encodeDocument(document)
  const key = keyIn(document, schema)
  if (key === undefined || key === null) {
    throw invalid(`a document of ${schema.name} needs its key in the field ${schema.key}`)
  }
  // A getter: the key of the row would not be the one in the document.
  if (key !== given) throw invalid(`the field ${schema.key} gives another value each time it is asked`)
  const rowKey = documentKey(schema.id, key)
  const operation = { op, collection: schema.id, key: rowKey, document: bytes }
  if (ifVersion === undefined) return { key, operation }
  return { key, operation: { ...operation, ifVersion: checkVersion(ifVersion) } }
}

function keyIn(document: object, { key }: CollectionSchema): DocumentKey | null | undefined {
  return (document as Readonly<Record<string, DocumentKey | null | undefined>> | undefined)?.[key]
}

/** The row of the document under that key. Throws INVALID or TOO_LARGE for what is no key. */
export function rowOfKey(schema: CollectionSchema, key: DocumentKey | null | undefined): RowKey {
  if (key !== undefined && key !== null) return documentKey(schema.id, key)
  throw invalid(`the key of a document of ${schema.name} is missing: it is ${key}`)
}

function checkVersion(version: number | null): number | null {
  if (version === null || (Number.isSafeInteger(version) && version >= 0)) return version
  throw invalid(`ifVersion must be a version or null, not ${show(version)}`)
}
