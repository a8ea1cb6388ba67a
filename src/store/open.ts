/** The two ways to open an embedded store. */
import { limits } from '../base/limits.js'
import { Joining } from '../cluster/joining.js'
import type { IndexType } from '../derived/contract.js'
import type { Environment } from '../env/environment.js'
import { memoryEnvironment } from '../env/memory-environment.js'
import { realEnvironment } from '../env/real-environment.js'
import { RealNetwork } from '../env/real-network.js'
import { checkDeadline, invalid, show, unknownOption } from './check-options.js'
import { IndexTypes } from './index-types.js'
import { checkNode, type NodeOptions } from './node-options.js'
import { checkLogger, logLine } from './notices.js'
import { Store } from './store.js'
import type { StoreListeners, StoreMember } from './store-status.js'

/**
 * How much of the log is kept, per partition, once snapshots of the state make it superfluous: what lies
 * below the older of the two newest ones goes, but for this. `status().partitions` says where the log begins,
 * and who holds it.
 */
export interface RetentionOptions {
  /**
   * Log that is kept in any case, in bytes: whoever is behind by less can read on. Default
   * `limits.retainBytes`.
   */
  readonly bytes?: number | undefined
  /**
   * Log beyond that which one index or one named feed of changes may hold, in bytes; then it is left behind,
   * and a feed gets LOG_TRUNCATED. Default `limits.pinBytes`.
   */
  readonly pinBytes?: number | undefined
}

/** Where the store lives, and who listens while it is opened. */
export type OpenOptions = StoreListeners & {
  /** How much of the log is kept. */
  readonly retention?: RetentionOptions | undefined
  /** Kinds of indexes of your own, beside those of this package. */
  readonly indexTypes?: readonly IndexType[] | undefined
  /** Milliseconds that a call waits which does not say; 30,000 if not given. */
  readonly deadlineMs?: number | undefined
} & (
    | {
        /** The data folder; made if it is missing. One process at a time. */
        readonly dir: string
        readonly memory?: false | undefined
        /** This store is a node of a cluster; alone if not given. */
        readonly node?: NodeOptions | undefined
      }
    | {
        /** The same store without files, for tests: gone when it is closed. */
        readonly memory: true
        readonly dir?: undefined
        readonly node?: undefined
      }
  )

const allowed = new Set([
  'dir',
  'memory',
  'node',
  'retention',
  'indexTypes',
  'deadlineMs',
  'logger',
  'rebuilt',
  'failed',
])

/**
 * Opens an embedded store. When it resolves, it shows everything that was ever acknowledged in this folder.
 *
 * Rejects with INVALID, FOLDER_IN_USE, FOLDER_UNUSABLE, FOREIGN_FOLDER, VERSION_UNSUPPORTED, DISK_FULL,
 * DISK_FAILED, UPGRADE_REQUIRED (the log holds what only a newer release knows), STOPPED (an invariant of the
 * store is broken), or DAMAGED, which names what is lost: a damaged log is never shortened. Close the store
 * to let the folder go.
 *
 * A node of a cluster (`options.node`) waits until it has caught up with a majority of it, as long as that
 * takes; the logger is told what it waits for. It rejects also with FENCED (the node was removed, or its
 * place was taken: what is in the folder counts no more) and with UNAVAILABLE (it cannot listen at its
 * address).
 */
export async function open(options: OpenOptions): Promise<Store> {
  checkOpen(options)
  return options.memory === true
    ? openIn(memoryEnvironment(), 'memory', options)
    : openIn(realEnvironment(), options.dir, options)
}

function checkOpen(options: unknown): void {
  const needs = 'open needs { dir: folder } or { memory: true }'
  if (typeof options !== 'object' || options === null) throw invalid(`${needs}, not ${show(options)}`)
  const unknown = unknownOption(options, allowed)
  if (unknown !== undefined) throw unknown
  const { dir, memory, node, retention, indexTypes, deadlineMs, logger, rebuilt, failed } =
    options as Partial<
      Record<
        | 'dir'
        | 'memory'
        | 'node'
        | 'retention'
        | 'indexTypes'
        | 'deadlineMs'
        | 'logger'
        | 'rebuilt'
        | 'failed',
        unknown
      >
    >
  if (memory !== undefined && typeof memory !== 'boolean') {
    throw invalid(`memory must be true or false, not ${show(memory)}`)
  }
  if (memory === true && dir !== undefined) {
    throw invalid('open: a store is in memory or in a folder: give memory or dir, not both')
  }
  if (memory !== true && (typeof dir !== 'string' || dir === '')) {
    throw invalid(dir === undefined ? needs : `${needs}: dir is ${show(dir)}`)
  }
  if (typeof dir === 'string' && dir.includes('\0')) throw invalid(`${needs}: dir is ${show(dir)}`)
  if (indexTypes !== undefined && !Array.isArray(indexTypes)) {
    throw invalid(`indexTypes must be a list of index types, not ${show(indexTypes)}`)
  }
  if (memory === true && node !== undefined) throw invalid('open: a node of a cluster needs a folder')
  checkNode(node)
  checkRetention(retention)
  checkDeadline(deadlineMs)
  checkLogger(logger)
  for (const [name, listener] of Object.entries({ rebuilt, failed })) {
    if (listener !== undefined && typeof listener !== 'function') {
      throw invalid(`${name} must be a function, not ${show(listener)}`)
    }
  }
}

function checkRetention(retention: unknown): void {
  if (retention === undefined) return
  if (typeof retention !== 'object' || retention === null) {
    throw invalid(`retention must be { bytes, pinBytes }, not ${show(retention)}`)
  }
  const unknown = unknownOption(retention, new Set(['bytes', 'pinBytes']))
  if (unknown !== undefined) throw unknown
  for (const [name, bytes] of Object.entries(retention)) {
    if (bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= 0)) continue
    throw invalid(`retention.${name} must be a whole number of bytes, 0 or more, not ${show(bytes)}`)
  }
}

async function openIn(env: Environment, folder: string, options: OpenOptions): Promise<Store> {
  try {
    const { deadlineMs = limits.deadlineMs, indexTypes, retention = {} } = options
    const { bytes: retainBytes, pinBytes } = retention
    const own = {
      deadlineMs,
      ...(retainBytes !== undefined && { retainBytes }),
      ...(pinBytes !== undefined && { pinBytes }),
    }
    const member = options.node && (await memberOf(env, folder, options.node, options))
    return await Store.open(env, folder, options, own, new IndexTypes(indexTypes), member)
  } catch (error) {
    await env.disk.close()
    throw error
  }
}

/** Who the store is in its cluster; it may have to join that first. */
async function memberOf(
  env: Environment,
  folder: string,
  { id, listen, join = [], init = false, role = 'voter' }: NodeOptions,
  { logger }: StoreListeners,
): Promise<StoreMember> {
  const told = (what: string): void =>
    logLine({ clock: env.clock, folder, logger }, 'warn', { node: id }, what)
  const network = new RealNetwork()
  const own = { node: id, address: listen, seeds: join, init, role }
  return await new Joining({ env, network, folder, ...own, told }).member()
}
