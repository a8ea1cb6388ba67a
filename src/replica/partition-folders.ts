/**
 * The folders of partitions: proof that a log was there.
 *
 * A partition's folder is made only when its creation is durable in the log. So a folder whose partition the
 * log does not know is left by no crash: the log was lost, or files of it. A replica has another folder after
 * each snapshot that it got from another one: `<partition>-<replica>.<number of the snapshot>`.
 */
import { metaPartition, type PartitionId } from '../base/ids.js'
import { type Disk, joinPath } from '../env/disk.js'
import { decodeCreated, registerKinds } from '../wal/registers.js'
import { type FindRegister, installedOf } from './marks-of.js'

/** The partition that holds all documents of this release's stores. */
export const dataPartition: PartitionId = 1

/** The name of the folder that counts; undefined if the partition was not created. */
export function replicaFolder(partition: PartitionId, register: FindRegister): string | undefined {
  const created = register(registerKinds.created)
  if (created === undefined) return undefined
  return folderName(partition, decodeCreated(created).replicaId, generationOf(register))
}

/** How many snapshots of other replicas the replica took. */
export function generationOf(register: FindRegister): number {
  return installedOf(register)?.generation ?? 0
}

/** The name of a replica's folder after so many snapshots from other replicas. */
export function folderName(partition: PartitionId, replica: number, generation: number): string {
  return generation === 0 ? `${partition}-${replica}` : `${partition}-${replica}.${generation}`
}

/** Removes the partition's folders but the one that counts: a crash while one was prepared leaves it. */
export async function removeOtherFolders(
  disk: Disk,
  folder: string,
  partition: PartitionId,
  kept: string,
): Promise<void> {
  for (const name of await disk.list(folder)) {
    if (name.startsWith(`${partition}-`) && name !== kept) await disk.remove(joinPath(folder, name))
  }
}

/** Partitions of this release that have a folder in the data folder, ascending. */
export async function foundPartitions(disk: Disk, folder: string): Promise<PartitionId[]> {
  const names = await disk.list(joinPath(folder, 'partitions'))
  return [metaPartition, dataPartition].filter(id => names.some(name => name.startsWith(`${id}-`)))
}
