/** Rules of replication: consistency of logs, commitment, flow, storage that takes its time. */
import assert from 'node:assert/strict'
import { entryHeadBytes } from '../../src/base/entry.js'
import type { PeerMessage } from '../../src/raft/messages.js'
import {
  append,
  entriesOf,
  groupOf,
  isolate,
  lead,
  logOf,
  propose,
  said,
  say,
  termsOf,
  voteRequest,
} from './drive.js'
import { type Rule, rule } from './rule.js'

const noLease = { checkQuorum: false, preVote: false }

/** What a follower answers to an append, without what is alike in all. */
function answer(messages: readonly PeerMessage[]): unknown {
  const [one] = messages
  if (one?.type === 'appended') return one.index
  return one?.type === 'appendRejected' ? [one.index, one.hintIndex, one.hintTerm] : one
}

/** The rules. */
export const replication: readonly Rule[] = [
  rule('paper 5.3', 'an entry is committed when a majority has it on disk, and not before', () => {
    const group = groupOf(3)
    const leader = lead(group, 1)
    const index = propose(leader)
    leader.storeOne()
    assert.equal(leader.alive.status().commit, index - 1, 'on one disk of three')
    group.deliver(0)
    assert.equal(leader.alive.status().commit, index - 1, 'the other has it in memory')
    group.node(2).storeOne()
    group.deliver(group.network.findIndex(one => one.type === 'appended'))
    assert.equal(leader.alive.status().commit, index)
  }),

  rule(
    'paper 5.3',
    'a majority of followers commits what is not on the disk of the leader, which does not apply it',
    () => {
      const group = groupOf(3)
      const leader = lead(group, 1)
      const index = propose(leader)
      for (const id of [2, 3]) {
        group.deliver(group.network.findIndex(one => one.to === id))
        group.node(id).storeOne()
        group.deliver(group.network.findIndex(one => one.type === 'appended'))
      }
      assert.equal(leader.alive.status().commit, index)
      assert.deepEqual(leader.applies, [], 'its own log does not hold it yet')
      leader.storeOne()
      assert.deepEqual(leader.applies, [{ type: 'storageApply', from: index, through: index }])
    },
  ),

  rule('paper 5.3', 'a follower takes entries only after one that both logs have', () => {
    const group = groupOf(3, noLease)
    logOf(group, 1, 1, 1, 2)
    assert.deepEqual(answer(say(group, append([2, 1, 3], [5, 3], entriesOf(6, 3)))), [5, 3, 2], 'too short')
    assert.deepEqual(
      answer(say(group, append([2, 1, 3], [3, 3], entriesOf(4, 3)))),
      [3, 3, 2],
      'another term',
    )
    assert.equal(answer(say(group, append([2, 1, 3], [3, 2], entriesOf(4, 3)))), 4)
    assert.deepEqual(termsOf(group.node(1)), [1, 1, 2, 3])
  }),

  rule('paper 5.3', 'entries that conflict with the leader go, with all that follow them', () => {
    const cases = [
      { log: [1, 1, 1], at: [2, 1], entries: [4, 4], result: [1, 1, 4, 4] },
      { log: [1, 1, 2, 2, 3, 3], at: [2, 1], entries: [4], result: [1, 1, 4] },
      { log: [1, 1, 4, 4], at: [2, 1], entries: [4], result: [1, 1, 4, 4] },
      { log: [2, 2], at: [0, 0], entries: [1, 4], result: [1, 4] },
    ] as const
    for (const { log, at, entries, result } of cases) {
      const group = groupOf(3, noLease)
      const node = logOf(group, 1, ...log)
      say(group, append([2, 1, 4], at, entriesOf(at[0] + 1, ...entries)))
      assert.deepEqual(termsOf(node), result, `${log} and ${entries} after ${at}`)
    }
  }),

  rule('paper 5.3', 'a delayed or repeated append never shortens a log', () => {
    const group = groupOf(3, noLease)
    const node = group.node(1)
    say(group, append([2, 1, 1], [0, 0], entriesOf(1, 1, 1, 1, 1)))
    assert.equal(
      answer(say(group, append([2, 1, 1], [0, 0], entriesOf(1, 1, 1)))),
      2,
      'attests what it compared',
    )
    assert.deepEqual(termsOf(node), [1, 1, 1, 1])
  }),

  rule('paper 5.3', 'a follower commits no further than it compared with the leader', () => {
    const cases = [
      { commit: 9, entries: [], result: 1 },
      { commit: 9, entries: [2], result: 2 },
      { commit: 1, entries: [2, 2], result: 1 },
    ] as const
    for (const { commit, entries, result } of cases) {
      const group = groupOf(3, noLease)
      const node = logOf(group, 1, 1, 2, 2, 2)
      say(group, append([2, 1, 3], [1, 1], entriesOf(2, ...entries), commit))
      assert.equal(node.alive.status().commit, result, `${commit} with ${entries}`)
    }
  }),

  rule('paper 5.3', 'leader and follower find where their logs meet by whole terms, not by entries', () => {
    const group = groupOf(3, noLease)
    const leader = logOf(group, 1, 1, 1, ...Array.from({ length: 40 }, () => 5))
    const follower = logOf(
      group,
      2,
      1,
      1,
      ...Array.from({ length: 60 }, () => 2),
      ...Array.from({ length: 60 }, () => 3),
    )
    logOf(group, 3, 1, 1)
    let rejections = 0
    const { step } = leader.alive
    leader.alive.step = message => {
      if (message.type === 'appendRejected' && message.from === 2) rejections += 1
      step.call(leader.alive, message)
    }
    lead(group, 1)
    assert.deepEqual(termsOf(follower), termsOf(leader))
    assert.ok(rejections <= 3, `${rejections} rejections over 100 entries`)
  }),

  rule(
    'paper 5.4.2',
    'an entry of an older term is not counted: it is committed by one of the own term',
    () => {
      // Figure 8: entry 2 of term 2 reaches a majority under the leader of term 4, which does not count it.
      const group = groupOf(3, { ...noLease, appendBytesMax: 1 })
      const leader = logOf(group, 1, 1, 2)
      logOf(group, 2, 1)
      const rival = logOf(group, 3, 1, 3)
      isolate(group, 3)
      leader.alive.campaign()
      leader.pump()
      leader.storeOne()
      group.deliver(group.network.findIndex(one => one.to === 2))
      group.node(2).storeOne()
      while (leader.alive.role !== 'leader') group.deliver(0)
      leader.storeOne()
      // Until replica 2 holds entry 2 and not yet entry 3.
      for (let i = 0; i < 20 && group.node(2).storage.lastIndex < 2; i++) {
        group.deliver(0)
        group.node(2).storeOne()
      }
      assert.deepEqual(termsOf(group.node(2)), [1, 2])
      while (group.network.some(one => one.type === 'appended')) {
        group.deliver(group.network.findIndex(one => one.type === 'appended'))
      }
      assert.equal(leader.alive.status().commit, 0, 'entry 2 is on two disks of three, and of term 2')
      // Then the leader goes, and the rival may win with its entry of term 3 in that place.
      group.crash(leader)
      group.network = []
      group.cut.clear()
      for (let i = 0; i < 6 && rival.alive.role !== 'leader'; i++) campaigns(group, 3)
      assert.deepEqual(termsOf(group.node(2)).slice(0, 2), [1, 3])
    },
  ),

  rule(
    'paper 8',
    'a leader begins its term with an entry of its own, and decides nothing before that is applied',
    () => {
      const group = groupOf(3)
      const leader = logOf(group, 1, 1)
      leader.alive.campaign()
      leader.pump()
      group.settle()
      assert.deepEqual(termsOf(leader), [1, 2])
      assert.equal(leader.alive.canDecide, true)
    },
  ),

  rule('thesis 10.2.1', 'a leader sends before its own disk has the entry', () => {
    const group = groupOf(3)
    const leader = lead(group, 1)
    propose(leader)
    assert.deepEqual(said(group.network), ['1>2 append', '1>3 append'])
    assert.equal(leader.appends.length, 1, 'and its own write is on its way')
  }),

  rule(
    'thesis 10.2.1',
    'a member gets no more at once than its window holds, by appends and by bytes',
    () => {
      const byCount = groupOf(2, { flightAppendsMax: 2, appendBytesMax: 1 })
      const leader = lead(byCount, 1)
      for (let i = 0; i < 5; i++) propose(leader)
      assert.equal(byCount.network.filter(one => one.type === 'append').length, 2)
      byCount.settle()
      assert.equal(byCount.node(2).storage.lastIndex, leader.storage.lastIndex)
      const byBytes = groupOf(2, { flightBytesMax: 100, appendBytesMax: 1 })
      const other = lead(byBytes, 1)
      for (let i = 0; i < 5; i++) propose(other, 'x'.repeat(60 - entryHeadBytes))
      assert.equal(byBytes.network.filter(one => one.type === 'append').length, 2, '120 bytes are over 100')
    },
  ),

  rule('thesis 10.2.1', 'lost appends are sent again when a heartbeat is answered, a full window too', () => {
    const group = groupOf(2, { flightAppendsMax: 2, appendBytesMax: 1 })
    const leader = lead(group, 1)
    for (let i = 0; i < 5; i++) propose(leader)
    group.network = []
    group.tick(3)
    assert.equal(group.node(2).storage.lastIndex, leader.storage.lastIndex)
  }),

  rule('storage', 'what has to be read first is asked for, and sent when it is there', () => {
    const group = groupOf(3)
    const leader = lead(group, 1)
    isolate(group, 3)
    for (let i = 0; i < 5; i++) propose(leader)
    group.settle()
    group.crash(group.node(2))
    leader.storage.absentBelow = 4
    group.cut.clear()
    leader.alive.tick()
    leader.pump()
    for (let i = 0; i < 5; i++) {
      while (group.network.length > 0) group.deliver(0)
      group.node(3).storeOne()
    }
    assert.equal(leader.needs.length, 1)
    leader.loadOne(true)
    assert.equal(leader.needs.length, 0, 'a failed read is not repeated at once')
    group.tick(2)
    assert.equal(group.node(3).storage.lastIndex, leader.storage.lastIndex)
  }),

  rule('storage', 'no more is handed out for application than the limit, until it is applied', () => {
    const group = groupOf(1, { applyingCountMax: 2 })
    const leader = lead(group, 1)
    for (let i = 0; i < 5; i++) propose(leader)
    while (leader.appends.length > 0) leader.storeOne()
    const through = () => leader.applies.at(-1)?.through
    assert.equal(through(), 3)
    while (leader.applied < 3) leader.applySome(1)
    assert.equal(through(), 5)
  }),

  rule('storage', 'a completion that is overtaken does not make durable what replaced its entries', () => {
    // Entry 2 of term 1 is being written; the leader of term 2 replaces it; the one of term 3 brings it back.
    const group = groupOf(3, noLease)
    const node = group.node(1)
    group.hasActors = true
    const step = (message: PeerMessage) => {
      node.alive.step(message)
      node.pump()
    }
    step(append([2, 1, 1], [0, 0], entriesOf(1, 1, 1)))
    const old = node.appends.shift()
    step(append([3, 1, 2], [1, 1], entriesOf(2, 2)))
    step(append([2, 1, 3], [1, 1], entriesOf(2, 1), 2))
    const completion = old?.responses.find(one => one.type === 'storageAppended')
    assert.ok(completion !== undefined)
    node.alive.step(completion)
    node.pump()
    const through = () => node.applies.at(-1)?.through
    assert.equal(through(), undefined, 'entry 2 is committed, and its last write is on its way')
    if (old !== undefined) node.storage.store(old)
    while (node.appends.length > 0) node.storeOne()
    assert.deepEqual([termsOf(node), through()], [[1, 1], 2])
  }),

  rule('storage', 'a single replica acknowledges nothing before its own disk', () => {
    const group = groupOf(1)
    const leader = lead(group, 1)
    const index = propose(leader)
    assert.deepEqual([leader.alive.status().commit, leader.applies], [index - 1, []])
    leader.storeOne()
    assert.equal(leader.alive.status().commit, index)
  }),

  rule('storage', 'a replica that may have lost what it acknowledged never votes and never campaigns', () => {
    const group = groupOf(3, noLease)
    const leader = lead(group, 1)
    propose(leader)
    group.settle()
    const node = group.node(3)
    group.crash(node)
    node.storage.lose(0)
    node.applied = 0
    node.recovering = true
    node.start()
    group.tick(100)
    assert.deepEqual([node.alive.role, node.alive.term], ['follower', 1])
    assert.equal(node.storage.lastIndex, leader.storage.lastIndex, 'the leader went back and sent all again')
    assert.ok(group.alarms > 0, 'and said so')
    assert.deepEqual(said(say(group, voteRequest([2, 3, 2], [99, 9]))), ['3>2 voteAnswer refused'])
  }),

  rule(
    'storage',
    'a recovering replica votes again when an entry of a term that began after the fault is committed',
    () => {
      const group = groupOf(3, noLease)
      lead(group, 1)
      const node = group.node(3)
      group.crash(node)
      node.recovering = true
      node.start()
      group.tick(3)
      assert.equal(node.alive.status().recovering, true, 'the leader may count what it acknowledged before')
      lead(group, 2)
      group.tick(3)
      assert.deepEqual([node.alive.term, node.alive.status().recovering], [2, false])
    },
  ),

  rule(
    'storage',
    'a replica that is told of a commit beyond its log knows that its disk lost entries',
    () => {
      const group = groupOf(3)
      const leader = lead(group, 1)
      propose(leader)
      group.settle()
      const node = group.node(2)
      group.crash(node)
      node.storage.lose(0)
      node.applied = 0
      node.start()
      group.tick()
      assert.equal(node.alive.status().recovering, true)
      assert.ok(group.alarms > 0)
      group.tick(3)
      assert.equal(node.storage.lastIndex, leader.storage.lastIndex)
    },
  ),
]

/** The replica campaigns, and everything that follows happens. */
function campaigns(group: ReturnType<typeof groupOf>, id: number): void {
  group.node(id).alive.campaign()
  group.settle()
}
