/** Clients at work on a scripted cluster, one at each node. */
import { assert } from '../../../src/base/assert.js'
import type { SillokError } from '../../../src/base/errors.js'
import { Client } from './client.js'
import type { Cluster } from './cluster.js'

export class Clients {
  readonly #cluster: Cluster
  readonly #all: readonly Client[]
  readonly #working: readonly Promise<void>[]

  /** They begin at once. */
  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#all = cluster.nodes.map((node, number) => new Client(cluster, node, `c${number}`))
    this.#working = this.#all.map(client => client.work())
  }

  /** What they were refused with. */
  get refusals(): readonly SillokError[] {
    return this.#all.flatMap(({ refusals }) => refusals)
  }

  /** Lets that time pass; throws if a client was not served in it. */
  async areServedWithin(ms: number): Promise<void> {
    const before = this.#all.map(({ acknowledged }) => acknowledged)
    await this.#cluster.pause(ms)
    for (const [at, client] of this.#all.entries())
      assert(client.acknowledged > (before[at] ?? 0), () => `client ${at} is not served`)
  }

  /** The longest time that one was not served, from that moment until now. Throws if it is `mostMs`. */
  longestGapMs(fromMs: number, mostMs: number): number {
    const gaps = this.#all.map(client => client.longestGapMs(fromMs))
    for (const [at, gap] of gaps.entries()) assert(gap < mostMs, () => `client ${at} waited ${gap} ms`)
    return Math.max(...gaps)
  }

  /** Ends them, and throws what was lost, or is there though it was said not to be. */
  async end(): Promise<void> {
    for (const client of this.#all) client.stop()
    await Promise.all(this.#working)
    for (const client of this.#all) await client.check()
  }
}
