/**
 * How a process becomes, and stays, a node of a cluster.
 *
 * At every start it says to a node of the cluster who it is, and where it listens now (`join`). A new one is
 * told which cluster that is, before it makes anything of its own, and which replicas it is to hold. It holds
 * them from then on by a record of its log each, so a crash in between is a start with what was recorded.
 *
 * States that a crash can leave: no identity, though the register has entered the disk (the next start is a
 * new disk, and gets another replica: the number of that one is lost); an identity without some of the
 * replicas (asked again under the same name of the disk, the cluster answers the same; where a cluster began,
 * `init` goes on with that). Whoever empties a folder empties it whole: where a cluster began, an identity
 * left behind without a log looks as if it had just begun.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import type { NodeId } from '../base/ids.js'
import type { Environment } from '../env/environment.js'
import type { Address, Network } from '../env/network.js'
import type { Host } from '../replica/host.js'
import { founders, type MemberOptions } from '../replica/host-options.js'
import { isFounding, knownIdentity, newIncarnation } from '../replica/identity.js'
import { callOnce } from './call-once.js'
import { CallServer } from './call-server.js'
import type { Joined, JoinRequest } from './node-calls.js'
import { NodeService } from './node-service.js'

/** Who the node is to be, and who knows its cluster. */
export interface JoiningOptions {
  readonly env: Environment
  readonly network: Network
  readonly folder: string
  readonly node: NodeId
  /** Where it listens, as the others can reach it. */
  readonly address: Address
  /** Nodes of the cluster; at a later start those count too that the node knows itself. */
  readonly seeds: readonly Address[]
  /** An empty folder begins a cluster. */
  readonly init: boolean
  /** What a new node is to be. */
  readonly role: 'voter' | 'learner'
  /** Told why it is not there yet, and of what is wrong with others. */
  readonly told: (what: string) => void
}

/** How long one node has for an answer. */
const answerMs = 5000
/** From one round of asking to the next. */
const pauseMs = 300

/** The way of one process into its cluster. */
export class Joining {
  readonly #options: JoiningOptions
  readonly #service: NodeService
  #joined: Joined | undefined
  #lastTold = ''

  constructor(options: JoiningOptions) {
    this.#options = options
    this.#service = new NodeService({ network: options.network, clock: options.env.clock })
  }

  /**
   * What the node is opened with. An empty folder has joined by then, or begins a cluster. Waits as long as
   * nobody answers. Rejects with INVALID (an empty folder that neither joins nor begins anything; or the
   * number is that of another node that lives), FOREIGN_FOLDER, and as `open` for what is in the folder.
   */
  async member(): Promise<MemberOptions & { readonly joined: (host: Host) => Promise<void> }> {
    const { env, network, folder, node, address, seeds, init, role, told } = this.#options
    const known = await knownIdentity(env.disk, folder)
    const fresh = known === undefined
    if (fresh && !init && seeds.length === 0) {
      throw new SillokError('INVALID', `${folder} is empty: say which cluster node ${node} joins, or begins`)
    }
    if (fresh && init && seeds.length > 0) {
      throw new SillokError('INVALID', 'a node that begins a cluster joins none: give init or join, not both')
    }
    const incarnation = known?.incarnation ?? newIncarnation(env.random)
    if (fresh && !init) this.#joined = await this.#join({ node, address, incarnation, holds: null, role })
    const cluster = known?.cluster ?? this.#joined?.cluster ?? incarnation
    const founds = init && isFounding({ cluster, incarnation })
    return {
      network,
      cluster,
      clusterEpoch: this.#joined?.clusterEpoch,
      node,
      address,
      incarnation,
      ...(founds && { founders }),
      calls: connection => new CallServer(connection, (...call) => this.#service.answer(...call)),
      trouble: told,
      joined: host => this.#enter(host),
    }
  }

  /** Says where the node is, now that it takes part, and has it hold what it is to hold. */
  async #enter(host: Host): Promise<void> {
    this.#service.serve(host)
    const { node, address, role } = this.#options
    const { cluster, incarnation } = host.identity
    const isWhole = (): boolean => host.meta.isHere && host.data.isHere
    if (this.#joined === undefined) {
      const holds = isWhole() ? host.meta.opened.replicaId : null
      this.#joined = await this.#join({ cluster, node, address, incarnation, holds, role }, host)
    }
    const { replica, groups } = this.#joined
    for (const group of groups) await host.place({ replica, ...group })
  }

  /** Asks one node after the other, and itself, until one has entered it. */
  async #join(request: JoinRequest, host?: Host): Promise<Joined> {
    for (;;) {
      for (const address of this.#others(host)) {
        const joined = await this.#attempt(address, () => this.#ask(address, request))
        if (joined !== undefined) return joined
      }
      if (host?.isEnding === true) throw host.failure ?? new SillokError('CLOSED', 'the node is closed')
      const joined = host && (await this.#attempt('this node', () => this.#askItself(request)))
      if (joined !== undefined) return joined
      await new Promise<void>(resolve => this.#options.env.clock.after(pauseMs, resolve))
    }
  }

  #others(host: Host | undefined): Address[] {
    const known = host?.nodes.register.nodes.map(({ address }) => address) ?? []
    return [...new Set([...known, ...this.#options.seeds])].filter(one => one !== this.#options.address)
  }

  /** Undefined, and told, if it may go otherwise with another node, or later. */
  async #attempt(whom: string, work: () => Promise<Joined>): Promise<Joined | undefined> {
    try {
      return await work()
    } catch (error) {
      if (!isSillokError(error) || (error.retry === 'never' && error.outcome !== 'unknown')) throw error
      const what = `waits for the cluster: ${whom}: ${error.message}`
      if (what !== this.#lastTold) this.#options.told(what)
      this.#lastTold = what
      return undefined
    }
  }

  async #ask(address: Address, request: JoinRequest): Promise<Joined> {
    const { network, env } = this.#options
    return await callOnce({ network, clock: env.clock, address }, 'join', request, answerMs)
  }

  async #askItself(request: JoinRequest): Promise<Joined> {
    let isOver = false
    const { clock } = this.#options.env
    return await new Promise((resolve, reject) => {
      const timer = clock.after(answerMs, () => {
        isOver = true
        reject(new SillokError('TIMED_OUT', `no leader for ${answerMs} ms`))
      })
      this.#service
        .join(request, () => isOver)
        .then(resolve, reject)
        .finally(() => timer.stop())
    })
  }
}
