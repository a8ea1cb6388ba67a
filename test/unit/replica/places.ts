/** Documents that a replica is filled with, and limits under which its log is soon trimmed behind them. */
import { encodeDocument } from '../../../src/codec/document.js'
import { documentKey, schemaKey } from '../../../src/machine/keys.js'
import { compileDefinition, encodeSchema } from '../../../src/machine/schema.js'
import type { Replica } from '../../../src/replica/replica.js'

export const soonTrimmed = {
  segmentCutBytes: 3000,
  segmentSyncBytes: 1000,
  memtableBytesMax: 2000,
  checkpointEntriesMax: 20,
  checkpointPauseMs: 1,
  snapshotLogBytesMin: 9000,
  snapshotLogRatio: 0,
  snapshotFrameBytes: 500,
  snapshotRetryMs: 20,
  retainBytes: 0,
  pinBytes: 0,
  trimPauseMs: 1,
}

const schema = compileDefinition(1, 'places', { key: 'id' }, 1, 1)

/** The replica knows the collection; it must lead. */
export async function definePlaces(replica: Replica): Promise<void> {
  const schemas = [[schemaKey(1), encodeSchema(schema)]] as const
  await replica.call({ type: 'metaFeed', through: 1, schemas, ended: [] }, {})
}

/** The n-th document is written; the replica must lead. */
export async function writePlace(replica: Replica, n: number): Promise<void> {
  const id = `k${n % 40}`
  const document = encodeDocument({ id, n, text: 'x'.repeat(n % 90) })
  const operations = [{ op: 'put' as const, collection: 1, key: documentKey(1, id), document }]
  await replica.call({ type: 'write', operations, mark: undefined }, {})
}
