/**
 * What a node answers to calls. Any node that holds all partitions can be called: what has to be decided goes
 * to who leads.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import type { NodeId } from '../base/ids.js'
import * as schema from '../codec/wire-schema.js'
import type { Clock } from '../env/clock.js'
import type { Network } from '../env/network.js'
import type { Host } from '../replica/host.js'
import { founders } from '../replica/host-options.js'
import { callOnce } from './call-once.js'
import {
  type Health,
  type Joined,
  type JoinRequest,
  type MemberOf,
  type Members,
  type NodeMethod,
  type NodeName,
  requests,
  type Said,
} from './node-calls.js'

/** What the service works with. */
export interface NodeServiceOptions {
  readonly network: Network
  readonly clock: Clock
}

/** How long a node that is to be replaced has to show that it lives. */
const signOfLifeMs = 2000
/** Between two looks at who leads, and two requests to another one to do so. */
const transferMs = 100

/** The answers of one node. */
export class NodeService {
  readonly #options: NodeServiceOptions
  #host: Host | undefined

  constructor(options: NodeServiceOptions) {
    this.#options = options
  }

  /** From now on it is this host that answers. */
  serve(host: Host): void {
    this.#host = host
  }

  /** Answers a call; rejects with INVALID if there is no such method, or as the method does. */
  async answer(method: string, argument: unknown, isForgotten: () => boolean): Promise<unknown> {
    if (!Object.hasOwn(this.#methods, method)) throw new SillokError('INVALID', `no method ${method}`)
    const name = method as NodeMethod
    const said = schema.parse(requests[name] as schema.Shape<never>, argument, method)
    return await this.#methods[name](said, isForgotten)
  }

  readonly #methods: {
    readonly [M in NodeMethod]: (said: Said<M>, isForgotten: () => boolean) => unknown
  } = {
    join: (said, isForgotten) => this.join(said, isForgotten),
    identify: () => this.identify(),
    members: (_, isForgotten) => this.members(isForgotten),
    setRole: (said, isForgotten) => this.setRole(said, isForgotten),
    transfer: ({ node }, isForgotten) => this.transfer(node, isForgotten),
    health: () => this.health(),
  }

  /** Who this node is. UNAVAILABLE while it is being opened. */
  identify(): NodeName {
    const { cluster, node, incarnation } = this.#ready.identity
    return { cluster, node, incarnation }
  }

  /**
   * Enters the node in the register: when it resolves, the cluster counts on it. Rejects with FENCED if what
   * is on its disk counts no more, with FOREIGN_FOLDER if it is of another cluster, with INVALID if its
   * number is that of another node that lives; UNAVAILABLE, TIMED_OUT: try again, at any node.
   */
  async join(request: JoinRequest, isForgotten: () => boolean = () => false): Promise<Joined> {
    const host = this.#whole
    const { cluster, clusterEpoch } = host.identity
    const { cluster: own, ...node } = request
    if (own !== undefined && own !== cluster) {
      throw new SillokError('FOREIGN_FOLDER', `node ${node.node} is of cluster ${own}, not of ${cluster}`)
    }
    await this.#mustBeGone(request, host)
    const { value } = await host.meta.call({ type: 'enterNode', ...node }, {}, isForgotten)
    const { replica } = value as { replica: number }
    const groups = [host.meta, host.data].map(({ id: partition, opened }) => {
      return { partition, voters: founders.voters, cutBytes: opened.cutBytes }
    })
    return { cluster, clusterEpoch, replica, groups }
  }

  /** Who belongs to the cluster: everybody whose entering was acknowledged before the call. */
  async members(isForgotten: () => boolean = () => false): Promise<Members> {
    const host = this.#whole
    await host.meta.readable(isForgotten)
    const groups = [host.meta, host.data].map(({ id, replica }) => ({ id, ...replica.group() }))
    const nodes = host.nodes.register.nodes.map(({ node, address, role, replica }) => {
      const votes = groups.every(({ configuration }) => configuration.voters.includes(replica))
      const leads = groups.filter(({ leader }) => leader === replica).map(({ id }) => id)
      return { node, address, role, replica, votes, leads }
    })
    return { cluster: host.identity.cluster, nodes }
  }

  /**
   * Says what a node is to be from now on. When it resolves that is logged; the groups follow, a step at a
   * time. Rejects with NOT_FOUND, with INVALID for the last one that votes.
   */
  async setRole(wanted: Pick<MemberOf, 'node' | 'role'>, isForgotten: () => boolean): Promise<null> {
    await this.#whole.meta.call({ type: 'setNodeRole', ...wanted }, {}, isForgotten)
    return null
  }

  /** Has the node lead all groups; resolves when it does. NOT_FOUND, INVALID if it does not vote. */
  async transfer(node: NodeId, isForgotten: () => boolean): Promise<null> {
    const host = this.#whole
    await host.meta.readable(isForgotten)
    const known = host.nodes.register.nodes.find(one => one.node === node)
    if (known === undefined) throw new SillokError('NOT_FOUND', `the cluster has no node ${node}`)
    const partitions = [host.meta, host.data]
    const votes = partitions.every(({ replica }) =>
      replica.group().configuration.voters.includes(known.replica),
    )
    if (!votes) throw new SillokError('INVALID', `node ${node} does not vote`)
    while (!isForgotten()) {
      const others = partitions.filter(({ replica }) => replica.group().leader !== known.replica)
      if (others.length === 0) return null
      for (const { replica } of others) replica.transferLeader(known.replica)
      await new Promise<void>(resolve => this.#options.clock.after(transferMs, resolve))
    }
    throw new SillokError('ABORTED', 'nobody waits any more')
  }

  /** How this node is. */
  health(): Health {
    const host = this.#ready
    const here = [host.meta, host.data].filter(({ isHere }) => isHere)
    const groups = here.map(({ id: partition, replica }) => {
      const { role, term, commit, applied } = replica.status()
      return { partition, role, leader: replica.group().leader, term, commit, applied }
    })
    const ready = groups.length === 2 && groups.every(({ leader }) => leader !== 0)
    return { node: host.identity.node, ready, groups }
  }

  /** The host, once it holds all partitions. */
  get #whole(): Host {
    const host = this.#ready
    if (!host.meta.isHere || !host.data.isHere) throw notReady()
    return host
  }

  get #ready(): Host {
    if (this.#host === undefined) throw notReady()
    return this.#host
  }

  /** An empty disk takes the place of a lost one; a node that is told of by mistake keeps its own. */
  async #mustBeGone({ node, address, incarnation, holds }: JoinRequest, host: Host): Promise<void> {
    const known = host.nodes.register.nodes.find(one => one.node === node)
    if (known === undefined || known.incarnation === incarnation || holds !== null) return
    if (known.address === address) return
    try {
      const there = { ...this.#options, address: known.address }
      const other = await callOnce(there, 'identify', {}, signOfLifeMs)
      if (other.incarnation !== known.incarnation) return
    } catch (error) {
      if (!isSillokError(error)) throw error
      return
    }
    const message = `node ${node} lives, at ${known.address}: choose another number, or stop it first`
    throw new SillokError('INVALID', message, { details: { node, address: known.address } })
  }
}

function notReady(): SillokError {
  return new SillokError('UNAVAILABLE', 'this node is being opened')
}
