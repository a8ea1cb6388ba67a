/**
 * Who belongs to the cluster, and where each replica is: what meta's register of nodes says, as far as this
 * node has it, and for a replica that it does not name where its messages come from. So a node that is new
 * can answer whoever speaks to it, before it has meta's log.
 */
import type { PartitionId, ReplicaId } from '../base/ids.js'
import type { Address } from '../env/network.js'
import { nodesKey } from '../machine/keys.js'
import { decodeNodes, type NodeRegister, noNodes } from '../machine/nodes.js'
import type { Partition } from './partition.js'

/** The nodes, as one of them knows them. */
export class NodeDirectory {
  readonly #meta: Partition
  #seen = -1
  #register = noNodes
  /** By partition and replica. */
  readonly #heard = new Map<string, Address>()

  constructor(meta: Partition) {
    this.#meta = meta
  }

  /** As meta's state here has it: another node may know more. */
  get register(): NodeRegister {
    if (!this.#meta.isHere) return noNodes
    const changes = this.#meta.changes(nodesKey)
    if (changes !== this.#seen) {
      this.#seen = changes
      const [row] = this.#meta.state.partitionRows(nodesKey)
      this.#register = row === undefined ? noNodes : decodeNodes(row[1].value)
    }
    return this.#register
  }

  /** The replica speaks from there, or says so. */
  heard(partition: PartitionId, replica: ReplicaId, address: Address): void {
    this.#heard.set(`${partition}/${replica}`, address)
  }

  /** Where the node of that replica listens; undefined while nobody has said it here. */
  addressOf(partition: PartitionId, replica: ReplicaId): Address | undefined {
    const known = this.register.nodes.find(one => one.replica === replica)
    return known?.address ?? this.#heard.get(`${partition}/${replica}`)
  }
}
