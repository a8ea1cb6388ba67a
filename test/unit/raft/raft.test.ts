/** Raft with one voter: transcripts of what it asks of the log and of the state, and when anything counts. */
import t from 'tap'
import { decodeEntry, entryHeadBytes } from '../../../src/base/entry.js'
import { Random } from '../../../src/base/random.js'
import { simpleConfiguration } from '../../../src/raft/configuration.js'
import { MemoryStorage } from '../../../src/raft/memory-storage.js'
import { Raft } from '../../../src/raft/raft.js'
import { Driven } from './transcript.js'

const stable = (term: number, index: number, entryTerm: number) =>
  ({ type: 'storageAppended', term, index, entryTerm, snapshotIndex: undefined }) as const

t.test('vote and entries count only after the log has stored them', async t => {
  const one = new Driven()
  t.strictSame(one.take(), [], 'nothing to do at the start')
  one.raft.campaign()
  t.strictSame(one.take(), ['candidate of term 1', 'store term 1 vote 1 commit 0, -> vote 1'])
  t.equal(one.raft.role, 'candidate', 'a vote that is not durable elects nobody')
  t.equal(one.propose(1), 'notLeader')
  t.strictSame(one.stored(), ['leader of term 1', 'store entries 1/1, -> stable 1/1, -> own 1'])
  t.equal(one.raft.canDecide, false, 'the first entry of the term is not applied')
  t.strictSame(one.stored(), ['apply 1..1'])
  t.equal(one.raft.canDecide, false, 'handed out for application is not applied')
  t.strictSame(one.applied(1), [])
  t.equal(one.raft.canDecide, true)
  t.equal(one.propose(8), '2 in term 1')
  t.strictSame(one.take(), ['store term 1 vote 1 commit 1, entries 2/1, -> stable 2/1, -> own 2'])
  t.equal(one.raft.status().commit, 1, 'an entry that is not durable is not committed')
  t.strictSame(one.stored(), ['apply 2..2'])
})

t.test('appends in flight at once are each acknowledged by their own response', async t => {
  const one = new Driven().lead()
  one.propose(1)
  t.strictSame(one.take(), ['store term 1 vote 1 commit 1, entries 2/1, -> stable 2/1, -> own 2'])
  one.propose(1)
  one.propose(1)
  t.strictSame(one.take(), ['store entries 3/1 4/1, -> stable 4/1, -> own 4'])
  t.strictSame(one.stored(), ['apply 2..2'])
  t.strictSame(one.stored(), ['apply 3..4'])
  t.strictSame(one.applied(3), [])
  t.equal(one.raft.status().applied, 3)
})

t.test('a response of an older term is ignored', async t => {
  const one = new Driven()
  one.raft.campaign()
  one.take()
  const old = one.withhold()
  one.raft.campaign()
  t.strictSame(one.take(), ['candidate of term 2', 'store term 2 vote 1 commit 0, -> vote 2'])
  for (const response of old) one.raft.step(response)
  t.strictSame(one.take(), [])
  t.equal(one.raft.role, 'candidate', 'the vote of term 1 elects nobody in term 2')
  one.raft.step(stable(1, 99, 1))
  t.strictSame(one.take(), [], 'nor does an append of another term count')
  t.strictSame(one.stored(), ['leader of term 2', 'store entries 1/2, -> stable 1/2, -> own 1'])
})

t.test('nothing is committed before the first entry of the own term', async t => {
  const start = { hardState: { term: 3, vote: 1, commit: 4 }, lastIndex: 9, lastTerm: 3, applied: 2 }
  const one = new Driven({ start })
  t.strictSame(one.take(), ['apply 3..4'], 'only what was known to be committed')
  one.raft.campaign()
  t.strictSame(one.take(), ['candidate of term 4', 'store term 4 vote 1 commit 4, -> vote 4'])
  t.strictSame(one.stored(), ['leader of term 4', 'store entries 10/4, -> stable 10/4, -> own 10'])
  one.raft.step(stable(4, 9, 3))
  t.strictSame(one.take(), [], 'durable entries of older terms are not committed by counting')
  t.equal(one.raft.status().commit, 4)
  t.strictSame(one.stored(), ['apply 5..10'], 'they come with the first one of this term')
  t.equal(one.raft.canDecide, false)
  one.applied(9)
  t.equal(one.raft.canDecide, false, 'decides only when its own first entry is applied')
  one.applied(10)
  t.equal(one.raft.canDecide, true)
})

t.test('a read index waits for the first commit of the term', async t => {
  const start = { hardState: { term: 1, vote: 1, commit: 2 }, lastIndex: 5, lastTerm: 1, applied: 2 }
  const one = new Driven({ start })
  t.equal(one.raft.readIndex(), undefined, 'a follower has none')
  one.raft.campaign()
  t.equal(one.raft.readIndex(), undefined, 'a candidate has none')
  one.take()
  one.stored()
  t.equal(one.raft.readIndex(), 1)
  t.equal(one.raft.readIndex(), 2)
  t.strictSame(one.take(), [], 'the commit index may be older than what was acknowledged')
  t.strictSame(one.stored(), ['apply 3..6', 'read 1 at 6', 'read 2 at 6'])
  t.equal(one.raft.readIndex(), 3)
  t.strictSame(one.take(), ['read 3 at 6'], 'from then on at once')
})

