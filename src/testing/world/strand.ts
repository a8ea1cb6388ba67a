/**
 * The fault of a node that is left behind: cut off until the others have trimmed the log that it needs, or
 * for a while, and then far away, so that the snapshot takes its time. While that is on the way one of its
 * ends may be lost. One node at a time; it ends with `calm`, which joins all cables.
 */
import type { Random } from '../../base/random.js'
import type { SimNetwork } from '../../sim/sim-network.js'
import { hostOf, type WorldNode } from './world-node.js'

/** What a node is stranded in. */
export interface StrandWorld {
  readonly nodes: readonly WorldNode[]
  readonly cables: SimNetwork
  readonly after: (ms: number, call: () => void) => void
  readonly replicaOn: (node: number) => number
}

/** Between two looks at whether it is time. */
const lookMs = 10

/** The longest wait for a snapshot to be sent. */
const sentMsMax = 8000

/** So long a sender that is cut off stays so. */
const cutOffMs = 4000

/** Leaves nodes behind. */
export class Strand {
  readonly #world: StrandWorld
  /** The one that is under way. */
  #current: object | undefined

  constructor(world: StrandWorld) {
    this.#world = world
  }

  /** A node is left behind now, and no other one can be. */
  get isUnderWay(): boolean {
    return this.#current !== undefined
  }

  /** The node is cut off from now on. All chance is drawn here. */
  begin(node: WorldNode, random: Random): void {
    const own = {}
    this.#current = own
    const { cables, nodes } = this.#world
    const others = nodes.filter(other => other !== node)
    const ways = this.#waysOf(node)
    const farMs = 1 + random.below(random.pick([5, 100, 600]))
    for (const [from, to] of ways) {
      cables.cut(from, to)
      cables.delay(from, to, [1, farMs])
    }
    const awayMsMax = 1000 + random.below(random.pick([3000, 15_000, 15_000]))
    const lateMs = random.below(3 * farMs)
    const loss = this.#drawnLoss(node, random)
    const isLeftBehind = (): boolean => others.some(other => other.wentOnWithout(node))
    this.#once(own, isLeftBehind, awayMsMax, () => {
      this.#heal(node)
      const sender = (): WorldNode | undefined =>
        others.find(other => other.sendsTo(this.#world.replicaOn(node.node)))
      this.#once(
        own,
        () => sender() !== undefined,
        sentMsMax,
        () => {
          const from = sender()
          if (from === undefined) this.#current = undefined
          else this.#later(own, lateMs, () => this.#end(from, loss))
        },
      )
    })
  }

  /** What is under way is given up. */
  calm(): void {
    this.#current = undefined
  }

  #drawnLoss(node: WorldNode, random: Random): (sender: WorldNode) => void {
    const mode = random.pick(['all', 'none', 'any'] as const)
    return random.pick<(sender: WorldNode) => void>([
      () => {},
      sender => sender.crash(mode),
      () => node.crash(mode),
      sender => {
        for (const way of this.#waysOf(sender)) this.#world.cables.cut(...way)
        this.#world.after(cutOffMs, () => this.#heal(sender))
      },
    ])
  }

  #end(sender: WorldNode, loss: (sender: WorldNode) => void): void {
    this.#current = undefined
    loss(sender)
  }

  #heal(node: WorldNode): void {
    for (const way of this.#waysOf(node)) this.#world.cables.heal(...way)
  }

  /** From it to all others, and back. */
  #waysOf(node: WorldNode): readonly (readonly [string, string])[] {
    const others = this.#world.nodes.filter(other => other !== node)
    return others.flatMap(other => {
      const [here, there] = [hostOf(node.node), hostOf(other.node)]
      return [[here, there] as const, [there, here] as const]
    })
  }

  /** Calls as soon as it holds, or when the time is over. */
  #once(own: object, holds: () => boolean, ms: number, call: () => void): void {
    if (ms <= 0 || holds()) call()
    else this.#later(own, lookMs, () => this.#once(own, holds, ms - lookMs, call))
  }

  #later(own: object, ms: number, call: () => void): void {
    this.#world.after(ms, () => {
      if (this.#current === own) call()
    })
  }
}
