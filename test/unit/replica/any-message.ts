/** Arbitrary messages between replicas, of every type, as fast-check draws them. */
import fc from 'fast-check'
import { type Entry, encodeEntry } from '../../../src/base/entry.js'
import { type Configuration, enterJoint, simpleConfiguration } from '../../../src/raft/configuration.js'
import type { Append, PeerMessage, Place } from '../../../src/raft/messages.js'

/** The partition of all entries here. */
export const partition = 7

const plain = <T>(fields: { [Name in keyof T]: fc.Arbitrary<T[Name]> }): fc.Arbitrary<T> =>
  fc.record(fields, { noNullPrototype: true })

const index = fc.oneof(fc.nat({ max: 5 }), fc.maxSafeNat())
const id = index.map(value => Math.max(value, 1))
const place: fc.Arbitrary<Place> = plain({ index, term: index })
const between = { from: id, to: id, term: id }

/** An append whose entries follow each other, up to the very last numbers that there are. */
const append: fc.Arbitrary<Append> = fc
  .record({
    from: id,
    to: id,
    previousIndex: index,
    terms: fc.array(id, { minLength: 1, maxLength: 6 }),
    bodies: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }),
    kind: fc.nat({ max: 0xffff }),
    commit: index,
  })
  .map(({ terms, bodies, kind, previousIndex, ...rest }) => {
    const sorted = terms.sort((a, b) => a - b)
    const term = sorted.at(-1) ?? 1
    const entries: Entry[] = []
    for (const [at, body] of bodies.entries()) {
      const head = { partition, index: previousIndex + 1 + at, term: sorted[at] ?? term, kind }
      if (Number.isSafeInteger(head.index)) entries.push(encodeEntry(head, body))
    }
    const previousTerm = previousIndex === 0 ? 0 : (sorted[0] ?? 0)
    return { type: 'append', ...rest, term, previousIndex, previousTerm, entries }
  })

/** Simple and joint configurations, the latter also with learners to come. */
export const configuration: fc.Arbitrary<Configuration> = fc
  .record({
    voters: fc.uniqueArray(id, { minLength: 1, maxLength: 5 }),
    learners: fc.uniqueArray(id, { maxLength: 3 }),
    added: id,
    demotes: fc.boolean(),
    isJoint: fc.boolean(),
    autoLeave: fc.boolean(),
  })
  .map(({ voters, learners, added, demotes, isJoint, autoLeave }) => {
    const others = learners.filter(one => !voters.includes(one))
    const simple = simpleConfiguration(voters, others)
    if (!isJoint) return simple
    const [first = added] = voters
    const demotion = demotes && first !== added ? [{ type: 'addLearner', replica: first } as const] : []
    return enterJoint(simple, [...demotion, { type: 'addVoter', replica: added }], autoLeave)
  })

const snapshot = fc
  .record({ at: id, term: id, configuration, before: index })
  .map(({ at, term, configuration, before }) => {
    return { index: at, term, configuration, configurationIndex: Math.min(at, before) }
  })

type Messages = { [Type in PeerMessage['type']]: fc.Arbitrary<PeerMessage & { type: Type }> }

const drawn: Messages = {
  append,
  appended: plain({ type: fc.constant('appended'), ...between, index }),
  appendRejected: plain({
    type: fc.constant('appendRejected'),
    ...between,
    index,
    hintIndex: index,
    hintTerm: index,
  }),
  heartbeat: plain({ type: fc.constant('heartbeat'), ...between, commit: index, round: index }),
  heartbeatAnswer: plain({
    type: fc.constant('heartbeatAnswer'),
    ...between,
    round: index,
    recovering: fc.option(index, { nil: undefined }),
  }),
  voteRequest: plain({
    type: fc.constant('voteRequest'),
    ...between,
    pre: fc.boolean(),
    lastIndex: index,
    lastTerm: index,
    transfer: fc.boolean(),
    committed: place,
  }),
  voteAnswer: plain({
    type: fc.constant('voteAnswer'),
    ...between,
    term: index,
    pre: fc.boolean(),
    granted: fc.boolean(),
    committed: place,
  }),
  installSnapshot: fc
    .record({ type: fc.constant('installSnapshot'), ...between, snapshot })
    .map(message => ({ ...message, term: Math.max(message.term, message.snapshot.term) })),
  readRequest: plain({ type: fc.constant('readRequest'), ...between, run: index, token: index }),
  readAnswer: plain({ type: fc.constant('readAnswer'), ...between, run: index, token: index, index }),
  transferRequest: plain({ type: fc.constant('transferRequest'), ...between, transferee: id }),
  campaignNow: plain({ type: fc.constant('campaignNow'), ...between }),
}

/** By type: what may be said, to somebody else. */
export const messages = Object.fromEntries(
  Object.entries(drawn).map(([type, one]) => [
    type,
    (one as fc.Arbitrary<PeerMessage>).filter(({ from, to }) => from !== to),
  ]),
) as Messages

/** Any of them. */
export const anyMessage: fc.Arbitrary<PeerMessage> = fc.oneof(...Object.values(messages))
