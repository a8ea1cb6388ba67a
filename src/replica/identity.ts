/**
 * Who a data folder is: the file IDENT, written once, before anything else of the store.
 *
 *   one line of JSON {format, cluster, clusterEpoch, node, incarnation, crc}; crc covers the JSON without it.
 *   A cluster is named after the disk on which it began.
 *
 * States that a crash can leave: no IDENT and perhaps IDENT.new (nothing was acknowledged: begins anew);
 * IDENT whole. A folder without IDENT that holds anything else is somebody else's and is refused, untouched;
 * but one that holds a log and partitions is a store whose IDENT was lost: damage.
 */
import { crc32 } from '../base/checksum.js'
import { isSillokError, SillokError } from '../base/errors.js'
import type { Random } from '../base/random.js'
import { type Disk, joinPath, readWhole } from '../env/disk.js'

/** The folder format that this release reads and writes. */
export const folderFormat = 1

/** What IDENT says. */
export interface Identity {
  readonly format: number
  readonly cluster: string
  readonly clusterEpoch: number
  readonly node: number
  readonly incarnation: string
}

/** Names that may stand in a folder whose very first opening was cut short. */
const beginnings = new Set(['lock', 'IDENT.new'])

/**
 * Throws before anything is touched if the folder is not one of this release: FOREIGN_FOLDER,
 * VERSION_UNSUPPORTED, DAMAGED.
 */
export async function refuseForeign(disk: Disk, folder: string): Promise<void> {
  const names = await disk.list(folder)
  const foreign = names.find(name => !beginnings.has(name))
  const isStore = names.includes('wal') && names.includes('partitions')
  if (names.includes('IDENT')) await (isStore ? storeIdentity : readIdentity)(disk, folder)
  if (names.includes('IDENT') || foreign === undefined) return
  if (isStore) throw lost(joinPath(folder, 'IDENT'), 'is missing')
  const message = `${folder} is not a sillok folder: it holds ${foreign} but no IDENT; choose an empty folder`
  throw new SillokError('FOREIGN_FOLDER', message, { details: { folder } })
}

/** The identity of the folder; undefined if it has none yet. Makes the folder. Rejects as `refuseForeign`. */
export async function knownIdentity(disk: Disk, folder: string): Promise<Identity | undefined> {
  await disk.makeFolder(folder)
  await refuseForeign(disk, folder)
  return (await disk.list(folder)).includes('IDENT') ? await readIdentity(disk, folder) : undefined
}

/** The cluster and the node that a folder is to be of; and what a new one is called. */
export type WantedIdentity = Pick<Identity, 'cluster' | 'node'> & {
  readonly clusterEpoch?: number | undefined
  readonly incarnation?: string | undefined
}

/**
 * Reads the folder's identity, or gives an empty folder one: that which is wanted, or a cluster of its own.
 * Durable when it resolves. Rejects with FOREIGN_FOLDER if the folder is of another cluster or node.
 */
export async function takeIdentity(
  disk: Disk,
  random: Random,
  folder: string,
  wanted?: WantedIdentity,
): Promise<Identity> {
  const names = await disk.list(folder)
  if (names.includes('IDENT')) {
    // A process that died right after the rename left a name that only the running system knows.
    await disk.syncFolder(folder)
    const known = await readIdentity(disk, folder)
    if (wanted !== undefined) refuseOther(folder, known, wanted)
    return known
  }
  const own = newIncarnation(random)
  const identity: Identity = {
    format: folderFormat,
    cluster: wanted?.cluster ?? own,
    clusterEpoch: wanted?.clusterEpoch ?? 0,
    node: wanted?.node ?? 1,
    incarnation: wanted?.incarnation ?? own,
  }
  await writeIdentity(disk, folder, identity)
  return identity
}

/** A name for a disk that no other one has. */
export function newIncarnation(random: Random): string {
  return random.bytes(16).toString('hex')
}

