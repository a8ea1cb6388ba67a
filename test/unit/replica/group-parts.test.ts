/** What groups of several need of a replica, each part alone: its group, its stored log, its callers. */
import t from 'tap'
import { type Entry, encodeEntry, entryKinds } from '../../../src/base/entry.js'
import { SillokError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import type { Reply } from '../../../src/machine/reply.js'
import { type ChangeStep, changed, simpleConfiguration } from '../../../src/raft/configuration.js'
import type { NeedEntries } from '../../../src/raft/messages.js'
import { encodeMembership, Memberships } from '../../../src/replica/memberships.js'
import { ReadBarrier } from '../../../src/replica/read-barrier.js'
import { StoredLog } from '../../../src/replica/stored-log.js'
import { Waiters } from '../../../src/replica/waiters.js'
import { registerBytesMax } from '../../../src/wal/registers.js'
import { PartitionTail } from '../../../src/wal/tail.js'
import { Usage } from '../../../src/wal/usage.js'

t.test(
  'memberships come back from their bytes, and tell who belonged to the group as of an entry',
  async t => {
    const known = Memberships.of([1, 2, 3])
    t.equal(known.encode().toString(), '{"voters":[1,2,3]}', 'one stands alone')
    const joint = changed(simpleConfiguration([1, 2, 3]), {
      type: 'joint',
      steps: [
        { type: 'addLearner', replica: 3 },
        { type: 'addVoter', replica: 4 },
      ],
    })
    known.add(7, joint)
    known.add(9, changed(joint, { type: 'leave' }))
    t.throws(() => known.add(9, joint), { name: 'InvariantError' })
    const read = Memberships.decode(known.encode())
    t.strictSame(
      [0, 6, 7, 8, 9, 100].map(index => read.asOf(index)?.index),
      [0, 0, 7, 7, 9, 9],
    )
    t.strictSame(read.asOf(8)?.configuration, joint)
    t.ok(encodeMembership(read.newest).equals(encodeMembership(known.newest)), 'the same bytes again')
    for (let index = 10; index < 60; index++) known.add(index, joint)
    t.equal(known.asOf(9), undefined, 'those of long ago are forgotten')
    t.equal(known.asOf(59)?.index, 59)
  },
)

t.test('the largest group, changed as often as is remembered, fits into the register', async t => {
  const id = (place: number): number => Number.MAX_SAFE_INTEGER - 100 + place
  const voters = Array.from({ length: limits.groupReplicasMax }, (_, place) => id(place))
  const [first = 0, ...others] = voters
  const steps = others.map(replica => ({ type: 'addLearner' as const, replica }))
  const largest = changed(simpleConfiguration(voters), { type: 'joint', steps })
  const known = Memberships.of([first])
  for (let at = 0; at < 100; at++) known.add(Number.MAX_SAFE_INTEGER - 1000 + at, largest)
  t.ok(known.encode().length <= registerBytesMax, `${known.encode().length} bytes`)
  t.strictSame(Memberships.decode(known.encode()).newest.configuration, largest)
  const more: ChangeStep = { type: 'addLearner', replica: id(limits.groupReplicasMax) }
  const refused = { code: 'INVALID', message: /a group of 33 replicas: at most 32/ }
  t.throws(() => changed(simpleConfiguration(voters), { type: 'simple', steps: [more] }), refused)
})

t.test('a malformed membership is damage', async t => {
  const bad = [
    '',
    'x',
    '[]',
    '{}',
    '{"voters":[]}',
    '{"voters":[2,1]}',
    '{"voters":[0]}',
    '{"voters":[1],"x":1}',
  ]
  bad.push('{"voters":[1],"learners":[1]}', '{"voters":[1],"autoLeave":true}')
  bad.push('[{"index":2,"voters":[1]},{"index":2,"voters":[1,2]}]')
  for (const text of bad) t.throws(() => Memberships.decode(Buffer.from(text)), { code: 'DAMAGED' }, text)
})

t.test(
  'who proposed in a lost term waits on, also when this replica leads again in those places',
  async t => {
    const waiters = new Waiters()
    const told: string[] = []
    const asker = (name: string) => ({
      answer: (result: Reply | SillokError): void => {
        const isRefused = result instanceof SillokError
        told.push(`${name}: ${isRefused ? `${result.code} ${result.outcome}` : 'done'}`)
      },
    })
    const reply: Reply = { ok: true, version: 1, value: null }
    waiters.add(5, 2, reply, asker('five of 2'))
    waiters.add(6, 2, reply, asker('six of 2'))
    waiters.add(7, 2, reply, asker('seven of 2'))
    waiters.add(6, 4, reply, asker('six of 4'))
    t.strictSame(told, [], 'another replica may still bring them to commit')
    t.throws(() => waiters.add(6, 4, reply, asker('again')), { name: 'InvariantError' })
    waiters.applied(5, 2)
    t.strictSame(told.splice(0), ['five of 2: done'])
    waiters.applied(6, 2)
    t.strictSame(told.splice(0), ['six of 2: done', 'six of 4: LEADERSHIP_LOST not-applied'])
    t.equal(waiters.isEmpty, false)
    waiters.applied(7, 5)
    t.strictSame(told.splice(0), ['seven of 2: LEADERSHIP_LOST not-applied'])
    t.equal(waiters.isEmpty, true)
    waiters.add(9, 5, reply, asker('nine of 5'))
    waiters.add(8, 6, reply, asker('eight of 6'))
    waiters.fail(new SillokError('CLOSED_WHILE_WAITING', 'closed'))
    t.strictSame(told.sort(), [
      'eight of 6: CLOSED_WHILE_WAITING unknown',
      'nine of 5: CLOSED_WHILE_WAITING unknown',
    ])
  },
)

t.test('what was decided goes on in no other leadership, whatever is applied; reads do', async t => {
  const reads = new ReadBarrier()
  const told: string[] = []
  const tell = (name: string) => (error?: SillokError) =>
    told.push(error === undefined ? name : `${name} lost`)
  reads.askDecided(3, tell('confirmed answer'))
  reads.ask(tell('confirmed read'))
  reads.begin(() => 1)
  reads.confirmed({ token: 1, index: 5 }, 4)
  reads.askDecided(3, tell('answer in a round'))
  reads.ask(tell('read in a round'))
  reads.begin(() => 2)
  reads.askDecided(3, tell('answer to come'))
  reads.ask(tell('read to come'))
  reads.lose(new SillokError('LEADERSHIP_LOST', 'over'))
  t.strictSame(told.splice(0), ['answer to come lost', 'confirmed answer lost', 'answer in a round lost'])
  reads.confirmed({ token: 2, index: undefined }, 4)
  reads.begin(() => 3)
  reads.confirmed({ token: 3, index: 6 }, 6)
  t.strictSame(told.sort(), ['confirmed read', 'read in a round', 'read to come'])
})

const entryOf = (index: number, term: number): Entry =>
  encodeEntry({ partition: 1, index, term, kind: entryKinds.empty }, Buffer.alloc(100))

t.test('the stored log knows every term, and has at hand what the tail of the log holds', async t => {
  const tail = new PartitionTail(new Usage())
  for (let index = 1; index <= 10; index++) tail.push(entryOf(index, index < 8 ? 2 : 3))
  for (let index = 1; index <= 6; index++) tail.written(entryOf(index, 2), 1)
  tail.truncate(6, true)
  const read: NeedEntries[] = []
  let failure: unknown
  const told: unknown[] = []
  const log = new StoredLog({
    segments: {
      firstIndex: 4,
      lastIndex: 7,
      term: index => (index >= 4 && index <= 7 ? 2 : undefined),
      read: async (from, { through = 0, bytesMax }) => {
        if (failure !== undefined) throw failure
        read.push({ type: 'needEntries', to: 0, term: 0, from, through, bytesMax })
        return [entryOf(from, 2)]
      },
    },
    tail,
    truncated: () => ({ index: 3, term: 1 }),
    snapshot: () => undefined,
    unreadable: error => told.push(error),
  })
  t.strictSame([log.firstIndex, log.lastIndex], [4, 10])
  t.strictSame(
    Array.from({ length: 12 }, (_, index) => log.term(index)),
    [undefined, undefined, undefined, 1, 2, 2, 2, 2, 3, 3, 3, undefined],
  )
  t.equal(log.entries(3, 9, 1000), 'compacted')
  t.equal(log.entries(6, 9, 1000), 'absent')
  const some = log.entries(7, 9, 10_000)
  t.strictSame(typeof some === 'string' ? some : some.map(({ index }) => index), [7, 8, 9], 'not beyond')
  t.equal(log.entries(7, 10, 200).length, 1, 'as many as fit, one at least')
  const request: NeedEntries = { type: 'needEntries', to: 2, term: 3, from: 4, through: 6, bytesMax: 500 }
  t.strictSame(await log.load(request), { type: 'entriesLoaded', request, entries: [entryOf(4, 2)] })
  t.match(read, [{ from: 4, through: 6, bytesMax: 500 }])
  failure = new SillokError('LOG_TRUNCATED', 'trimmed')
  t.equal((await log.load(request)).entries, 'compacted')
  t.strictSame(told, [], 'that is no fault')
  failure = new SillokError('DAMAGED', 'a bit')
  t.equal((await log.load(request)).entries, 'failed')
  t.strictSame(told, [failure])
})
