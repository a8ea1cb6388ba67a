/** The source of a replica's indexes: its segments and tail for changes, its state for documents. */
import type { Entry } from '../base/entry.js'
import type { CollectionId, LogIndex, Version } from '../base/ids.js'
import { type Document, decodeDocument } from '../codec/document.js'
import { keyBytes, keyText } from '../codec/row.js'
import type { DocumentView, IndexSource, SourceChange, SourceChunk, SourcePiece } from '../derived/source.js'
import { documentBytes, documentFacts } from '../machine/documents.js'
import { documentPrefix, documentPrefixBytes, documentRow } from '../machine/keys.js'
import type { Partition } from './partition.js'

/** Documents that are read in one go: what takes a turn of the event loop. */
const pageRows = 200

/** Committed entries of the replica, in pieces. */
export type ReadEntries = (from: LogIndex, through: LogIndex) => AsyncIterable<readonly Entry[]>

/** Documents of one replica, for its indexes. */
export class ReplicaIndexSource implements IndexSource {
  readonly #partition: Partition
  readonly #read: ReadEntries

  constructor(partition: Partition, read: ReadEntries) {
    this.#partition = partition
    this.#read = read
  }

  get firstIndex(): LogIndex {
    return this.#partition.firstIndex
  }

  get applied(): LogIndex {
    return this.#partition.applied
  }

  async *changes(from: LogIndex, through: LogIndex): AsyncIterable<SourcePiece> {
    for await (const entries of this.#read(from, through)) {
      const changes: SourceChange[] = []
      for (const entry of entries)
        changes.push(...documentChanges(entry, this.#partition.versionAt(entry.index)))
      yield { through: entries.at(-1)?.index ?? through, changes }
    }
  }

  async documents(
    collection: CollectionId,
    after: Buffer | undefined,
    count: number,
    bytesMax: number,
  ): Promise<SourceChunk> {
    const prefix = documentPrefix(collection)
    const scan = this.#partition.state.scan({
      gte: after === undefined ? prefix : `${prefix}${keyText(after)}\0`,
      lt: `${prefix}\xff`,
      pageRows: Math.min(count, pageRows),
    })
    const documents: SourceChange[] = []
    let bytes = 0
    for await (const page of scan) {
      for (const [key, row] of page) {
        documents.push(documentChange(keyBytes(key), row.version, row.value))
        bytes += row.value.length
      }
      if (documents.length >= count || bytes >= bytesMax)
        return { index: scan.index, documents, isLast: false }
    }
    return { index: scan.index, documents, isLast: true }
  }

  view(): DocumentView {
    const view = this.#partition.state.view()
    return {
      index: view.index,
      getMany: async (collection, keys) => {
        const rowKeys = keys.map(key => documentRow(collection, key))
        const rows = await view.getMany(rowKeys)
        return rows.map(row => {
          if (row === null) return undefined
          return { document: decodeDocument(documentBytes(row.value)), version: row.version }
        })
      },
      release: () => view.release(),
    }
  }
}

/** What the entry does to documents. */
export function documentChanges(entry: Entry, version: Version): SourceChange[] {
  return documentFacts(entry).map(fact => {
    return documentChange(keyBytes(fact.key), version, fact.op === 'put' ? fact.value : undefined)
  })
}

/** A document as it stands in its row, or its absence. */
export function documentChange(key: Buffer, version: Version, value: Buffer | undefined): SourceChange {
  let decoded: Document | undefined
  return {
    collection: key.readUInt32BE(1),
    keyBytes: key.subarray(documentPrefixBytes),
    version,
    bytes: value?.length ?? 0,
    document: value && (() => (decoded ??= decodeDocument(documentBytes(value)))),
  }
}
