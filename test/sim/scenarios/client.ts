/**
 * A client of one node of a scripted cluster: inserts document after document, each once, and remembers what
 * it was told. What was acknowledged must be there in the end, what was said not to be applied must not.
 */
import { assert, must } from '../../../src/base/assert.js'
import type { SillokError } from '../../../src/base/errors.js'
import type { Cluster, Thing } from './cluster.js'
import type { ClusterNode } from './cluster-node.js'

const pauseMs = 40

export class Client {
  readonly node: ClusterNode
  readonly #cluster: Cluster
  readonly #name: string
  readonly #answeredMs: number[] = []
  readonly #acknowledged: string[] = []
  readonly #notApplied: string[] = []
  /** What it was refused with. */
  readonly refusals: SillokError[] = []
  #isStopped = false

  constructor(cluster: Cluster, node: ClusterNode, name: string) {
    this.#cluster = cluster
    this.node = node
    this.#name = name
  }

  get acknowledged(): number {
    return this.#acknowledged.length
  }

  /** Resolves when it was stopped and all its calls have ended. It does not wait for one before the next. */
  async work(): Promise<void> {
    const asked: Promise<void>[] = []
    for (let number = 0; !this.#isStopped; number++) {
      asked.push(this.#insert(`${this.#name}.${number}`))
      await this.#cluster.pause(pauseMs)
    }
    await Promise.all(asked)
  }

  async #insert(id: string): Promise<void> {
    const told = await this.node.ask(store => store.collection<Thing>('things').insert({ id, email: id }))
    if (told.how === 'answered') {
      this.#acknowledged.push(id)
      this.#answeredMs.push(this.#cluster.clock.monotonicMs())
    } else if (told.how === 'refused') {
      this.refusals.push(told.error)
      if (told.error.outcome === 'not-applied') this.#notApplied.push(id)
    }
  }

  stop(): void {
    this.#isStopped = true
  }

  /** The longest time without an acknowledged write, from that moment until now. */
  longestGapMs(fromMs: number): number {
    let longest = 0
    let last = fromMs
    for (const atMs of [...this.#answeredMs.filter(one => one > fromMs), this.#cluster.clock.monotonicMs()]) {
      longest = Math.max(longest, atMs - last)
      last = atMs
    }
    return Math.round(longest)
  }

  /** Throws what was lost, or is there though it was said not to be. */
  async check(): Promise<void> {
    await this.#cluster.agree()
    for (const node of this.#cluster.nodes) {
      if (node.store === undefined) continue
      const things = must(node.store, 'a store').collection<Thing>('things')
      for (const id of this.#acknowledged)
        assert(await things.has(id), () => `${id} was acknowledged and is not at node ${node.id}`)
      for (const id of this.#notApplied)
        assert(!(await things.has(id)), () => `${id} was not applied and is at node ${node.id}`)
    }
  }
}