/** True on the disk on which the cluster began. */
export function isFounding({ cluster, incarnation }: Pick<Identity, 'cluster' | 'incarnation'>): boolean {
  return cluster === incarnation
}

/** Names the store and its epoch: what is derived from another one is not used. */
export function originOf({ cluster, clusterEpoch }: Identity): string {
  return `${cluster}/${clusterEpoch}`
}

function refuseOther(folder: string, known: Identity, wanted: WantedIdentity): void {
  if (known.cluster === wanted.cluster && known.node === wanted.node) return
  const is = `node ${known.node} of cluster ${known.cluster}`
  const message = `${folder} belongs to ${is}, not to node ${wanted.node} of ${wanted.cluster}`
  throw new SillokError('FOREIGN_FOLDER', message, { details: { folder } })
}

async function writeIdentity(disk: Disk, folder: string, identity: Identity): Promise<void> {
  const path = joinPath(folder, 'IDENT.new')
  const file = await disk.open(path, { create: true })
  try {
    await file.truncate(0)
    const crc = crc32(Buffer.from(JSON.stringify(identity)))
    await file.write([Buffer.from(`${JSON.stringify({ ...identity, crc })}\n`)], 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(path, joinPath(folder, 'IDENT'))
  await disk.syncFolder(folder)
}

/** The identity of a folder that is a store by what else it holds. DAMAGED. */
async function storeIdentity(disk: Disk, folder: string): Promise<Identity> {
  try {
    return await readIdentity(disk, folder)
  } catch (error) {
    if (!isSillokError(error, 'FOREIGN_FOLDER')) throw error
    throw lost(joinPath(folder, 'IDENT'), 'is damaged', error)
  }
}

function lost(path: string, what: string, cause?: unknown): SillokError {
  const message = `${path} ${what}, but a log and partitions are there: put back the file from a backup`
  return new SillokError('DAMAGED', message, { details: { file: path, offset: 0 }, cause })
}

/** Reads the identity of a folder, and demands that IDENT holds nothing else. Writes nothing. DAMAGED. */
export async function checkIdentity(disk: Disk, folder: string): Promise<Identity> {
  const path = joinPath(folder, 'IDENT')
  const identity = await storeIdentity(disk, folder)
  const crc = crc32(Buffer.from(JSON.stringify(identity)))
  const text = (await readWhole(disk, path)).toString()
  if (text === `${JSON.stringify({ ...identity, crc })}\n`) return identity
  throw new SillokError('DAMAGED', `${path} holds more than an identity`, { details: { file: path } })
}

async function readIdentity(disk: Disk, folder: string): Promise<Identity> {
  const file = await disk.open(joinPath(folder, 'IDENT'))
  try {
    return parse((await file.read(0, 4096)).toString(), folder)
  } finally {
    await file.close()
  }
}

function parse(text: string, folder: string): Identity {
  let value: Partial<Identity & { crc: number }>
  try {
    value = JSON.parse(text) as Partial<Identity & { crc: number }>
  } catch (cause) {
    throw new SillokError('FOREIGN_FOLDER', `${folder}/IDENT is not ours: it is no JSON`, { cause })
  }
  if (typeof value?.format !== 'number' || typeof value.crc !== 'number') {
    throw new SillokError('FOREIGN_FOLDER', `${folder}/IDENT is not ours: it lacks a format`)
  }
  const { crc, ...identity } = value
  if (crc32(Buffer.from(JSON.stringify(identity))) !== crc) {
    throw new SillokError('DAMAGED', `${folder}/IDENT fails its check`, {
      details: { file: joinPath(folder, 'IDENT'), offset: 0 },
    })
  }
  if (value.format !== folderFormat) {
    const message = `${folder} has format ${value.format}; this release reads format ${folderFormat}`
    throw new SillokError('VERSION_UNSUPPORTED', message, { details: { format: value.format } })
  }
  return identity as Identity
}
