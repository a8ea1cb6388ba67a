/**
 * One random schedule over a group of three to seven replicas: messages are dropped, repeated (also long
 * after), reordered and delayed, disks are slow and tell late or twice what they did, replicas crash and lose
 * what was not stored, links are cut, the configuration changes, logs are compacted. After every step
 * everything that must hold is checked; in the end the faults stop and the group must make progress.
 */
import { assert } from '../../../src/base/assert.js'
import { entryHeadBytes, entryKinds } from '../../../src/base/entry.js'
import { Random } from '../../../src/base/random.js'
import type { ChangeStep, ConfigurationChange } from '../../../src/raft/configuration.js'
import { membersOf, simpleConfiguration } from '../../../src/raft/configuration.js'
import { SimulatedGroup } from './group.js'
import type { SimulatedNode } from './node.js'

/** What came of a schedule. */
export interface Outcome {
  readonly steps: number
  readonly committed: number
  readonly terms: number
  readonly changes: number
  readonly reads: number
}

type Action = (run: Run, node: SimulatedNode) => void

/** How often each happens, of their sum. */
const actions: readonly (readonly [weight: number, action: Action])[] = [
  [40, (run, node) => run.ticks(node)],
  [140, run => run.delivers()],
  [4, run => run.repeats()],
  [5, run => run.group.drop(run.random.below(Math.max(run.group.network.length, 1)))],
  [60, run => run.busy('appends')?.storeOne()],
  [8, run => run.busy('appends')?.storeUnheard()],
  [12, run => run.busy('unheard')?.hear(run.random.chance(0.2))],
  [30, run => run.busy('applies')?.applySome(1 + run.random.below(4))],
  [5, run => run.busy('needs')?.loadOne(run.random.chance(0.1))],
  [20, run => run.proposes()],
  [2, run => run.calms()],
  [10, (run, node) => run.group.read(node)],
  [6, run => run.changes()],
  [2, (_, node) => node.raft?.campaign()],
  [1, (run, node) => node.raft?.transferLeader(run.random.pick(run.ids))],
  [1, (_, node) => node.raft?.forgetLeader()],
  [1, (run, node) => node.raft?.reportUnreachable(run.random.pick(run.ids))],
  [1, (run, node) => node.raft?.reportSnapshot(run.random.pick(run.ids), run.random.chance(0.5))],
  [2, (run, node) => node.raft && node.compact(run.random.below(5))],
  [5, (run, node) => run.crashesOrStarts(node)],
  [3, (run, node) => run.cutsOrHeals(node)],
]
class Run {
  readonly random: Random
  readonly group: SimulatedGroup
  readonly ids: readonly number[]
  /** How often each action happens in this run: schedules are to differ. */
  readonly #weights: readonly number[]
  readonly #weightSum: number
  /** Roles in which one who is behind is not told of newer terms by those whom it speaks to. */
  readonly #untold: readonly string[]
  #proposed = 0
  changed = 0

  constructor(seed: string, Group: typeof SimulatedGroup) {
    this.random = new Random(seed)
    const { random } = this
    this.#weights = actions.map(([weight]) => weight * random.pick([0.2, 1, 1, 5]))
    this.#weightSum = this.#weights.reduce((sum, weight) => sum + weight, 0)
    const count = random.chance(0.5) ? 3 : 3 + random.below(5)
    this.ids = Array.from({ length: count }, (_, place) => place + 1)
    const voters = this.ids.filter(id => id <= 3 || random.chance(0.5))
    const learners = this.ids.filter(id => !voters.includes(id) && random.chance(0.3))
    const [preVote, checkQuorum] = [random.chance(0.7), random.chance(0.7)]
    this.#untold = preVote ? [] : checkQuorum ? ['candidate'] : ['candidate', 'leader']
    this.group = new Group(this.ids, simpleConfiguration(voters, learners), {
      preVote,
      checkQuorum,
      electionTicks: random.pick([4, 10]),
      heartbeatTicks: 1 + random.below(3),
      flightAppendsMax: 1 + random.below(4),
      appendBytesMax: random.pick([1, 100, 1000]),
      applyingCountMax: random.pick([1, 3, 1000]),
    })
    if (random.chance(0.3)) for (const node of this.group.all) node.storage.absentBelow = 1 + random.below(30)
  }

  step(): void {
    const node = this.group.node(this.random.pick(this.ids))
    let draw = this.random.fraction() * this.#weightSum
    for (const [place, weight] of this.#weights.entries()) {
      draw -= weight
      if (draw >= 0) continue
      actions[place]?.[1](this, node)
      break
    }
    node.pump()
  }

  /** One of the replicas where something of this kind waits. */
  busy(what: 'appends' | 'unheard' | 'applies' | 'needs'): SimulatedNode | undefined {
    const busy = this.group.all.filter(node => node.raft !== undefined && node[what].length > 0)
    return busy.length === 0 ? undefined : this.random.pick(busy)
  }

  ticks(node: SimulatedNode): void {
    node.raft?.tick()
  }

