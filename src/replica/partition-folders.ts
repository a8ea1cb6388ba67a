/**
 * The folders of partitions: proof that a log was there.
 *
 * A partition's folder is made only when its creation is durable in the log. So a folder whose partition the
 * log does not know is left by no crash: the log was lost, or files of it.
 */
import { metaPartition, type PartitionId } from '../base/ids.js'
import { type Disk, joinPath } from '../env/disk.js'

/** The partition that holds all documents of this release's stores. */
export const dataPartition: PartitionId = 1

/** Partitions of this release that have a folder in the data folder, ascending. */
export async function foundPartitions(disk: Disk, folder: string): Promise<PartitionId[]> {
  const names = await disk.list(joinPath(folder, 'partitions'))
  return [metaPartition, dataPartition].filter(id => names.some(name => name.startsWith(`${id}-`)))
}
