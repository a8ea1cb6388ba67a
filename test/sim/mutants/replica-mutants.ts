/** Bugs of a node around the protocol: what is told to whom, when, and what moves between nodes. */
import { type Mutant, mutant } from './planting.js'

/** Answers. */
export const answerMutants: readonly Mutant[] = [
  mutant(
    'answers a write when it is proposed',
    'replica/replica',
    'this.#waiters.add(index, term, decision.reply, ticket);',
    'this.#waiters.add(index, term, decision.reply, { answer() {} }); ticket.answer(decision.reply);',
  ),
  mutant(
    'refuses by what is in flight',
    'replica/replica',
    'this.#reads.askDecided(index - 1, error => ticket.answer(error ?? reply));',
    'ticket.answer(reply);',
  ),
  mutant(
    'refuses by what is in flight, though it leads',
    'replica/replica',
    'this.#reads.askDecided(index - 1,',
    'this.#reads.askDecided(0,',
  ),
  mutant('keeps its proposals over a lost leadership', 'replica/replica', 'this.#overlay.clear();', ''),

  mutant(
    'answers what a lost leadership had decided',
    'replica/replica',
    'this.#reads.lose(leadershipLost());',
    '',
  ),
  mutant(
    'tells its callers at a lost leadership that nothing was applied',
    'replica/replica',
    'this.#reads.lose(leadershipLost());',
    'this.#reads.lose(leadershipLost()); this.#waiters.fail(leadershipLost());',
  ),
  mutant(
    'answers whoever waits for the place of an entry',
    'replica/waiters',
    'if (waiter.term === term)',
    'if (true)',
  ),
  mutant(
    'says that nothing was applied where it stops',
    'replica/refusals',
    'return withUnknownOutcome(error);',
    'return error;',
  ),
  mutant(
    'sends a write again whose outcome is unknown',
    'replica/resending',
    'ofTheMoment.has(result.code) && (!isUnknown || isRepeatable(command))',
    'ofTheMoment.has(result.code)',
  ),

  mutant(
    'says that nothing was applied where messages were lost',
    'replica/forwarding',
    "'messages to the node were lost', 'unknown'",
    "'messages to the node were lost'",
  ),
  mutant(
    'says that a change holds when only the leader knows',
    'replica/group-change',
    'if (!raft.status().configuration.voters.includes(self))',
    'if (true)',
  ),
  mutant(
    'says of what was on a lost connection that it never left',
    'replica/sender',
    "this.#failed('in-doubt');",
    "this.#failed('unsent');",
  ),
  mutant(
    'lets a small request pass those that did not leave',
    'replica/sender',
    'if (this.#isTelling && notSent !== undefined)',
    'if (false)',
  ),
  mutant(
    'says of what never left that nobody knows',
    'replica/switchboard',
    "if (loss === 'in-doubt')",
    'if (true)',
  ),
  mutant(
    'takes an answer to an earlier life for its own',
    'replica/forwarding',
    'else if (said.request.run === this.#run)',
    'else',
  ),
  mutant(
    'asks another node twice',
    'replica/forwarding',
    'send(address, frame, notSent);',
    'send(address, frame, notSent); clock.after(300, () => send(address, frame));',
  ),

  mutant(
    'says at a deadline that nothing was applied',
    'store/wait',
    "this.sent ? options : { ...options, outcome: 'not-applied' }",
    "{ ...options, outcome: 'not-applied' }",
  ),
]

/** Answers to what is sent again. */
export const againMutants: readonly Mutant[] = [
  mutant(
    'keeps what it derived of proposals over a lost leadership',
    'replica/replica',
    'this.#view.reset();',
    '',
  ),
  mutant(
    'takes a refusal of this attempt for one of the request',
    'store/asking',
    'this.#request.mayBeRetry === true ? withUnknownOutcome(result) : result',
    'result',
  ),
  mutant(
    'forgets that an earlier attempt may have taken effect',
    'replica/resending',
    'attempt.isUncertain ||= isUnknown;',
    '',
  ),
  mutant(
    'takes any refusal of a later attempt for one of the command',
    'replica/resending',
    'attempt.isUncertain ? sureOf(command, result) : result',
    'result',
  ),
  mutant(
    'tells a holder that lost its session that nothing was applied',
    'store/asking',
    "error.code === 'FENCED' && this.#request.mayBeRetry === true",
    'false',
  ),
  mutant(
    'registers a session for a caller that has gone',
    'replica/session-directory',
    ' || isForgotten()',
    '',
  ),
]

/** Reads. */
export const readMutants: readonly Mutant[] = [
  mutant(
    'reads before the confirmed index is applied',
    'replica/read-barrier',
    'const passed = this.#waiting.filter(read => read.atLeast <= index);',
    'const passed = this.#waiting.slice();',
  ),
  mutant(
    'reads on though its round was dropped',
    'replica/read-barrier',
    'this.#asking.unshift(...reads);',
    'for (const read of reads) read.passed();',
  ),
  mutant(
    'reads what this node happens to know',
    'store/reader',
    "if (level === undefined || level === 'linearizable')",
    'if (false)',
  ),
  mutant(
    'reads from the store what memory knows better',
    'store/reader',
    'return (memory === undefined ? loaded : memory) ?? null;',
    'return (loaded === undefined ? memory : loaded) ?? null;',
  ),
  mutant(
    'reads each of many rows as of another moment',
    'store/collection',
    'reader.ofOneMoment(view => view.getMany(rowKeys))',
    'Promise.all(rowKeys.map(key => reader.row(key)))',
  ),
]