  /** Mostly the oldest ones, else messages would never get through. */
  delivers(): void {
    const { random, group } = this
    const { length } = group.network
    if (length === 0) return
    const place = random.chance(0.7) ? random.below(Math.min(length, 5)) : random.below(length)
    group.deliver(place, random.chance(0.05))
    if (length > 300) group.drop(random.below(length))
  }

  /** Something arrives again that was said long ago, perhaps to an earlier run of the replica. */
  repeats(): void {
    const { random, group } = this
    if (group.sentBefore.length === 0) return
    const message = random.pick(group.sentBefore)
    group.node(message.to).raft?.step(message)
    group.node(message.to).pump()
  }

  /** For some ticks all that can happen does, but for what is cut off or down. */
  calms(): void {
    const { random, group } = this
    for (let ticks = random.below(15); ticks >= 0; ticks--) {
      if (random.chance(0.3)) this.proposes()
      for (const node of group.all) node.raft?.tick()
      if (random.chance(0.7)) group.settle()
      if (random.chance(0.1)) group.read(random.pick(group.all))
    }
  }

  proposes(): void {
    const leaders = this.group.all.filter(node => node.raft?.role === 'leader')
    if (leaders.length === 0) return
    const node = this.random.pick(leaders)
    const bytes = Buffer.alloc(entryHeadBytes + 4 + this.random.below(100))
    this.#proposed += 1
    bytes.writeUInt32LE(this.#proposed, entryHeadBytes)
    node.alive.propose(bytes, entryKinds.facts)
    node.pump()
  }

  changes(): void {
    const { random } = this
    const leaders = this.group.all.filter(node => node.raft?.role === 'leader')
    if (leaders.length === 0) return
    const node = random.pick(leaders)
    const type = random.pick(['simple', 'simple', 'joint', 'jointExplicit', 'leave', 'leave'] as const)
    const step = (): ChangeStep => ({
      type: random.pick(['addVoter', 'addVoter', 'addLearner', 'remove'] as const),
      replica: random.pick(this.ids),
    })
    const change: ConfigurationChange =
      type === 'leave'
        ? { type }
        : { type, steps: Array.from({ length: type === 'simple' ? 1 : 1 + random.below(3) }, step) }
    if ('index' in node.alive.proposeConfiguration(change)) this.changed += 1
    node.pump()
  }

  crashesOrStarts(node: SimulatedNode): void {
    if (node.raft === undefined) node.start()
    else if (this.random.chance(0.3)) this.group.crash(node, this.random.below(node.appends.length + 1))
  }

  /** Cuts single links of a replica, or the group in two; or heals. */
  cutsOrHeals({ id }: SimulatedNode): void {
    const { group, random, ids } = this
    const { cut } = group
    if (cut.size > 0) {
      cut.clear()
      return
    }
    const isSplit = random.chance(0.5)
    const side = new Set(isSplit ? ids.filter(() => random.chance(0.5)) : [id])
    for (const from of ids) {
      for (const to of ids) {
        if (side.has(from) !== side.has(to) && (isSplit || random.chance(0.6))) cut.add(`${from}>${to}`)
      }
    }
  }

  /** The faults are over: somebody leads, commits, and all members come to the same state. */
  progresses(): void {
    const { group } = this
    group.cut.clear()
    for (const node of group.all) if (node.raft === undefined) node.start()
    group.settle()
    const before = group.commit
    for (let ticks = 0; ticks < 400; ticks++) {
      group.tick()
      const { leader } = group
      if (leader === undefined || !leader.alive.canDecide) continue
      if (group.commit <= before) this.proposes()
      else if (this.#agree(leader)) return
    }
    if (this.#speaksInVain()) return
    const all = group.all.map(node => JSON.stringify(node.raft?.status()))
    assert(false, () => `no progress: ${all.join('\n')}`)
  }

  /** One leads or campaigns in an old term: who knows a newer one ignores it, and does not ask it either. */
  #speaksInVain(): boolean {
    const speakers = this.group.all.filter(({ alive }) => this.#untold.includes(alive.role))
    return speakers.some(({ alive }) => {
      const { term, configuration } = alive.status()
      return membersOf(configuration).some(id => this.group.node(id).alive.term > term)
    })
  }

  #agree(leader: SimulatedNode): boolean {
    const { configuration, lastIndex } = leader.alive.status()
    return membersOf(configuration).every(id => this.group.node(id).applied === lastIndex)
  }
}

/** Runs one schedule; throws, with its seed in the message, if something does not hold. */
export function runSchedule(seed: string, steps: number, Group = SimulatedGroup): Outcome {
  const run = new Run(seed, Group)
  let done = 0
  try {
    for (; done < steps; done++) run.step()
    run.progresses()
  } catch (error) {
    throw new Error(`schedule ${seed}, step ${done}: ${String(error)}`, { cause: error })
  }
  const { group } = run
  const terms = Math.max(...group.all.map(node => node.alive.term))
  return { steps, committed: group.commit, terms, changes: run.changed, reads: group.readsAnswered }
}
