/** Rules of elections: terms, votes, pre-votes, leases, transfer. */
import assert from 'node:assert/strict'
import { append, groupOf, isolate, lead, logOf, propose, said, say, voteRequest } from './drive.js'
import { type Rule, rule } from './rule.js'

const noLease = { checkQuorum: false, preVote: false }

/** The rules. */
export const elections: readonly Rule[] = [
  rule('paper 5.1', 'a message of a higher term makes any replica a follower in that term', () => {
    for (const role of ['follower', 'candidate', 'leader'] as const) {
      const group = groupOf(3, noLease)
      const node = group.node(1)
      if (role === 'leader') lead(group, 1)
      else if (role === 'candidate') node.alive.campaign()
      say(group, append([2, 1, 9], [0, 0]))
      assert.deepEqual([node.alive.role, node.alive.term, node.alive.leader], ['follower', 9, 2], role)
    }
  }),

  rule('paper 5.1', 'a message of an older term changes nothing', () => {
    const group = groupOf(3, noLease)
    const leader = lead(group, 1)
    const before = leader.alive.status()
    say(group, { type: 'appended', from: 2, to: 1, term: 0, index: 1 })
    say(group, voteRequest([2, 1, 0], [99, 0]))
    assert.deepEqual(leader.alive.status(), before)
  }),

  rule(
    'paper 5.2',
    'who hears no leader for its timeout campaigns in the next term and votes for itself',
    () => {
      const group = groupOf(3, noLease)
      const node = group.node(1)
      for (let i = 0; i < 20; i++) node.alive.tick()
      node.pump()
      assert.deepEqual([node.alive.role, node.alive.term, node.alive.status().vote], ['candidate', 1, 1])
      assert.deepEqual(said(group.network), ['1>2 voteRequest', '1>3 voteRequest'])
    },
  ),

  rule('paper 5.2', 'a candidate leads with the votes of a majority, its own durable one among them', () => {
    const group = groupOf(5, noLease)
    const node = group.node(1)
    node.alive.campaign()
    node.pump()
    const vote = (from: number) =>
      node.alive.step({
        type: 'voteAnswer',
        from,
        to: 1,
        term: 1,
        pre: false,
        granted: true,
        committed: { index: 0, term: 0 },
      })
    vote(2)
    vote(3)
    assert.equal(node.alive.role, 'candidate', 'its own vote is not durable: two of five')
    node.storeOne()
    assert.equal(node.alive.role, 'leader')
  }),

  rule('paper 5.2', 'a vote is given once in a term, and survives a crash', () => {
    const group = groupOf(3, noLease)
    assert.deepEqual(said(say(group, voteRequest([1, 3, 1], [0, 0]))), ['3>1 voteAnswer granted'])
    assert.deepEqual(said(say(group, voteRequest([2, 3, 1], [0, 0]))), ['3>2 voteAnswer refused'])
    group.crash(group.node(3))
    group.node(3).start()
    assert.deepEqual(said(say(group, voteRequest([2, 3, 1], [0, 0]))), ['3>2 voteAnswer refused'])
    assert.deepEqual(said(say(group, voteRequest([1, 3, 1], [0, 0]))), ['3>1 voteAnswer granted'])
  }),

  rule('paper 5.2', 'a vote leaves when it is durable', () => {
    const group = groupOf(3, noLease)
    const voter = group.node(3)
    voter.alive.step(voteRequest([1, 3, 1], [0, 0]))
    voter.pump()
    assert.deepEqual(said(group.network), [])
    voter.storeOne()
    assert.deepEqual(said(group.network), ['3>1 voteAnswer granted'])
  }),

  rule('paper 5.2', 'a candidate follows the leader of its term', () => {
    const group = groupOf(3, noLease)
    group.node(1).alive.campaign()
    say(group, append([2, 1, 1], [0, 0]))
    assert.deepEqual([group.node(1).alive.role, group.node(1).alive.leader], ['follower', 2])
  }),

  rule('paper 5.2', 'a split vote ends in another election', () => {
    const group = groupOf(2, noLease)
    for (const id of [1, 2]) group.node(id).alive.campaign()
    for (const node of group.all) node.pump()
    group.settle()
    assert.ok(
      group.all.every(node => node.alive.role !== 'leader'),
      'a vote each',
    )
    group.tick(40)
    assert.ok(group.leader !== undefined && group.leader.alive.term > 1)
  }),

  rule(
    'paper 5.4.1',
    'a vote is refused to a log that ends in an older term, or in the same and shorter',
    () => {
      const cases = [
        [[2, 2], [1, 1, 2], false],
        [[3, 2], [1, 1, 2], true],
        [[4, 2], [1, 1, 2], true],
        [[9, 1], [1, 1, 2], false],
        [[1, 3], [1, 1, 2], true],
      ] as const
      for (const [last, log, granted] of cases) {
        const group = groupOf(3, noLease)
        logOf(group, 1, ...log)
        const answers = said(say(group, voteRequest([2, 1, 5], last)))
        assert.deepEqual(
          answers,
          [`1>2 voteAnswer ${granted ? 'granted' : 'refused'}`],
          `${last} against ${log}`,
        )
      }
    },
  ),

  rule('thesis 9.6', 'a pre-vote changes no term and no vote', () => {
    const group = groupOf(3)
    const answers = say(group, voteRequest([2, 1, 7], [0, 0], { pre: true }))
    assert.deepEqual(said(answers), ['1>2 voteAnswer granted'])
    assert.equal(answers[0]?.term, 7, 'granted for the term that was asked for')
    const { term, vote } = group.node(1).alive.status()
    assert.deepEqual({ term, vote }, { term: 0, vote: 0 })
  }),

  rule('thesis 9.6', 'a replica that was cut off comes back without disturbing the leader', () => {
    const group = groupOf(3)
    const leader = lead(group, 1)
    isolate(group, 3)
    group.tick(100)
    assert.equal(group.node(3).alive.term, 1, 'it never got as far as an election')
    group.cut.clear()
    group.tick(30)
    assert.deepEqual([leader.alive.role, leader.alive.term], ['leader', 1])
  }),

  rule('thesis 9.6', 'a pre-vote of an older term is refused, not left without an answer', () => {
    const group = groupOf(3)
    lead(group, 1)
    const answers = say(group, voteRequest([2, 3, 0], [99, 0], { pre: true }))
    assert.deepEqual(said(answers), ['3>2 voteAnswer refused'])
    assert.equal(answers[0]?.term, 1)
  }),

  rule(
    'thesis 4.2.3',
    'who hears a leader refuses its vote to others, unless the leader asked for it',
    () => {
      const group = groupOf(3)
      lead(group, 1)
      assert.deepEqual(said(say(group, voteRequest([3, 2, 9], [99, 9]))), [], 'not even the term counts')
      assert.equal(group.node(2).alive.term, 1)
      const transfer = voteRequest([3, 2, 9], [99, 9], { transfer: true })
      assert.deepEqual(said(say(group, transfer)), ['2>3 voteAnswer granted'])
    },
  ),

  rule('thesis 6.2', 'a leader that hears no quorum for an election timeout gives up', () => {
    const group = groupOf(5)
    const leader = lead(group, 1)
    isolate(group, 1, 2)
    group.tick(25)
    assert.notEqual(leader.alive.role, 'leader')
  }),

  rule(
    'thesis 4.2.3',
    'an old leader that only a bridge hears does not keep a quorum from electing for long',
    () => {
      // 1 was leader of 2 (the bridge), 3, 4, 5. Now 5 is alone, 1 reaches 2 only, and 2, 3, 4 are a quorum.
      const group = groupOf(5)
      lead(group, 1)
      isolate(group, 5)
      for (const other of [3, 4]) group.cut.add(`1>${other}`).add(`${other}>1`)
      group.tick(3 * 20)
      const { leader } = group
      assert.ok(leader !== undefined && [2, 3, 4].includes(leader.id), 'one of the quorum leads')
      const index = propose(leader)
      group.settle()
      assert.ok(leader.alive.status().commit >= index)
    },
  ),

  rule(
    'thesis 3.10',
    'leadership goes to a voter that has the whole log, and nobody waits for a timeout',
    () => {
      const group = groupOf(3)
      const leader = lead(group, 1)
      isolate(group, 3)
      propose(leader)
      group.settle()
      leader.alive.transferLeader(3)
      group.settle()
      assert.equal(leader.alive.role, 'leader', 'replica 3 lacks an entry')
      const refused = leader.alive.propose(Buffer.alloc(40), 2)
      assert.deepEqual(refused, { dropped: 'transferring' })
      group.cut.clear()
      group.tick()
      assert.deepEqual([group.node(3).alive.role, group.node(3).alive.term], ['leader', 2])
    },
  ),

  rule('thesis 3.10', 'a transfer that does not succeed within an election timeout is given up', () => {
    const group = groupOf(3)
    const leader = lead(group, 1)
    isolate(group, 3)
    leader.alive.transferLeader(3)
    group.tick(11)
    assert.equal(leader.alive.status().transferee, 0)
    propose(leader)
  }),

  rule('thesis 3.10', 'leadership goes to no learner, to no stranger, and not to itself', () => {
    const group = groupOf(3, {}, [4])
    const leader = lead(group, 1)
    for (const to of [4, 9, 1]) leader.alive.transferLeader(to)
    group.settle()
    assert.equal(leader.alive.status().transferee, 0)
  }),

  rule('thesis 3.10', 'a follower that is asked to transfer asks its leader', () => {
    const group = groupOf(3)
    lead(group, 1)
    group.node(2).alive.transferLeader(3)
    group.settle()
    assert.equal(group.leader?.id, 3)
  }),

  rule('thesis 3', 'a leader that is told to campaign goes on leading', () => {
    const group = groupOf(3)
    const leader = lead(group, 1)
    assert.equal(leader.alive.campaign(), false)
    group.settle()
    assert.deepEqual([leader.alive.role, leader.alive.term], ['leader', 1])
  }),

  rule(
    'thesis 9',
    'every single one-way cut, and every pair of them, leaves a group that makes progress',
    () => {
      const links = ['1>2', '1>3', '2>1', '2>3', '3>1', '3>2']
      for (const one of links) {
        for (const other of links) {
          const group = groupOf(3)
          group.tick(40)
          group.cut.add(one).add(other)
          group.tick(150)
          // Two cuts may leave no two replicas that hear each other.
          const pairs = [
            [1, 2],
            [1, 3],
            [2, 3],
          ] as const
          if (pairs.every(([a, b]) => group.cut.has(`${a}>${b}`) || group.cut.has(`${b}>${a}`))) continue
          const before = group.commit
          for (let i = 0; i < 60 && group.commit <= before; i++) {
            if (group.leader?.alive.canDecide === true) group.leader.alive.propose(Buffer.alloc(40), 2)
            group.tick()
          }
          assert.ok(group.commit > before, `without ${one} and ${other}`)
        }
      }
    },
  ),
]
