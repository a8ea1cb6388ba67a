/**
 * One seed, one world: several nodes, each the code that runs in production, clients at work on all of them,
 * and faults, until the time for them is over. What was acknowledged must be there then, what was refused
 * must have had a reason, and a cluster whose nodes can reach each other must come to rest, with the same log
 * and the same rows everywhere; also after the power was lost on all nodes at once.
 */
import { assert, must } from '../../base/assert.js'
import { SillokError } from '../../base/errors.js'
import { metaPartition, type PartitionId } from '../../base/ids.js'
import { Random } from '../../base/random.js'
import type { OpenedReplica } from '../../replica/open-replica.js'
import { dataPartition } from '../../replica/partition-folders.js'
import { FaultCounts } from '../../sim/fault-counts.js'
import { SimClock } from '../../sim/sim-clock.js'
import { SimNetwork } from '../../sim/sim-network.js'
import { trapGlobals } from '../../sim/trapped-globals.js'
import { IndexTypes } from '../../store/index-types.js'
import type { Store } from '../../store/store.js'
import { workloadsOf } from '../workloads/all.js'
import type { Told, Workload, WorldClient } from '../workloads/workload.js'
import { drawnFault, Faults } from './faults.js'
import { unjustified } from './justified.js'
import { Operator } from './operator.js'
import { type DrawnOptions, drawOptions, type WorldOptions } from './options.js'
import { RareWatch } from './rare-watch.js'
import { type Broken, stackOf, type WorldCounts, WorldFailure, type WorldReport } from './report.js'
import { Timeline } from './timeline.js'
import { Verification } from './verification.js'
import { Watcher } from './watcher.js'
import { listeningAt, WorldNode } from './world-node.js'

/** After the faults a cluster has so long to come to rest. */
const restMs = 90_000
const lookMs = 50
/** Beyond the model nobody waits for more than what is under way. */
const beyondMs = 10_000
const partitions = [metaPartition, dataPartition]

