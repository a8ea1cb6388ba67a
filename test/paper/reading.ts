/** Rules of reads and of snapshots. */
import assert from 'node:assert/strict'
import { simpleConfiguration } from '../../src/raft/configuration.js'
import type { ReadState } from '../../src/raft/messages.js'
import type { SimulatedGroup } from '../sim/raft/group.js'
import {
  append,
  entriesOf,
  groupOf,
  groupWith,
  isolate,
  lead,
  logOf,
  propose,
  say,
  termsOf,
} from './drive.js'
import { type Rule, rule } from './rule.js'

/** What the reads of a replica come to, from here on. */
function readsOf(group: SimulatedGroup, id: number): ReadState[] {
  const states: ReadState[] = []
  const { ready } = group
  group.ready = (node, one) => {
    if (node.id === id) states.push(...one.readStates)
    ready.call(group, node, one)
  }
  return states
}

/** The rules. */
export const reading: readonly Rule[] = [
  rule(
    'thesis 6.4',
    'a read is answered when a quorum has confirmed the leader, with the index of the moment it was asked',
    () => {
      const group = groupOf(3)
      const leader = lead(group, 1)
      const states = readsOf(group, 1)
      const { commit } = leader.alive.status()
      group.read(leader)
      assert.deepEqual(states, [])
      group.settle()
      assert.deepEqual(states, [{ token: 1, index: commit }])
    },
  ),

  rule('thesis 6.4', 'reads that are asked for in one turn share a round', () => {
    const group = groupOf(3)
    const leader = lead(group, 1)
    for (let i = 0; i < 5; i++) leader.alive.readIndex()
    for (const message of leader.alive.ready().messages) assert.equal(message.type, 'heartbeat')
    assert.equal(leader.alive.hasReady(), false)
  }),

  rule('thesis 6.4', 'a read that waits for who is removed is answered when the rest is a quorum', () => {
    const group = groupOf(2)
    const leader = lead(group, 1)
    const states = readsOf(group, 1)
    const steps = [{ type: 'remove', replica: 2 }] as const
    const proposed = leader.alive.proposeConfiguration({ type: 'simple', steps })
    assert.ok('index' in proposed, 'the removal is proposed')
    leader.pump()
    group.read(leader)
    const { sent } = group
    group.sent = message => {
      if (!message.type.startsWith('heartbeat')) sent.call(group, message)
    }
    group.network = group.network.filter(one => !one.type.startsWith('heartbeat'))
    group.settle()
    assert.deepEqual(leader.alive.status().configuration.voters, [1])
    assert.deepEqual(
      states.map(({ token }) => token),
      [1],
      'nobody else has to be asked any more',
    )
  }),

  rule('thesis 6.4', 'before its first commit a leader answers no read', () => {
    const group = groupOf(3)
    const leader = logOf(group, 1, 1, 1)
    logOf(group, 2, 1, 1)
    const states = readsOf(group, 1)
    leader.alive.campaign()
    leader.pump()
    while (leader.alive.role !== 'leader') {
      for (const node of group.all) node.storeOne()
      group.deliver(0)
    }
    group.read(leader)
    leader.alive.tick()
    leader.pump()
    // Everything but the entry of the new term gets through.
    group.network = group.network.filter(one => one.type === 'heartbeat')
    while (group.network.length > 0) {
      group.deliver(0)
      group.network = group.network.filter(one => one.type.startsWith('heartbeat'))
    }
    assert.deepEqual(states, [], 'it does not know yet that its entries are committed')
    group.tick(3)
    assert.deepEqual(states, [{ token: 1, index: 3 }])
  }),

  rule('thesis 6.4', 'a follower asks its leader, and each read is answered once', () => {
    const group = groupOf(3)
    const leader = lead(group, 1)
    const states = readsOf(group, 2)
    group.read(group.node(2))
    group.deliver(0, true)
    group.settle()
    assert.deepEqual(states, [{ token: 1, index: leader.alive.status().commit }])
  }),

  rule('thesis 6.4', 'a leader that is cut off answers no read, whatever old answers still arrive', () => {
    const group = groupOf(3, { checkQuorum: false })
    const old = lead(group, 1)
    const states = readsOf(group, 1)
    // A first read; its heartbeats are answered, and the answers are held back.
    group.read(old)
    for (let i = 0; i < 2; i++) group.deliver(0)
    const held = group.network.splice(0)
    assert.deepEqual(
      held.map(one => one.type),
      ['heartbeatAnswer', 'heartbeatAnswer'],
    )
    // Another leads and commits; the old one does not know, and is asked again.
    isolate(group, 1)
    for (const id of [2, 3]) group.node(id).alive.forgetLeader()
    const next = group.node(2)
    next.alive.campaign()
    group.settle()
    propose(next)
    group.settle()
    group.read(old)
    group.network.push(...held, ...held)
    group.cut.clear()
    for (let i = 0; i < 4; i++) group.deliver(group.network.findIndex(one => one.type === 'heartbeatAnswer'))
    assert.deepEqual(
      states.map(one => one.token),
      [1],
      'the late answers confirm the first read alone',
    )
    group.settle()
    assert.deepEqual(states.at(-1), { token: 2, index: undefined }, 'the second is dropped, and says so')
  }),

  rule('thesis 6.4', 'a read that nobody answers is dropped after an election timeout, and says so', () => {
    const group = groupOf(3)
    lead(group, 1)
    const states = readsOf(group, 2)
    group.read(group.node(2))
    group.network = []
    group.tick(11)
    assert.deepEqual(states, [{ token: 1, index: undefined }])
  }),

  rule('thesis 6.4', 'without a leader a read is refused at once', () => {
    const group = groupOf(3)
    assert.equal(group.node(1).alive.readIndex(), undefined)
    assert.equal(group.node(1).alive.readIndex('lease'), undefined)
  }),

  rule(
    'thesis 6.4.1',
    'a lease answers at once while a quorum keeps it, and ends before another may lead',
    () => {
      const group = groupOf(3, { leaseReads: true })
      group.tick(40)
      const { leader } = group
      assert.ok(leader !== undefined)
      const states = readsOf(group, leader.id)
      const token = group.read(leader, 'lease')
      assert.deepEqual(states, [{ token, index: leader.alive.status().commit }])
      isolate(group, leader.id)
      let ticks = 0
      for (; group.read(leader, 'lease') !== undefined; ticks++) {
        assert.ok(group.all.every(node => node === leader || node.alive.role !== 'leader'))
        group.tick()
      }
      assert.ok(ticks < 10, `${ticks} ticks`)
    },
  ),

  rule('thesis 6.4.1', 'who has promised a lease does not elect itself before it ends either', () => {
    const group = groupOf(3, { leaseReads: true })
    group.tick(40)
    const { leader } = group
    assert.ok(leader !== undefined)
    for (const node of group.all) if (node !== leader) assert.equal(node.alive.campaign(), false)
  }),

  rule('thesis 6.4.1', 'who may campaign by the word of the leader ends its lease for the term', () => {
    const group = groupOf(3, { leaseReads: true })
    group.tick(40)
    const { leader } = group
    assert.ok(leader !== undefined)
    leader.alive.transferLeader(leader.id === 1 ? 2 : 1)
    leader.pump()
    group.network = []
    group.tick(12)
    assert.deepEqual([leader.alive.role, leader.alive.readIndex('lease')], ['leader', undefined])
  }),

  rule('paper 7', 'a member whose next entry is gone gets the snapshot, then the log from there', () => {
    const group = groupOf(3)
    const leader = lead(group, 1)
    isolate(group, 3)
    for (let i = 0; i < 5; i++) propose(leader)
    group.settle()
    leader.compact(0)
    propose(leader)
    group.settle()
    group.cut.clear()
    group.tick(3)
    const node = group.node(3)
    assert.deepEqual([node.storage.firstIndex, node.storage.lastIndex, node.applied], [7, 7, 7])
  }),

  rule('paper 7', 'a member whose log diverges and that gets a snapshot comes to the same log', () => {
    const group = groupOf(3)
    const divergent = lead(group, 3)
    isolate(group, 3)
    for (let i = 0; i < 8; i++) divergent.alive.propose(Buffer.alloc(40), 2)
    group.settle()
    group.tick(60)
    const { leader } = group
    assert.ok(leader !== undefined && leader.id !== 3)
    for (let i = 0; i < 4; i++) propose(leader)
    group.settle()
    leader.compact(0)
    group.cut.clear()
    group.tick(5)
    assert.equal(divergent.storage.lastIndex, leader.storage.lastIndex)
    assert.equal(divergent.storage.term(divergent.storage.lastIndex), leader.alive.term)
  }),

  rule('paper 7', 'a snapshot of an entry that the log has keeps what follows it', () => {
    const group = groupOf(3)
    const node = logOf(group, 1, 1, 1, 1)
    const snapshot = {
      index: 2,
      term: 1,
      configuration: simpleConfiguration([1, 2, 3]),
      configurationIndex: 0,
    }
    const [answer] = say(group, { type: 'installSnapshot', from: 2, to: 1, term: 1, snapshot })
    assert.deepEqual([answer?.type, termsOf(node)], ['appended', [1, 1, 1]])
    assert.equal(node.alive.status().commit, 2)
  }),

  rule('paper 7', 'a snapshot that is older than what is committed is not installed', () => {
    const group = groupOf(3)
    const node = group.node(1)
    say(group, append([2, 1, 1], [0, 0], entriesOf(1, 1, 1, 1), 3))
    const snapshot = { index: 2, term: 1, configuration: simpleConfiguration([1, 2]), configurationIndex: 0 }
    const [answer] = say(group, { type: 'installSnapshot', from: 2, to: 1, term: 1, snapshot })
    assert.ok(answer?.type === 'appended' && answer.index === 3)
    assert.deepEqual(node.alive.status().configuration.voters, [1, 2, 3])
  }),

  rule(
    'paper 7',
    'while a snapshot is being installed nothing is acknowledged, applied or campaigned for',
    () => {
      const group = groupWith([1, 2, 3], simpleConfiguration([1, 2, 3]))
      group.hasActors = true
      const node = group.node(1)
      const snapshot = {
        index: 5,
        term: 1,
        configuration: simpleConfiguration([1, 2, 3]),
        configurationIndex: 0,
      }
      node.alive.step({ type: 'installSnapshot', from: 2, to: 1, term: 1, snapshot })
      node.alive.step(append([2, 1, 1], [5, 1], entriesOf(6, 1), 6))
      node.pump()
      assert.deepEqual([group.network, node.applies, node.alive.campaign()], [[], [], false])
      while (node.appends.length > 0) node.storeOne()
      assert.deepEqual(node.applies, [{ type: 'storageApply', from: 6, through: 6 }])
    },
  ),
]
