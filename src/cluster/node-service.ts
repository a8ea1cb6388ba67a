/**
 * What a node answers to calls. Any node that holds all partitions can be called: what has to be decided goes
 * to who leads.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import * as schema from '../codec/wire-schema.js'
import type { Clock } from '../env/clock.js'
import type { Network } from '../env/network.js'
import type { Host } from '../replica/host.js'
import { foundingVoters } from '../replica/host-options.js'
import { Caller } from './caller.js'
import {
  answers,
  type Joined,
  type JoinRequest,
  type NodeMethod,
  type NodeName,
  requests,
} from './node-calls.js'

/** What the service works with. */
export interface NodeServiceOptions {
  readonly network: Network
  readonly clock: Clock
}

/** How long a node that is to be replaced has to show that it lives. */
const signOfLifeMs = 2000

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
    const answer = this.#methods[method as NodeMethod]
    if (!Object.hasOwn(this.#methods, method)) throw new SillokError('INVALID', `no method ${method}`)
    return await answer(argument, isForgotten)
  }

  readonly #methods: Readonly<
    Record<NodeMethod, (argument: unknown, isForgotten: () => boolean) => Promise<unknown>>
  > = {
    join: async (argument, isForgotten) =>
      await this.join(schema.parse(requests.join, argument, 'join'), isForgotten),
    identify: async argument => {
      schema.parse(requests.identify, argument, 'identify')
      return this.identify()
    },
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
    const host = this.#ready
    const { cluster, clusterEpoch } = host.identity
    const { cluster: own, ...node } = request
    if (own !== undefined && own !== cluster) {
      throw new SillokError('FOREIGN_FOLDER', `node ${node.node} is of cluster ${own}, not of ${cluster}`)
    }
    const partitions = [host.meta, host.data]
    if (!partitions.every(({ isHere }) => isHere)) throw notReady()
    await this.#mustBeGone(request, host)
    const { value } = await host.meta.call({ type: 'enterNode', ...node }, {}, isForgotten)
    const { replica } = value as { replica: number }
    const groups = partitions.map(({ id: partition, opened }) => {
      return { partition, voters: foundingVoters, cutBytes: opened.cutBytes }
    })
    return { cluster, clusterEpoch, replica, groups }
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
    const { network, clock } = this.#options
    const caller = new Caller({ network, clock, address: known.address })
    try {
      const answer = await caller.call('identify', {}, signOfLifeMs)
      const other = schema.parse(answers.identify, answer, 'identify')
      if (other.incarnation !== known.incarnation) return
    } catch (error) {
      if (!isSillokError(error)) throw error
      return
    } finally {
      caller.close()
    }
    const message = `node ${node} lives, at ${known.address}: choose another number, or stop it first`
    throw new SillokError('INVALID', message, { details: { node, address: known.address } })
  }
}

function notReady(): SillokError {
  return new SillokError('UNAVAILABLE', 'this node is being opened')
}