t.test('a commit index alone never forces a write, a term or a vote does at once', async t => {
  const one = new Driven().lead()
  one.propose(1)
  one.take()
  one.stored()
  t.equal(one.raft.status().commit, 2)
  t.equal(one.raft.hasReady(), false, 'the new commit index waits for company')
  one.propose(1)
  t.strictSame(one.take(), ['store term 1 vote 1 commit 2, entries 3/1, -> stable 3/1, -> own 3'])
  const restarted = new Driven({
    start: { hardState: { term: 7, vote: 0, commit: 0 }, lastIndex: 0, lastTerm: 0, applied: 0 },
  })
  t.equal(restarted.raft.hasReady(), false)
  restarted.raft.campaign()
  t.strictSame(restarted.take(), ['candidate of term 8', 'store term 8 vote 1 commit 0, -> vote 8'])
})

t.test('uncommitted bytes are bounded, and a proposal larger than the bound goes alone', async t => {
  const one = new Driven({ uncommittedBytesMax: 300 }).lead()
  const body = 100 - entryHeadBytes
  t.strictSame(
    [1, 2, 3, 4].map(() => one.propose(body)),
    ['2 in term 1', '3 in term 1', '4 in term 1', 'uncommittedFull'],
  )
  one.take()
  t.equal(one.propose(body), 'uncommittedFull', 'handing out makes no room')
  one.stored()
  t.equal(one.propose(body), '5 in term 1', 'committing does')
  t.equal(one.propose(1000), 'uncommittedFull')
  one.take()
  one.stored()
  t.equal(one.propose(1000), '6 in term 1')
})

t.test(
  'a follower campaigns after a random number of ticks, from once to twice the election time',
  async t => {
    const counts = new Set<number>()
    for (let seed = 0; seed < 300; seed++) {
      const { raft } = new Driven({ random: new Random(seed) })
      let ticks = 0
      for (; raft.role === 'follower'; ticks++) raft.tick()
      counts.add(ticks)
    }
    t.strictSame(
      [...counts].sort((a, b) => a - b),
      [10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
    )
    const leader = new Driven().lead()
    for (let i = 0; i < 100; i++) leader.raft.tick()
    t.equal(leader.raft.term, 1, 'a leader does not campaign')
    const candidate = new Driven()
    for (let i = 0; i < 60; i++) candidate.raft.tick()
    t.ok(candidate.raft.term >= 3, 'a candidate whose vote is not stored tries again')
  },
)

t.test('an entry is sealed with its place, and its bytes are those of the proposal', async t => {
  const one = new Driven().lead()
  const bytes = Buffer.concat([Buffer.alloc(entryHeadBytes), Buffer.from('the body')])
  one.raft.propose(bytes, 2)
  one.take()
  const entry = one.entries.at(-1)
  t.equal(entry?.bytes, bytes, 'no copy')
  t.match(decodeEntry(bytes), { partition: 1, index: 2, term: 1, kind: 2 })
})

t.test('what can never be is an error, not a guess', async t => {
  const start = { hardState: { term: 1, vote: 1, commit: 2 }, lastIndex: 5, lastTerm: 1, applied: 2 }
  const make = (change: object) => () => new Driven({ start: { ...start, ...change } })
  t.throws(make({ lastIndex: 1 }), { name: 'InvariantError' }, 'commit beyond the log')
  t.throws(make({ applied: 6 }), { name: 'InvariantError' }, 'applied beyond the log')
  t.throws(make({ lastTerm: 2 }), { name: 'InvariantError' }, 'a log ahead of the term')
  t.throws(() => new Driven({ electionTicks: 0 }), { code: 'INVALID', message: /electionTicks is 0/ })
  t.throws(() => new Driven({ leaseReads: true, checkQuorum: false }), {
    code: 'INVALID',
    message: /checkQuorum/,
  })
  const one = new Driven().lead()
  t.throws(() => one.raft.step({ type: 'appended', from: 1, to: 1, term: 1, index: 2 }), {
    message: /acknowledges 2/,
  })
  t.throws(() => one.applied(2), { message: /applied 2 beyond/ })
  one.propose(1)
  one.take()
  one.stored()
  one.applied(2)
  t.throws(() => one.applied(1), { message: /applied falls/ })
  t.ok(one.raft instanceof Raft)
})

t.test('hard state for the close names the newest commit', async t => {
  const one = new Driven().lead()
  one.propose(1)
  one.take()
  one.stored()
  t.strictSame(one.raft.hardState(), { term: 1, vote: 1, commit: 2 })
})

t.test('a snapshot that comes late, and is older than the log, replaces nothing', t => {
  const log = new MemoryStorage()
  const configuration = simpleConfiguration([1, 2])
  const snapshot = (index: number) => ({ index, term: 1, configuration, configurationIndex: 0 })
  log.store({
    type: 'storageAppend',
    hardState: undefined,
    snapshot: snapshot(8),
    entries: [],
    responses: [],
  })
  const raft = new Raft({
    partition: 1,
    replica: 1,
    random: new Random('raft'),
    electionTicks: 10,
    uncommittedBytesMax: 1000,
    start: { hardState: { term: 1, vote: 0, commit: 8 }, log, applied: 8, configuration },
    emptyEntry: () => Buffer.alloc(entryHeadBytes),
  })
  raft.step({ type: 'installSnapshot', from: 2, to: 1, term: 1, snapshot: snapshot(5) })
  const appends = raft.ready().messages.filter(one => one.type === 'storageAppend')
  t.ok(appends.every(append => append.snapshot === undefined))
  t.match(
    appends.flatMap(append => append.responses).find(one => one.type === 'appended'),
    { to: 2, index: 8 },
    'the sender learns how far the log reaches',
  )
  t.end()
})
