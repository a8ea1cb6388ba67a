/** Quorums and configurations, each against an oracle that tries every set. */
import t from 'tap'
import { encodeEntry, entryHeadBytes, sealEntry } from '../../../src/base/entry.js'
import { Random } from '../../../src/base/random.js'
import {
  type ChangeStep,
  type Configuration,
  changed,
  checkConfiguration,
  enterJoint,
  leaveJoint,
  membersOf,
  simpleChange,
  simpleConfiguration,
} from '../../../src/raft/configuration.js'
import { decodeChange, encodeChange } from '../../../src/raft/configuration-entry.js'
import { quorumReached, quorumVote } from '../../../src/raft/quorum.js'

const seed = process.env['SEED'] ?? '1'
t.comment(`SEED=${seed}`)

/** Every subset of the ids. */
function subsets(ids: readonly number[]): number[][] {
  const all: number[][] = [[]]
  for (const id of ids) all.push(...all.map(set => [...set, id]))
  return all
}

/** True if more than half of the voters are in the set; trivially of nobody. */
function holds(voters: readonly number[], set: readonly number[]): boolean {
  return voters.length === 0 || voters.filter(id => set.includes(id)).length * 2 > voters.length
}

const isQuorum = (one: { voters: readonly number[]; outgoing: readonly number[] }, set: readonly number[]) =>
  holds(one.voters, set) && holds(one.outgoing, set)

t.test('what a quorum has reached is what some quorum has reached whole, and nothing higher', async t => {
  const random = new Random(`${seed} reached`)
  for (let i = 0; i < 400; i++) {
    const ids = [1, 2, 3, 4, 5, 6]
    const voters = ids.filter(() => random.chance(0.6))
    const outgoing = random.chance(0.5) ? [] : ids.filter(() => random.chance(0.5))
    if (voters.length === 0) voters.push(1)
    const reached = new Map(ids.map(id => [id, random.below(6)]))
    const of = (id: number) => reached.get(id) ?? 0
    let best = 0
    for (const set of subsets(ids)) {
      if (isQuorum({ voters, outgoing }, set) && set.length > 0)
        best = Math.max(best, Math.min(...set.map(of)))
    }
    t.equal(
      quorumReached({ voters, outgoing }, of),
      best,
      JSON.stringify({ voters, outgoing, reached: [...reached] }),
    )
  }
  t.equal(
    quorumReached({ voters: [], outgoing: [] }, () => 1),
    Number.MAX_SAFE_INTEGER,
  )
})

t.test('an election is won when a quorum granted, lost when none can any more', async t => {
  const random = new Random(`${seed} votes`)
  for (let i = 0; i < 400; i++) {
    const ids = [1, 2, 3, 4, 5, 6]
    const voters = ids.filter(() => random.chance(0.6))
    const outgoing = random.chance(0.5) ? [] : ids.filter(() => random.chance(0.5))
    const votes = new Map<number, boolean>()
    for (const id of ids) if (random.chance(0.7)) votes.set(id, random.chance(0.5))
    const granted = ids.filter(id => votes.get(id) === true)
    const possible = ids.filter(id => votes.get(id) !== false)
    const sides = { voters, outgoing }
    const expected = isQuorum(sides, granted) ? 'won' : isQuorum(sides, possible) ? 'pending' : 'lost'
    t.equal(
      quorumVote(sides, id => votes.get(id)),
      expected,
      JSON.stringify({ sides, votes: [...votes] }),
    )
  }
})

/** Random steps over few ids, so that they meet. */
function steps(random: Random, count: number): ChangeStep[] {
  return Array.from({ length: count }, () => ({
    type: random.pick(['addVoter', 'addLearner', 'remove'] as const),
    replica: 1 + random.below(5),
  }))
}

/** Every quorum of one and every quorum of the other share a replica. */
function quorumsMeet(a: Configuration, b: Configuration): boolean {
  const all = subsets([1, 2, 3, 4, 5])
  const ofB = all.filter(set => isQuorum(b, set))
  return all
    .filter(set => isQuorum(a, set))
    .every(one => ofB.every(other => one.some(id => other.includes(id))))
}

t.test('whatever change is accepted, quorums before and after share a replica', async t => {
  const random = new Random(`${seed} changes`)
  let accepted = 0
  for (let i = 0; i < 60; i++) {
    let now = simpleConfiguration([1, 2, 3])
    for (let step = 0; step < 6; step++) {
      const type = random.pick(['simple', 'simple', 'joint', 'jointExplicit', 'leave'] as const)
      const change =
        type === 'leave'
          ? { type }
          : { type, steps: steps(random, 1 + random.below(type === 'simple' ? 2 : 4)) }
      let next: Configuration
      try {
        next = changed(now, change)
      } catch (error) {
        t.match(error, { code: 'INVALID' })
        continue
      }
      accepted += 1
      checkConfiguration(next)
      if (!quorumsMeet(now, next)) t.fail(JSON.stringify({ now, change, next }))
      now = next
    }
  }
  t.ok(accepted > 100, `${accepted} accepted`)
})

