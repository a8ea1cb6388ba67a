/** Clients of some kinds at work on a scripted cluster, each at some node that is up, until it is over. */
import type { SillokError } from '../../../src/base/errors.js'
import { workloadsOf } from '../../../src/testing/workloads/all.js'
import type { Workload, WorldClient } from '../../../src/testing/workloads/workload.js'
import type { Cluster } from './cluster.js'

export class Load {
  readonly #cluster: Cluster
  readonly #workloads: readonly Workload[]
  readonly #nowNs: () => number
  #clients: Promise<void>[] = []
  #isOver = false
  #failure: { readonly error: unknown } | undefined
  /** How often they were refused with that code. */
  readonly refused: Partial<Record<SillokError['code'], number>> = {}

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#nowNs = () => Math.round(cluster.clock.monotonicMs() * 1e6)
    const random = cluster.random.split('load')
    const all = workloadsOf(this.#nowNs)
    const drawn = all.filter(() => random.chance(0.5))
    this.#workloads = drawn.length > 0 ? drawn : all
  }

  /** Defines what they need, and lets them go. */
  async begin(): Promise<void> {
    for (const workload of this.#workloads) await this.#cluster.node(1).ask(store => workload.define(store))
    const world: WorldClient = {
      nowNs: this.#nowNs,
      isOver: () => this.#isOver || this.#failure !== undefined,
      pause: ms => this.#cluster.pause(ms),
      ask: async (random, call) => {
        const up = this.#cluster.nodes.filter(({ store }) => store !== undefined)
        if (up.length === 0) return { how: 'nobody' }
        const told = await random.pick(up).ask(call)
        if (told.how === 'refused') {
          const { code } = told.error
          this.refused[code] = (this.refused[code] ?? 0) + 1
        }
        return told
      },
    }
    this.#clients = this.#workloads.flatMap(workload =>
      Array.from({ length: workload.clients }, async (_, number) => {
        const random = this.#cluster.random.split(`${workload.name} ${number}`)
        await workload.client(world, number, random).catch((error: unknown) => {
          this.#failure ??= { error }
        })
      }),
    )
  }

  /** Ends them, and looks at every node whether all is as they were told; how much was looked at. */
  async end(): Promise<number> {
    this.#isOver = true
    await Promise.all(this.#clients)
    if (this.#failure !== undefined) throw this.#failure.error
    let checked = 0
    await this.#cluster.agree()
    for (const node of this.#cluster.nodes) {
      for (const workload of this.#workloads) {
        const told = await node.ask(store => workload.check(store))
        if (told.how === 'answered') checked += told.value
        else throw told.how === 'refused' ? told.error : new Error(`node ${node.id}: ${told.how}`)
      }
    }
    return checked
  }
}