/** What moves between nodes, and what is remembered of the group. */
export const groupMutants: readonly Mutant[] = [
  mutant('ends sessions of which it has not heard yet', 'replica/meta-feed', 'session <= applied && ', ''),
  mutant('sends a snapshot again that proved bad', 'replica/snapshots', 'await this.distrust([path]);', ''),
  mutant('applies on while its parts close', 'replica/node-replicas', 'replica.fail(storeClosed());', ''),
  mutant(
    'takes messages for the replica that was here before',
    'replica/replica',
    'if (message.to !== this.#options.replica)',
    'if (false)',
  ),
  mutant(
    'writes a hard state behind a snapshot that it did not install',
    'replica/replica',
    'if (this.#installing)\n            return;\n        await',
    'await',
  ),
  mutant(
    'forgets who belongs to the group',
    'replica/raft-storage',
    "this.#record(opaqueRegister('configuration', memberships.encode()));",
    '',
  ),
  mutant(
    'writes a hard state that names what is not written yet',
    'replica/raft-storage',
    'hardStateRegister(cappedTo(hardState, part))',
    'hardStateRegister(hardState)',
  ),
  mutant(
    'writes a snapshot with the group of now',
    'replica/retention',
    'const membership = memberships.asOf(index);',
    'const membership = memberships.newest;',
  ),
  mutant(
    'sends a snapshot with the group of now',
    'replica/open-replica',
    'const membership = newest && memberships.asOf(newest.index);',
    'const membership = newest && memberships.newest;',
  ),
  mutant(
    'writes a snapshot as if a segment ended with it',
    'replica/retention',
    'const lastCut = sealed?.lastIndex ??',
    'const lastCut = index ??',
  ),
  mutant(
    'forgets where the log was cut that a snapshot brought',
    'replica/retention',
    'sealed?.lastIndex ?? segments.firstIndex - 1',
    'sealed?.lastIndex ?? 0',
  ),
  mutant(
    'takes an answer to a read of before a snapshot',
    'replica/open-replica',
    'parts.generation}`),',
    '0}`),',
  ),
  mutant(
    'reads what an entry wrote before it is applied',
    'replica/written-row',
    'while (partition.applied < index)',
    'if (partition.applied < index)',
  ),
  mutant(
    'takes the end of an old transfer for that of the newest one',
    'replica/switchboard',
    `if (this.#newest.get(member) !== message)
                return;`,
    '',
  ),
  mutant(
    'records the snapshots of a replica that was replaced',
    'replica/open-replica',
    `if (generation() !== own)
                throw storeClosed();`,
    '',
  ),
  mutant(
    'forgets a member that opens the snapshot it took',
    'raft/progress',
    `if (index > this.#match)
            this.#arrivedSnapshot = index;`,
    '',
  ),
  mutant(
    'stops when segments that were closed find no space',
    'replica/node-replicas',
    'if (!(segments.isClosed && isLackOfSpace(error)))',
    'if (true)',
  ),
  mutant(
    'says of an open store that it is closed, where an index was replaced with its replica',
    'store/answering-index',
    'if (wasCutShort(error, partition, replica))',
    'if (false)',
  ),
  mutant(
    'looks at a constraint before it waits',
    'store/constraints',
    `if (host.isMember)
        await host.data.readable();`,
    '',
  ),
  mutant(
    'cuts off a node that asks for what is no command',
    'replica/ask-codec',
    `if (!(error instanceof SillokError))
            throw error;
        return { type: 'unknown'`,
    `throw error;
        return { type: 'unknown'`,
  ),
  mutant(
    'trims the log beyond its snapshots',
    'replica/retention',
    'return Math.min(previous.index, segment.lastIndex);',
    'return segment.lastIndex;',
  ),
  mutant(
    'trims the log whoever needs it',
    'replica/retention',
    'segments.trimmable(this.#pins.lowest(pins, floor, limits.pinBytes))',
    'segments.trimmable(floor)',
  ),
  mutant(
    'removes segments before that is durable',
    'replica/retention',
    'await wal.record(partition, [truncationRegister',
    'void wal.record(partition, [truncationRegister',
  ),
  mutant(
    'forgets its vote with a snapshot that it installs',
    'replica/install-snapshot',
    'hardStateRegister(hardState),',
    'hardStateRegister({ ...hardState, vote: 0 }),',
  ),
  mutant(
    'keeps the checkpoint of before a snapshot that it installs',
    'replica/install-snapshot',
    'voidRegister(registerKinds.checkpoint),',
    '',
  ),
  mutant(
    'installs a snapshot without the log behind it',
    'replica/install-snapshot',
    'mark === undefined ? voidRegister(registerKinds.segmentSynced) : segmentSyncedRegister(mark)',
    'voidRegister(registerKinds.segmentSynced)',
  ),
  mutant(
    'passes over what meta logged before this leadership',
    'replica/meta-feed',
    'this.#fed ??= await this.#cursor();',
    'this.#fed ??= meta.applied;',
  ),
  mutant(
    'keeps what it fed in an earlier leadership',
    'replica/meta-feed',
    'if (!target.leads || term !== this.#fedIn)',
    'if (!target.leads)',
  ),
  mutant(
    'brings no end of a session from meta',
    'replica/meta-feed',
    "else if (fact.op === 'delete' && fact.key.startsWith(registeredPrefix))",
    'else if (false)',
  ),
]