t.test('a joint change and leaving it come to what the steps say', async t => {
  const random = new Random(`${seed} joint`)
  for (let i = 0; i < 300; i++) {
    const before = simpleConfiguration([1, 2, 3], [4])
    const all = steps(random, 1 + random.below(5))
    const roles = new Map<number, string>([
      [1, 'addVoter'],
      [2, 'addVoter'],
      [3, 'addVoter'],
      [4, 'addLearner'],
    ])
    for (const { type, replica } of all) roles.set(replica, type)
    const having = (role: string) =>
      [...roles]
        .filter(([, r]) => r === role)
        .map(([id]) => id)
        .sort()
    if (having('addVoter').length === 0) {
      t.throws(() => enterJoint(before, all, true), { message: /no voter would remain/ })
      continue
    }
    const joint = enterJoint(before, all, true)
    t.strictSame(joint.outgoing, [1, 2, 3])
    const after = leaveJoint(joint)
    t.strictSame([after.voters, after.learners], [having('addVoter'), having('addLearner')])
    t.strictSame(membersOf(joint), [...new Set([...membersOf(after), 1, 2, 3])].sort())
  }
})

t.test('a voter that becomes a learner in a joint change votes in its old half until it is left', async t => {
  const joint = enterJoint(simpleConfiguration([1, 2, 3]), [{ type: 'addLearner', replica: 3 }], false)
  t.strictSame(joint, {
    voters: [1, 2],
    outgoing: [1, 2, 3],
    learners: [],
    learnersNext: [3],
    autoLeave: false,
  })
  t.strictSame(leaveJoint(joint), simpleConfiguration([1, 2], [3]))
})

t.test('a change that may not be says why', async t => {
  const three = simpleConfiguration([1, 2, 3])
  const add = (replica: number): ChangeStep => ({ type: 'addVoter', replica })
  const joint = enterJoint(three, [add(4)], false)
  const says = (make: () => unknown, message: RegExp) => t.throws(make, { code: 'INVALID', message })
  says(() => simpleChange(three, [add(4), add(5)]), /2 voters: more than one needs a joint change/)
  says(() => simpleChange(joint, [add(5)]), /joint: leave it first/)
  says(() => enterJoint(joint, [add(5)], true), /joint: leave it first/)
  says(() => leaveJoint(three), /not joint/)
  says(
    () => simpleChange(simpleConfiguration([1]), [{ type: 'remove', replica: 1 }]),
    /no voter would remain/,
  )
  says(() => simpleChange(three, []), /without steps/)
  for (const bad of [0, -1, 1.5, NaN]) says(() => simpleChange(three, [add(bad)]), /whole number from 1/)
  t.doesNotThrow(
    () => simpleChange(three, [add(4), { type: 'addLearner', replica: 5 }]),
    'one voter, one learner',
  )
})

t.test('a change comes back from its entry as it was, whatever stands before it', async t => {
  const random = new Random(`${seed} entries`)
  const head = { partition: 1, index: 7, term: 3, kind: 1 }
  for (let i = 0; i < 200; i++) {
    const type = random.pick(['simple', 'joint', 'jointExplicit', 'leave'] as const)
    const change = type === 'leave' ? { type } : { type, steps: steps(random, random.below(6)) }
    const prefix = Buffer.concat([Buffer.alloc(entryHeadBytes), random.bytes(random.below(9))])
    t.strictSame(decodeChange(sealEntry(encodeChange(prefix, change), head)), change)
  }
  const large = { type: 'addVoter', replica: Number.MAX_SAFE_INTEGER } as const
  const bytes = encodeChange(Buffer.alloc(entryHeadBytes), { type: 'simple', steps: [large] })
  t.strictSame(decodeChange(sealEntry(bytes, head)), { type: 'simple', steps: [large] })
  for (const body of [
    '',
    '00',
    '0000',
    'ff0100',
    '0900',
    '030000000000000000000a00',
    '000700000000000000000a00',
  ]) {
    const entry = encodeEntry(head, Buffer.from(body, 'hex'))
    t.throws(() => decodeChange(entry), { message: /entry 7 holds no change/ }, body)
  }
  const many = Array.from({ length: 1001 }, () => large)
  t.throws(() => encodeChange(Buffer.alloc(32), { type: 'joint', steps: many }), { code: 'TOO_LARGE' })
})
