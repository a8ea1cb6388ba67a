/** The two ways to open an embedded store. */
import { SillokError } from '../base/errors.js'
import type { IndexType } from '../derived/contract.js'
import type { Environment } from '../env/environment.js'
import { memoryEnvironment } from '../env/memory-environment.js'
import { realEnvironment } from '../env/real-environment.js'
import { IndexTypes } from './index-types.js'
import { Store, type StoreListeners } from './store.js'

/** Where the store lives, and who listens while it is opened. */
export type OpenOptions = StoreListeners & {
  /** Kinds of indexes of your own, beside those of this package. */
  readonly indexTypes?: readonly IndexType[]
} & (
    | {
        /** The data folder; made if it is missing. One process at a time. */
        readonly dir: string
        readonly memory?: false
      }
    | {
        /** The same store without files, for tests: gone when it is closed. */
        readonly memory: true
      }
  )

/**
 * Opens an embedded store. When it resolves, it shows everything that was ever acknowledged in this folder.
 *
 * Rejects with FOLDER_IN_USE, FOLDER_UNUSABLE, FOREIGN_FOLDER, VERSION_UNSUPPORTED, DISK_FULL, or DAMAGED,
 * which names what is lost: a damaged log is never shortened. Close the store to let the folder go.
 */
export async function open(options: OpenOptions): Promise<Store> {
  const { memory = false, ...rest } = (options ?? {}) as {
    memory?: boolean
    dir?: unknown
  } & StoreListeners & {
      indexTypes?: readonly IndexType[]
    }
  if (memory) return openIn(memoryEnvironment(), 'memory', rest)
  if (typeof rest.dir !== 'string' || rest.dir === '') {
    throw new SillokError('INVALID', 'open needs { dir: folder } or { memory: true }')
  }
  return openIn(realEnvironment(), rest.dir, rest)
}

async function openIn(
  env: Environment,
  folder: string,
  options: StoreListeners & { indexTypes?: readonly IndexType[] },
): Promise<Store> {
  try {
    return await Store.open(env, folder, options, {}, new IndexTypes(options.indexTypes))
  } catch (error) {
    await env.disk.close()
    throw error
  }
}
