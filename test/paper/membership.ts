/** Rules of membership: single and joint changes, learners, removal, restart in the middle. */
import assert from 'node:assert/strict'
import { type ConfigurationChange, simpleConfiguration } from '../../src/raft/configuration.js'
import type { SimulatedGroup } from '../sim/raft/group.js'
import type { SimulatedNode } from '../sim/raft/node.js'
import { groupOf, groupWith, isolate, lead, propose, said, say, voteRequest } from './drive.js'
import { type Rule, rule } from './rule.js'

const add = (...replicas: readonly number[]) =>
  replicas.map(replica => ({ type: 'addVoter', replica }) as const)
const remove = (...replicas: readonly number[]) =>
  replicas.map(replica => ({ type: 'remove', replica }) as const)

function change(node: SimulatedNode, what: ConfigurationChange): number {
  const proposed = node.alive.proposeConfiguration(what)
  assert.ok('index' in proposed, JSON.stringify(proposed))
  node.pump()
  return proposed.index
}

/** Three voters of six replicas; 4 to 6 are strangers. */
const six = () => groupWith([1, 2, 3, 4, 5, 6], simpleConfiguration([1, 2, 3]), { preVote: false })

/** Everything but the application of what the replica has to apply. */
function settleWithoutApplying(group: SimulatedGroup): void {
  for (let i = 0; i < 20; i++) {
    for (const node of group.all) while (node.appends.length > 0) node.storeOne()
    while (group.network.length > 0) group.deliver(0)
  }
}

