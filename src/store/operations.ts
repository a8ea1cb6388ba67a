/** What a caller wants of one document, as an operation for the log: checked as far as one can without it. */
import { SillokError } from '../base/errors.js'
import type { DocumentKey } from '../base/tuple.js'
import { encodeDocument } from '../codec/document.js'
import type { Operation } from '../machine/command.js'
import { documentKey } from '../machine/keys.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { IndexTypes } from './index-types.js'

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
    const bytes = encodeDocument(document)
    const key = (document as Record<string, unknown>)[schema.key] as DocumentKey | null | undefined
    if (key === undefined || key === null) {
      throw new SillokError(
        'INVALID',
        `a document of ${schema.name} needs its key in the field ${schema.key}`,
      )
    }
    const rowKey = documentKey(schema.id, key)
    this.#indexTypes.check(schema, { key, document: document as Record<string, unknown> })
    const operation = { op, collection: schema.id, key: rowKey, document: bytes }
    return ifVersion === undefined ? operation : { ...operation, ifVersion: checkVersion(ifVersion) }
  }

  /** On a key. Throws INVALID or TOO_LARGE for what is no key. */
  ofKey(
    schema: CollectionSchema,
    op: 'delete' | 'check',
    key: DocumentKey,
    ifVersion: number | null | undefined,
  ): Operation {
    const rowKey = documentKey(schema.id, key)
    const operation = { op, collection: schema.id, key: rowKey }
    return ifVersion === undefined ? operation : { ...operation, ifVersion: checkVersion(ifVersion) }
  }
}

function checkVersion(version: number | null): number | null {
  if (version === null || Number.isSafeInteger(version)) return version
  throw new SillokError('INVALID', `ifVersion must be a version or null, not ${version}`)
}