/** One world; run it once. */
export class World {
  readonly options: DrawnOptions
  readonly #seed: string
  readonly #random: Random
  readonly #clock = new SimClock()
  readonly #cables: SimNetwork
  readonly #nodes: readonly WorldNode[]
  readonly #faults: Faults
  /** They may lose what they have synced. */
  readonly #victims: readonly WorldNode[]
  readonly #faultCounts = new FaultCounts()
  readonly #operator: Operator
  readonly #watcher: Watcher
  readonly #rare: RareWatch
  readonly #timeline: Timeline
  readonly #verification: Verification
  readonly #workloads: readonly Workload[]
  readonly #counts: WorldCounts = {
    leaders: 0,
    compared: 0,
    replaced: 0,
    regrouped: 0,
    installed: 0,
    changes: 0,
    expired: 0,
    unknown: 0,
    refusedToOpen: 0,
    falls: 0,
  }
  /** A node that is being given new replicas. */
  #replacing: WorldNode | undefined
  /** Clients that have not finished. */
  readonly #atWork = new Set<string>()
  #isFaulty = true
  /** Begun so far; the number of the next one. */
  #strikes = 0
  #fail: (error: unknown) => void = () => {}

  /** Nothing happens before `run`. */
  constructor(options: WorldOptions) {
    this.#seed = options.seed
    this.#random = new Random(options.seed)
    const nowNs = (): number => Math.round(this.#clock.monotonicMs() * 1e6)
    const known = workloadsOf(nowNs)
    this.options = drawOptions(
      options,
      this.#random.split('options'),
      known.map(({ name }) => name),
    )
    const { workloads, nodes } = this.options
    const own = options.ownWorkloads?.(nowNs) ?? []
    this.#workloads = [...known.filter(({ name }) => workloads.includes(name)), ...own]
    this.#timeline = new Timeline(() => this.#clock.monotonicMs())
    this.#watcher = new Watcher({ hear: what => this.#timeline.hear(what) })
    this.#cables = new SimNetwork({
      clock: this.#clock,
      random: this.#random.split('cables'),
      faults: this.#faultCounts,
    })
    const numbers = Array.from({ length: nodes }, (_, place) => place + 1)
    this.#rare = new RareWatch({ nodes, faults: this.#faultCounts })
    this.#operator = new Operator({
      partitions,
      founders: numbers,
      pause: ms => this.#pause(ms),
      leader: partition => this.#leader(partition)?.opened,
      told: (node, what) => this.#timeline.note(node, what),
    })
    this.#nodes = numbers.map(node =>
      this.#makeNode(node, numbers, new IndexTypes([...(options.indexTypes ?? [])])),
    )
    const most = Math.ceil(nodes / 2) - 1
    this.#victims = most > 0 ? this.#nodes.slice(0, most) : this.#nodes
    this.#faults = new Faults({
      nodes: this.#nodes,
      cables: this.#cables,
      victims: this.#victims,
      after: (ms, call) => void this.#clock.after(ms, call),
      leader: random => this.#leader(random.pick(partitions))?.node,
      replicaOn: node => this.#operator.replicaOn(node),
      replace: node => this.#replace(node),
      regroup: (node, type, random) => this.#regroup(random.pick(partitions), node, type),
      told: (node, what) => this.#timeline.note(node, what),
    })
    this.#verification = this.#makeVerification()
  }

  /** From empty disks to the end. Throws a WorldFailure. */
  async run(): Promise<WorldReport> {
    const broken = new Promise<never>((_, reject) => {
      this.#fail = reject
    })
    broken.catch(() => {})
    const checked: Record<string, number> = {}
    const release = trapGlobals()
    try {
      await this.#clock.run(Promise.race([this.#live(checked), broken]))
    } catch (cause) {
      throw new WorldFailure(this.#broken(cause), cause)
    } finally {
      release()
    }
    this.#counts.leaders = this.#watcher.leaders
    this.#counts.compared = this.#watcher.compared
    const reached = this.#rare.end(this.#counts)
    return {
      options: this.options,
      simulatedMs: this.#clock.monotonicMs(),
      faults: this.#faultCounts,
      begun: this.#faults.begun,
      checked,
      counts: this.#counts,
      reached,
      digest: this.#digest(),
    }
  }

  #makeVerification(): Verification {
    return new Verification({
      nodes: this.#nodes,
      partitions,
      workloads: this.#workloads,
      silenceMs: this.#cables.silenceMs[1],
      nowMs: () => this.#clock.monotonicMs(),
      pause: ms => this.#pause(ms),
      within: (work, otherwise) => this.#within(work, otherwise),
      leader: partition => this.#leader(partition)?.opened,
      isReplacing: () => this.#replacing !== undefined,
      damaged: node => {
        this.#counts.refusedToOpen += 1
        this.#replace(node)
      },
    })
  }

  #digest(): string {
    this.#timeline.hear(JSON.stringify([this.#clock.fired, this.#faultCounts, this.#counts, this.#strikes]))
    return this.#timeline.digest
  }

  #broken(cause: unknown): Broken {
    const check = cause instanceof Error ? cause.message : String(cause)
    this.#timeline.note(undefined, `broken: ${check}`)
    return {
      seed: this.#seed,
      options: this.options,
      check,
      stack: stackOf(cause),
      atMs: this.#clock.monotonicMs(),
      strikes: this.#strikes,
      timeline: this.#timeline.text(200),
      lastOfEach: this.#timeline.lastOfEach(40),
      digest: this.#digest(),
    }
  }

  async #live(checked: Record<string, number>): Promise<void> {
    for (const node of this.#nodes) node.start()
    this.#watch()
    await this.#within(this.#define(), 'the collections are not defined')
    const clients = this.#workloads.flatMap(workload =>
      Array.from({ length: workload.clients }, (_, number) => this.#client(workload, number)),
    )
    await this.#strike()
    this.#isFaulty = false
    this.#faults.calm()
    this.#verification.calmed()
    for (const node of this.#nodes) node.crashIfDue()
    if (this.options.beyond) {
      await this.#pause(beyondMs)
      return
    }
    await this.#within(Promise.all(clients), 'the clients are not served')
    await this.#verification.verify(checked)
    this.#timeline.note(undefined, 'the power goes on all nodes at once')
    for (const node of this.#nodes) node.crash('none')
    await this.#verification.verify(checked)
  }

  // --- Nodes

  #makeNode(node: number, numbers: readonly number[], indexTypes: IndexTypes): WorldNode {
    const made: WorldNode = new WorldNode({
      node,
      founders: { replica: node, voters: numbers },
      clock: this.#clock,
      random: this.#random.split(`node ${node}`),
      cables: this.#cables,
      limits: this.options.limits,
      mayStop: this.options.beyond,
      indexTypes,
      faults: this.#faultCounts,
      addressOf: replica => {
        const place = this.#operator.nodeOf(replica)
        return place === undefined ? undefined : listeningAt(place)
      },
      observer: this.#rare.observerOf(node, () => this.#replacing !== undefined),
      told: what => this.#timeline.note(node, what),
      ended: () => this.#startSoon(made),
      lost: why => {
        if (!made.hasRot && !this.options.beyond) {
          this.#fail(new Error(`node ${node} refuses files that nothing harmed: ${why}`))
          return
        }
        this.#rare.lost(node, this.#replacing !== undefined)
        this.#counts.refusedToOpen += 1
        this.#replace(made)
      },
      alarmed: alarm => this.options.beyond || this.#fail(new Error(`an alarm: ${JSON.stringify(alarm)}`)),
      failed: error => this.#fail(error),
    })
    return made
  }

  #startSoon(node: WorldNode): void {
    this.#counts.falls += 1
    const random = this.#random.split(`start ${this.#counts.falls}`)
    this.#clock.after(random.below(random.pick([30, 3000])), () => node.start())
  }

  /** One after the other; a node that cannot be replaced now stays out until it can. */
  #replace(node: WorldNode): void {
    if (this.options.beyond) return
    if (this.#replacing !== undefined) {
      if (node.state === 'lost' && node !== this.#replacing) this.#clock.after(500, () => this.#replace(node))
      return
    }
    this.#replacing = node
    this.#counts.replaced += 1
    this.#operator.replace(node).then(
      () => {
        this.#replacing = undefined
        this.#rare.replaced(node.node)
        if (node.state === 'lost') this.#replace(node)
      },
      error => this.#fail(error),
    )
  }

  /**
   * Takes the node's vote, or gives it back; whether anybody does so now is the leader's to say. Of victims
   * only: without the votes of all others two victims that are lost at once could be a majority.
   */
  #regroup(partition: PartitionId, { node }: WorldNode, type: 'simple' | 'joint'): void {
    const leader = this.#leader(partition)?.opened
    const replica = this.#operator.replicaOn(node)
    if (leader === undefined || this.#replacing?.node === node) return
    const { voters, learners } = leader.replica.group().configuration
    const isVoter = voters.includes(replica)
    if (!isVoter && !learners.includes(replica)) return
    const step = isVoter ? 'addLearner' : 'addVoter'
    leader.replica.changeGroup({ type, steps: [{ type: step, replica }] }).then(
      () => {
        this.#counts.regrouped += 1
      },
      () => {},
    )
  }

  // --- Clients

  async #define(): Promise<void> {
    const random = this.#random.split('define')
    for (const workload of this.#workloads) {
      for (;;) {
        const told = await this.#ask(random, store => workload.define(store))
        if (told.how === 'answered') break
        await this.#pause(100)
      }
    }
  }

  async #client(workload: Workload, number: number): Promise<void> {
    const world: WorldClient = {
      nowNs: () => Math.round(this.#clock.monotonicMs() * 1e6),
      isOver: () => !this.#isFaulty,
      pause: ms => this.#pause(ms * this.options.leisure),
      ask: (random, call) => this.#ask(random, call),
    }
    const name = `${workload.name} ${number}`
    this.#atWork.add(name)
    try {
      await workload.client(world, number, this.#random.split(name))
      this.#atWork.delete(name)
    } catch (error) {
      this.#fail(new Error(`${name}: ${String(error)}`, { cause: error }))
    }
  }

  async #ask<T>(random: Random, call: (store: Store) => Promise<T>): Promise<Told<T>> {
    const told = await this.#askSomebody(random, call)
    if (told.how === 'refused') {
      this.#rare.told(told.error.code)
      const wrong = unjustified(told.error, this.options.limits)
      if (wrong !== undefined && !this.options.beyond) this.#fail(new Error(wrong, { cause: told.error }))
    }
    this.#timeline.hear(textOf(told))
    return told
  }

  async #askSomebody<T>(random: Random, call: (store: Store) => Promise<T>): Promise<Told<T>> {
    const up = this.#nodes.filter(({ store }) => store !== undefined)
    if (up.length === 0) return { how: 'nobody' }
    const node = random.pick(up)
    const store = must(node.store, 'a store')
    // It is asked by a program in the same process: not while that stands still.
    const asked = new Promise<T>((resolve, reject) => {
      // A store that closed meanwhile may throw at once.
      const ask = async (): Promise<T> => await call(store)
      node.machine.clock.arrive(() => {
        ask().then(resolve, reject)
      })
    })
    try {
      const value = await node.orEnd(asked.then(answer => ({ answer })))
      return value === undefined ? { how: 'gone' } : { how: 'answered', value: value.answer }
    } catch (error) {
      if (error instanceof SillokError) return { how: 'refused', error }
      throw error
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => this.#clock.after(ms, resolve))
  }

  // --- Faults

  async #strike(): Promise<void> {
    const random = this.#random.split('strikes')
    const { faultMs, faults, isQuiet, skip } = this.options
    const end = this.#clock.monotonicMs() + faultMs
    const pace = isQuiet ? 6000 : random.pick([300, 1500, 6000])
    const relief = isQuiet ? 0 : random.pick([0.1, 0.25, 0.25])
    for (; this.#clock.monotonicMs() < end; this.#strikes++) {
      const own = random.split(`${this.#strikes}`)
      await this.#pause(own.below(pace))
      if (skip.includes(this.#strikes)) continue
      if (own.chance(relief)) this.#faults.calm()
      else if (faults.length > 0) this.#faults.strike(drawnFault(faults, own.split('fault')), own)
      const after = own.split('aftershock')
      if (faults.includes('kill') && after.chance(0.15)) this.#faults.aftershock(after)
    }
  }

  // --- Checks

  #watch(): void {
    if (this.options.beyond) return
    try {
      for (const { partition, opened } of this.#replicas()) this.#watcher.look(partition, opened)
      this.#rare.look(this.#nodes)
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#clock.after(lookMs, () => this.#watch(), { idle: true })
  }

  async #within<T>(work: Promise<T>, otherwise: string): Promise<T> {
    const late = this.#pause(restMs).then(() => {
      throw new Error(`${otherwise}:\n${this.#standings()}`)
    })
    return await Promise.race([work, late])
  }

  /** Where everybody stands, when something does not come to its end. */
  #standings(): string {
    const states = this.#nodes.map(({ node, state }) => `${node} ${state}`).join(', ')
    const groups = this.#replicas().map(({ node, partition, opened }) => {
      const { role, term, commit, applied, lastIndex, configuration } = opened.replica.group()
      const { voters, learners } = configuration
      const group = { role, term, commit, applied, lastIndex, voters, learners }
      return `node ${node.node}, partition ${partition}: ${JSON.stringify(group)}`
    })
    return [`nodes ${states}; at work: ${[...this.#atWork].join(', ')}`, ...groups].join('\n')
  }

  /** All replicas of living processes. */
  #replicas(): {
    readonly node: WorldNode
    readonly partition: PartitionId
    readonly opened: OpenedReplica
  }[] {
    return this.#nodes.flatMap(node => {
      const { host } = node
      if (host === undefined || !node.takesPart) return []
      return [host.meta, host.data]
        .filter(({ isHere }) => isHere)
        .map(({ id, opened }) => ({ node, partition: id, opened }))
    })
  }

  /** Who leads in the newest term. */
  #leader(partition: PartitionId): { readonly node: WorldNode; readonly opened: OpenedReplica } | undefined {
    const leaders = this.#replicas().filter(one => one.partition === partition && one.opened.replica.leads)
    assert(
      leaders.every(({ opened }) => opened.replica.term > 0),
      'a leader has a term',
    )
    return leaders.sort((a, b) => b.opened.replica.term - a.opened.replica.term)[0]
  }
}

/** How a call ended, and with what, where that can be written down. */
function textOf(told: Told<unknown>): string {
  if (told.how === 'refused') return `refused ${told.error.code} ${told.error.outcome} ${told.error.message}`
  if (told.how !== 'answered') return told.how
  try {
    return `answered ${JSON.stringify(told.value) ?? ''}`
  } catch {
    return 'answered something'
  }
}
