/** The way of a group to what the register of nodes says: each step, and that it arrives. */
import t from 'tap'
import type { ReplicaId } from '../../../src/base/ids.js'
import { Random } from '../../../src/base/random.js'
import type { ClusterNode, NodeRegister, NodeRole } from '../../../src/machine/nodes.js'
import {
  type Configuration,
  type ConfigurationChange,
  changed,
  isJoint,
  simpleConfiguration,
} from '../../../src/raft/configuration.js'
import type { MemberStatus } from '../../../src/raft/status.js'
import { regroupStep } from '../../../src/replica/regroup-step.js'
import { seed } from '../../seed.js'

t.comment(`seed ${seed}`)

/** A register of replicas with their roles; each is on a node of its own. */
function register(replicas: number, roles: Readonly<Record<number, NodeRole>>): NodeRegister {
  const nodes = Object.entries(roles).map(([replica, role]): ClusterNode => {
    const node = Number(replica)
    return { node, address: `host:${node}`, incarnation: `${node}`, replica: node, role }
  })
  return { nodes, replicas, gone: [] }
}

interface Heard {
  readonly match?: number
  readonly silent?: readonly ReplicaId[]
  readonly leader?: ReplicaId
}

/** A group as its leader, the first voter if none is named, sees it; all have what is committed, 5000. */
function groupOf(configuration: Configuration, { match = 5000, silent = [], leader }: Heard = {}) {
  const { voters, learners } = configuration
  const members = [...voters, ...learners].map(
    (replica): MemberStatus => ({
      replica,
      isLearner: learners.includes(replica),
      state: 'replicate',
      match: learners.includes(replica) ? match : 5000,
      next: 5001,
      isPaused: false,
      recentlyActive: !silent.includes(replica),
      inFlight: 0,
      pendingSnapshot: 0,
      arrivedSnapshot: 0,
    }),
  )
  return { configuration, members, commit: 5000, leader: leader ?? voters[0] ?? 0 }
}

/** In short: `+2l` begins to listen, `+2` votes, `-2` leaves, `>2` leads. */
function step(
  voters: readonly ReplicaId[],
  learners: readonly ReplicaId[],
  wanted: NodeRegister,
  heard: Heard = {},
): string {
  const next = regroupStep(groupOf(simpleConfiguration(voters, learners), heard), wanted)
  if (next === undefined) return ''
  if (next.type === 'handOver') return `>${next.to}`
  if (next.change.type === 'leave') return 'leave'
  const marks = { addVoter: ['+', ''], addLearner: ['+', 'l'], remove: ['-', ''] } as const
  const steps = next.change.steps.map(({ type, replica }) => `${marks[type][0]}${replica}${marks[type][1]}`)
  return `${next.change.type} ${steps.join(' ')}`
}

t.test('a group that is as it should be is left alone, and one that the register does not know', async t => {
  t.equal(step([1, 2, 3], [], register(3, { 1: 'voter', 2: 'voter', 3: 'voter' })), '')
  t.equal(step([1, 2], [3], register(3, { 1: 'voter', 2: 'voter', 3: 'learner' })), '')
  t.equal(step([1, 2, 3], [], register(0, {})), '')
  t.equal(step([1, 2, 3], [7], register(1, { 1: 'voter' })), '', 'only 1 was given out')
})

t.test('who enters listens first, and votes when it has caught up', async t => {
  const wanted = register(2, { 1: 'voter', 2: 'voter' })
  t.equal(step([1], [], wanted), 'simple +2l')
  t.equal(step([1], [2], wanted, { match: 0 }), '')
  t.equal(step([1], [2], wanted, { match: 3999 }), '')
  t.equal(step([1], [2], wanted, { silent: [2] }), '')
  t.equal(step([1], [2], wanted, { match: 4000 }), 'simple +2')
})

t.test('a lost disk keeps its vote until the new one has it', async t => {
  const wanted = register(4, { 1: 'voter', 2: 'voter', 4: 'voter' })
  t.equal(step([1, 2, 3], [], wanted, { silent: [3] }), 'simple +4l')
  t.equal(step([1, 2, 3], [4], wanted, { silent: [3], match: 10 }), '')
  t.equal(step([1, 2, 3], [4], wanted, { silent: [3] }), 'joint +4 -3')
})

t.test('who is to leave leaves, a learner at once, the leader when another one leads', async t => {
  const wanted = register(4, { 1: 'voter', 2: 'voter', 3: 'none', 4: 'none' })
  t.equal(step([1, 2, 3], [4], wanted), 'simple -4')
  t.equal(step([1, 2, 3], [], wanted), 'simple -3')
  t.equal(step([1, 2, 3], [], wanted, { leader: 3 }), '>1')
  t.equal(step([1, 2, 3], [], wanted, { leader: 3, silent: [1] }), '>2')
  t.equal(step([1, 2], [], register(2, { 1: 'voter', 2: 'learner' })), 'simple +2l')
})

t.test('no vote is given or taken if those who would vote then are not heard of', async t => {
  const wanted = register(3, { 1: 'voter', 2: 'voter', 3: 'none' })
  t.equal(step([1, 2, 3], [], wanted, { silent: [2] }), '', '1 and 2 would have to agree')
  t.equal(step([1, 2, 3], [], wanted, { silent: [3] }), 'simple -3')
})

t.test('a group that is being changed is left alone', async t => {
  const joint = changed(simpleConfiguration([1, 2, 3], [4]), {
    type: 'joint',
    steps: [
      { type: 'addVoter', replica: 4 },
      { type: 'remove', replica: 3 },
    ],
  })
  t.equal(regroupStep(groupOf(joint), register(4, { 1: 'voter', 2: 'voter', 4: 'voter' })), undefined)
})

/** The configuration after the change, joint ones left. */
function after(configuration: Configuration, change: ConfigurationChange): Configuration {
  const next = changed(configuration, change)
  return isJoint(next) ? changed(next, { type: 'leave' }) : next
}

t.test('from any group to any register: it arrives, and somebody votes on the way', async t => {
  for (let n = 0; n < 300; n++) {
    const random = new Random(seed).split(`regroup ${n}`)
    const drawn = (): Record<number, NodeRole> => {
      const roles: Record<number, NodeRole> = { [1 + random.below(6)]: 'voter' }
      for (let replica = 1; replica <= 6; replica++) {
        if (random.chance(0.7)) roles[replica] ??= random.pick(['voter', 'voter', 'learner', 'none'])
      }
      return roles
    }
    const [first, wanted] = [drawn(), register(6, drawn())]
    const inFirst = (role: NodeRole): ReplicaId[] =>
      Object.keys(first)
        .map(Number)
        .filter(replica => first[replica] === role)
    let configuration = simpleConfiguration(inFirst('voter'), inFirst('learner'))
    let leader = configuration.voters[0] ?? 0
    for (let steps = 0; ; steps++) {
      const next = regroupStep(groupOf(configuration, { leader }), wanted)
      if (next === undefined) break
      if (next.type === 'handOver') leader = next.to
      else configuration = after(configuration, next.change)
      if (steps > 40 || !configuration.voters.includes(leader)) {
        t.fail(`seed ${seed}: world ${n} after ${steps} steps, led by ${leader}`)
        break
      }
    }
    const roles = (role: NodeRole): ReplicaId[] =>
      wanted.nodes.filter(one => one.role === role).map(({ replica }) => replica)
    const arrived = simpleConfiguration(roles('voter'), roles('learner'))
    if (JSON.stringify(configuration) !== JSON.stringify(arrived))
      t.strictSame(configuration, arrived, `seed ${seed}: world ${n}`)
  }
})
