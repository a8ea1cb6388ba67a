/** A small store as folders on the real disk, for tests that read bytes. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import type { Limits } from '../../src/base/limits.js'
import { realEnvironment } from '../../src/env/real-environment.js'
import { Store } from '../../src/store/store.js'

/** Segments are cut and synced at so many bytes. */
export const block = 4096

/** Three folders of the same store. */
export interface Folders {
  /** Closed in order. */
  readonly closed: string
  /** As a killed process would leave it. */
  readonly killed: string
  /** The same, then opened and closed. */
  readonly recovered: string
}

/** A store on the real disk. */
export interface Opened {
  readonly store: Store
  readonly close: () => Promise<void>
}

const smallSegments: Partial<Limits> = { segmentCutBytes: block, segmentSyncBytes: block }

/** Opens the folder, unless told otherwise with segments of one block. */
export async function openStore(
  dir: string,
  rebuilt: (reason: string) => void = () => {},
  limits = smallSegments,
): Promise<Opened> {
  const env = realEnvironment()
  const store = await Store.open(env, dir, { rebuilt }, limits).catch(async error => {
    await env.disk.close()
    throw error
  })
  return {
    store,
    close: async () => {
      await store.close()
      await env.disk.close()
    },
  }
}

/** Documents that the store holds. */
export const documentCount = 61

/** A store with documents, claims, kept replies and an index, sealed segments and a checkpoint. */
export async function makeFolders(root: string): Promise<Folders> {
  const [closed, killed, recovered] = [join(root, 'closed'), join(root, 'killed'), join(root, 'recovered')]
  const folders: Folders = { closed, killed, recovered }
  const { store, close } = await openStore(folders.closed)
  const unique = { email: { fields: ['email'], normalize: ['fold'] } } as const
  const indexes = { byTag: { type: 'secondary', fields: ['n', 'tags'], each: 'tags' } } as const
  await store.define('people', { key: 'id', unique, indexes })
  const people = store.collection('people')
  for (let i = 0; i < 60; i++) {
    const tags = i === 5 ? { tags: ['x', 'y'] } : {}
    await people.put({ id: `p${i}`, email: `P${i}@Example.org`, n: i, ...tags })
  }
  await people.put({ id: 'kim', email: 'Kim@Example.org', name: '김철수' })
  await people.delete('p7', { requestId: 'ö' })
  const session = await store.session({ name: 'importer', numbering: 'caller' })
  await session.collection('people').put({ id: 's1', email: 's1@x' }, { sequence: 1 })
  const refused = session.collection('people').insert({ id: 's1', email: 's2@x' }, { sequence: 2 })
  await refused.catch(() => {})
  await store.outcome('no', { collection: 'people', key: 'kim' })
  // When a page is answered, everything before is in the index.
  await people.findPage('byTag', {}, { limit: 1 })
  cpSync(folders.closed, folders.killed, { recursive: true })
  cpSync(folders.killed, folders.recovered, { recursive: true })
  await close()
  await (await openStore(folders.recovered)).close()
  return folders
}
