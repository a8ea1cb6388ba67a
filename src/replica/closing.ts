/**
 * The order in which a node ends: what it leads others lead, what is in flight is answered, then what rests
 * on the replicas ends, then the replicas, the log, and the hold on the folder.
 *
 * It always ends. What waits for space on a full disk has a while to be answered; then the log tries once
 * more and gives up, and with it whatever waits for the log: a replica, too, that is on its way.
 */
import { storeClosed } from '../base/errors.js'
import type { Clock } from '../env/clock.js'
import type { FolderLock } from '../env/environment.js'
import type { Wal } from '../wal/wal.js'
import { isLackOfSpace } from './failure.js'
import { handedOver } from './hand-over.js'
import type { Indexes } from './indexes.js'
import type { NodeReplicas } from './node-replicas.js'
import type { Retentions } from './retentions.js'
import type { Switchboard } from './switchboard.js'

/** What ends; undefined: the opening did not come to it. */
export interface ClosingNode {
  readonly clock: Clock
  readonly replicas: NodeReplicas
  readonly switchboard: Switchboard | undefined
  readonly retentions: Retentions | undefined
  readonly wal: Wal | undefined
  readonly lock: FolderLock
  /** Those of the replica that is here in the end. */
  readonly indexes: () => Indexes | undefined
  /** The node stopped by itself: nobody is answered, and the replicas write nothing more. */
  readonly hasFailed: () => boolean
}

/** How long a closing node waits for what is in flight, say on a full disk. */
const drainMs = 5_000

/** Ends all of it, and resolves with what went wrong; space that is missing is no failure. */
export async function closeNode(node: ClosingNode): Promise<readonly unknown[]> {
  const { clock, replicas, switchboard, retentions, wal, lock, indexes, hasFailed } = node
  const errors: unknown[] = []
  const attempt = async (task: () => Promise<unknown>): Promise<void> => {
    try {
      await task()
    } catch (error) {
      if (!isLackOfSpace(error)) errors.push(error)
    }
  }
  const here = replicas.here.map(({ replica }) => replica)
  if (!hasFailed()) await handedOver(here, clock)
  const settled = replicas.settle()
  if (!hasFailed()) {
    for (const { replica } of replicas.here) await attempt(() => replica.drain(drainMs))
  }
  for (const partition of replicas.all.values()) partition.close(storeClosed())
  wal?.hurry()
  await settled
  await attempt(async () => switchboard?.close())
  await attempt(async () => indexes()?.close())
  for (const { id } of replicas.here) await attempt(async () => retentions?.leave(id))
  await replicas.close(hasFailed(), attempt)
  await attempt(async () => wal?.close())
  await attempt(() => lock.release())
  return errors
}
