/**
 * Brings the groups that this node leads to what the register of nodes says (`regroup-step.ts`), a step at a
 * time, and has nodes forgotten that are in no group any more.
 *
 * A step is taken by a register that was read linearizably: replicas have their numbers for ever, so by an
 * older one a replica could come back that was removed, and nothing else. That the group is still as it was
 * when the step was chosen is asked of Raft.
 */
import type { PartitionId } from '../base/ids.js'
import { membersOf } from '../raft/configuration.js'
import type { NodeDirectory } from './node-directory.js'
import type { Partition } from './partition.js'
import { regroupStep } from './regroup-step.js'

/** What it works with. */
export interface RegroupingOptions {
  readonly meta: Partition
  readonly directory: NodeDirectory
  /** All partitions, meta among them. */
  readonly partitions: readonly Partition[]
  readonly background: (work: Promise<void>, partition: PartitionId) => void
}

/** The groups that are led here; call `tick` now and then. */
export class Regrouping {
  readonly #options: RegroupingOptions
  /** Of which something is under way. */
  readonly #busy = new Set<Partition>()
  #isForgetting = false

  constructor(options: RegroupingOptions) {
    this.#options = options
  }

  /** Begins what is due. */
  tick(): void {
    const { meta, directory, partitions, background } = this.#options
    const { nodes } = directory.register
    if (nodes.length === 0) return
    for (const partition of partitions) {
      if (!partition.leads || this.#busy.has(partition)) continue
      if (regroupStep(partition.replica.group(), directory.register) === undefined) continue
      this.#busy.add(partition)
      const work = this.#regroup(partition).finally(() => this.#busy.delete(partition))
      background(work, partition.id)
    }
    if (this.#isForgetting || !meta.leads || !nodes.some(({ role }) => role === 'none')) return
    this.#isForgetting = true
    const work = this.#forget().finally(() => {
      this.#isForgetting = false
    })
    background(work, meta.id)
  }

  async #regroup(partition: Partition): Promise<void> {
    const { meta, directory } = this.#options
    await meta.readable()
    if (!partition.leads) return
    const { replica } = partition
    const group = replica.group()
    const step = regroupStep(group, directory.register)
    if (step?.type === 'change') await replica.changeGroup(step.change, group.configurationIndex)
    else if (step !== undefined && group.transferee === 0) replica.transferLeader(step.to)
  }

  async #forget(): Promise<void> {
    const { meta, directory, partitions } = this.#options
    for (const partition of partitions) await partition.readable()
    const isIn = (replica: number): boolean =>
      partitions.some(partition => membersOf(partition.replica.group().configuration).includes(replica))
    for (const { replica, role } of directory.register.nodes) {
      if (role === 'none' && !isIn(replica)) await meta.call({ type: 'forgetNode', replica }, {})
    }
  }
}