/** The rules. */
export const membership: readonly Rule[] = [
  rule('thesis 4.1', 'a change counts from its application on, not from its proposal', () => {
    const group = six()
    const leader = lead(group, 1)
    change(leader, { type: 'simple', steps: add(4) })
    settleWithoutApplying(group)
    assert.deepEqual(leader.alive.status().configuration.voters, [1, 2, 3])
    group.settle()
    assert.deepEqual(leader.alive.status().configuration.voters, [1, 2, 3, 4])
  }),

  rule('thesis 4.1', 'no second change is proposed before the first is applied', () => {
    const group = six()
    const leader = lead(group, 1)
    change(leader, { type: 'simple', steps: add(4) })
    const second = leader.alive.proposeConfiguration({ type: 'simple', steps: add(5) })
    assert.ok('dropped' in second && second.dropped === 'changePending')
    group.settle()
    change(leader, { type: 'simple', steps: add(5) })
  }),

  rule('thesis 4.1', 'who has not applied a committed change of the configuration does not campaign', () => {
    const group = six()
    const leader = lead(group, 1)
    change(leader, { type: 'simple', steps: add(4) })
    settleWithoutApplying(group)
    group.crash(leader)
    const next = group.node(2)
    next.alive.forgetLeader()
    group.node(3).alive.forgetLeader()
    group.tick(0)
    next.applies = []
    assert.equal(next.alive.campaign(), false, 'a committed change waits to be applied')
  }),

  rule(
    'thesis 4.1',
    'a new leader proposes no change before it has applied all that it found in its log',
    () => {
      const group = six()
      const old = lead(group, 1)
      isolate(group, 1)
      change(old, { type: 'simple', steps: add(4) })
      group.settle()
      group.cut.clear()
      group.network = []
      for (const id of [2, 3]) group.node(id).alive.forgetLeader()
      old.crash()
      old.start()
      old.alive.campaign()
      old.pump()
      settleWithoutApplying(group)
      assert.equal(old.alive.role, 'leader')
      const proposed = old.alive.proposeConfiguration({ type: 'simple', steps: add(5) })
      assert.ok('dropped' in proposed && proposed.dropped === 'changePending')
    },
  ),

  rule(
    'testing',
    'unchecked, a change that cannot follow the configuration does nothing when applied',
    () => {
      const group = groupWith([1, 2, 3, 4, 5], simpleConfiguration([1, 2, 3]), { checkChanges: false })
      const leader = lead(group, 1)
      change(leader, { type: 'jointExplicit', steps: add(4) })
      change(leader, { type: 'simple', steps: add(5) })
      group.settle()
      for (const node of group.all.slice(0, 4)) assert.deepEqual(node.configuration.voters, [1, 2, 3, 4])
    },
  ),

  rule('thesis 4.1', 'a change may name the configuration that it follows', () => {
    const group = six()
    const leader = lead(group, 1)
    const first = change(leader, { type: 'simple', steps: add(4) })
    group.settle()
    const stale = leader.alive.proposeConfiguration({ type: 'simple', steps: add(5) }, 0)
    assert.ok('dropped' in stale && stale.dropped === 'configurationMoved')
    assert.ok('index' in leader.alive.proposeConfiguration({ type: 'simple', steps: add(5) }, first))
  }),

  rule('paper 6', 'a joint configuration decides by a majority of each half', () => {
    const group = six()
    const leader = lead(group, 1)
    change(leader, { type: 'jointExplicit', steps: [...add(4, 5, 6), ...remove(2, 3)] })
    group.settle()
    assert.deepEqual(leader.alive.status().configuration.outgoing, [1, 2, 3])
    const { commit } = leader.alive.status()
    isolate(group, 2, 3)
    propose(leader)
    group.settle()
    assert.equal(leader.alive.status().commit, commit, '1, 4, 5, 6 are no majority of 1, 2, 3')
    group.cut.clear()
    isolate(group, 5, 6)
    group.tick(2)
    assert.equal(
      leader.alive.status().commit,
      commit + 1,
      '1, 2, 3 and 1, 4: no majority of 1, 4, 5, 6 at first',
    )
  }),

  rule('paper 6', 'no election is won by one half of a joint configuration', () => {
    const group = six()
    change(lead(group, 1), { type: 'jointExplicit', steps: [...add(4, 5), ...remove(1)] })
    group.settle()
    isolate(group, 1, 2)
    group.tick(100)
    const leaders = group.all.filter(node => [3, 4, 5].includes(node.id) && node.alive.role === 'leader')
    assert.deepEqual(
      leaders.map(node => node.id),
      [],
      '3, 4, 5 are a majority of 2 … 5, not of 1, 2, 3',
    )
  }),

  rule(
    'thesis 4.3',
    'the leader leaves a joint configuration by itself, when that is committed and applied',
    () => {
      const group = six()
      const leader = lead(group, 1)
      change(leader, { type: 'joint', steps: [...add(4, 5), ...remove(2, 3)] })
      settleWithoutApplying(group)
      assert.equal(leader.storage.lastIndex, 2, 'joint is committed, nothing more is proposed')
      leader.applySome(9)
      assert.equal(leader.alive.nextIndex, 4, 'now leaving is')
      group.settle()
      const { configuration } = leader.alive.status()
      assert.deepEqual([configuration.voters, configuration.outgoing], [[1, 4, 5], []])
    },
  ),

  rule('thesis 4.3', 'one that is to be left explicitly stays until it is', () => {
    const group = six()
    const leader = lead(group, 1)
    change(leader, { type: 'jointExplicit', steps: add(4) })
    group.tick(5)
    assert.deepEqual(leader.alive.status().configuration.outgoing, [1, 2, 3])
    change(leader, { type: 'leave' })
    group.settle()
    assert.deepEqual(leader.alive.status().configuration, simpleConfiguration([1, 2, 3, 4]))
  }),

  rule(
    'paper 6',
    'after a restart with an uncommitted joint configuration the group neither stops nor leaves it early',
    () => {
      const group = six()
      const leader = lead(group, 1)
      isolate(group, 1)
      change(leader, { type: 'joint', steps: [...add(4, 5), ...remove(2, 3)] })
      group.settle()
      for (const node of group.all) group.crash(node)
      group.cut.clear()
      for (const node of group.all) if (node.id !== 5) node.start()
      assert.deepEqual(leader.alive.status().configuration.outgoing, [], 'not committed: it does not count')
      for (let i = 0; i < 6 && leader.alive.role !== 'leader'; i++) {
        leader.alive.campaign()
        group.settle()
        group.tick(11)
      }
      group.tick(5)
      const { configuration } = group.leader?.alive.status() ?? {}
      assert.deepEqual(configuration?.voters, [1, 4, 5], '5 is down, 1 and 4 are enough')
    },
  ),

  rule('thesis 4.2.2', 'a leader that is removed leads until its removal is applied, then gives up', () => {
    const group = six()
    const leader = lead(group, 1)
    change(leader, { type: 'simple', steps: remove(1) })
    assert.equal(leader.alive.role, 'leader')
    group.settle()
    assert.equal(leader.alive.role, 'follower')
    group.tick(60)
    assert.ok([2, 3].includes(group.leader?.id ?? 0))
    assert.equal(leader.alive.campaign(), false, 'it does not come back')
  }),

  rule('thesis 4.2.1', 'a learner gets the log and is counted for nothing', () => {
    const group = groupOf(3, {}, [4])
    const leader = lead(group, 1)
    isolate(group, 2, 3)
    const { commit } = leader.alive.status()
    propose(leader)
    group.settle()
    assert.equal(group.node(4).storage.lastIndex, leader.storage.lastIndex)
    assert.equal(leader.alive.status().commit, commit)
    assert.equal(group.node(4).alive.campaign(), false)
  }),

  rule('thesis 4.2.1', 'a replica votes when asked, though it does not know that it may', () => {
    const group = groupOf(3, { checkQuorum: false }, [4])
    assert.deepEqual(said(say(group, voteRequest([1, 4, 1], [0, 0]))), ['4>1 voteAnswer granted'])
  }),

  rule(
    'thesis 4',
    'an outgoing voter that becomes a learner votes until the joint configuration is left',
    () => {
      const group = six()
      const leader = lead(group, 1)
      change(leader, { type: 'jointExplicit', steps: [{ type: 'addLearner', replica: 3 }] })
      group.settle()
      assert.deepEqual(leader.alive.status().configuration.learnersNext, [3])
      change(leader, { type: 'leave' })
      group.settle()
      assert.deepEqual(leader.alive.status().configuration, simpleConfiguration([1, 2], [3]))
    },
  ),

  rule(
    'thesis 4',
    'the last voter of a new configuration learns from those who left that it is the last',
    () => {
      const group = six()
      const leader = lead(group, 1)
      change(leader, {
        type: 'joint',
        steps: [
          { type: 'addLearner', replica: 1 },
          { type: 'addLearner', replica: 3 },
        ],
      })
      settleWithoutApplying(group)
      for (const node of group.all) node.applySome(9)
      // Leaving reaches everybody; that it is committed, and what comes after it, does not reach 2.
      while (group.network.some(one => one.to === 2))
        group.deliver(group.network.findIndex(one => one.to === 2))
      group.node(2).storeOne()
      while (group.network.some(one => one.from === 2))
        group.deliver(group.network.findIndex(one => one.from === 2))
      isolate(group, 2)
      leader.alive.propose(Buffer.alloc(40), 2)
      leader.pump()
      group.settle()
      assert.equal(leader.alive.role, 'follower', 'it left, and has no vote any more')
      assert.ok(leader.storage.lastIndex > group.node(2).storage.lastIndex)
      assert.deepEqual(group.node(2).configuration.outgoing, [1, 2, 3])
      group.cut.clear()
      group.tick(60)
      assert.equal(group.node(2).alive.role, 'leader')
    },
  ),
]
