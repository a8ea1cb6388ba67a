/** Bugs of decisions: versions, unique values, kept replies, sessions, request ids. */
import { alsoIn, type Mutant, mutant } from './planting.js'

/** Documents and unique values. */
export const writeMutants: readonly Mutant[] = [
  mutant(
    'ignores the version that a write asks for',
    'machine/decide-write',
    'if (wanted === undefined || wanted === (current?.version ?? null))',
    'if (true)',
  ),
  mutant(
    'inserts over a document',
    'machine/decide-write',
    "if (operation.op === 'insert' && current !== null)",
    'if (false)',
  ),
  mutant(
    'logs what a refused batch had changed before',
    'machine/decide-write',
    `if (!reply.ok)
        draft.reset();`,
    '',
  ),
  mutant(
    'writes a document without its claim',
    'machine/change-claims',
    `if (!row?.value.equals(value))
                draft.put(claim.key, value);`,
    '',
  ),
  mutant(
    'keeps the claims of a document that goes',
    'machine/change-claims',
    'if (before.keys.size > 0) {',
    'if (before.keys.size > 0 && claims.length > 0) {',
  ),
  mutant(
    'lets a claim of somebody else go',
    'machine/change-claims',
    'if (holder === null || isKey(holder, own)) {',
    'if (true) {',
  ),
  mutant(
    'compares unique values as they are written',
    'machine/claims',
    'normalizerOf(steps)(checked)',
    'checked',
  ),
  mutant(
    'decides without its own proposals in flight',
    'replica/leader-view',
    `return own;
        if (isPartitionRow(key))`,
    `return this.#state.lookup(key);
        if (isPartitionRow(key))`,
  ),
  mutant(
    'says of a row that it replaces none',
    'machine/draft',
    'const prev0 = before?.hash0 ?? 0;',
    'const prev0 = 0;',
  ),
]

/** Sessions. */
export const sessionMutants: readonly Mutant[] = [
  mutant(
    'does not keep the answer of a numbered request',
    'machine/decide-write',
    `if (write.mark !== undefined)
        keepReply(draft, write.mark, reply);`,
    '',
  ),
  mutant(
    'keeps a refusal of a numbered request in nobody’s memory',
    'machine/decide-write',
    `if (write.mark !== undefined)
        keepReply(draft, write.mark, reply);`,
    `if (write.mark !== undefined && reply.ok)
        keepReply(draft, write.mark, reply);`,
  ),
  mutant(
    'answers a repeated request from what is in flight',
    'machine/sessions',
    'if (kept.pending !== undefined)',
    'if (false)',
  ),
  mutant(
    'drops the reply at lowWater too',
    'machine/sessions',
    'const to = replyKey(slot, session, epoch, lowWater);',
    'const to = replyKey(slot, session, epoch, lowWater + 1);',
  ),
  alsoIn(
    mutant(
      'drops replies of a window before they are acknowledged',
      'machine/sessions',
      'const to = replyKey(slot, session, epoch, lowWater);',
      'const to = replyKey(slot, session, epoch, mark.sequence);',
    ),
    'machine/sessions',
    'const staleRepliesMax = 8;',
    'const staleRepliesMax = 1;',
  ),
  mutant(
    'numbers the requests of all epochs alike',
    'machine/sessions',
    "return mark.numbering === 'caller' ? 0 : mark.epoch;",
    'return 0;',
  ),
  mutant(
    'does not fence the holder of an older epoch',
    'machine/sessions',
    'if (epoch < opened.epoch)',
    'if (false)',
  ),
  mutant('resumes a named session under the same epoch', 'machine/decide-meta', 'old.epoch + 1', 'old.epoch'),
  mutant(
    'forgets that a session is kept alive',
    'machine/decide-meta',
    'encodeRegistered({ ...registered, active: context.time })',
    'encodeRegistered(registered)',
  ),
  mutant(
    'opens a session that has ended since meta was read',
    'machine/decide-feed',
    'if (cursor > open.metaIndex)',
    'if (false)',
  ),
  mutant(
    'keeps the replies of a session that has ended',
    'machine/decide-feed',
    'dropEpochs(draft, session, 0, beyondEveryEpoch);',
    '',
  ),
  mutant(
    'opens a session without a look at what meta says now',
    'replica/session-directory',
    'await this.#meta.readable();',
    '',
  ),
  mutant('resumes an import one row too far', 'store/sessions', 'lowWaterOf(row))', 'lowWaterOf(row) + 1)'),
  mutant(
    'resumes an import by what this node happens to know',
    'store/sessions',
    `if (numbering === 'caller')
                await host.data.readable();`,
    '',
  ),
  mutant(
    'counts a request as answered when a later one is',
    'store/session',
    `while (this.#answered.delete(this.#lowWater))
            this.#lowWater += 1;`,
    'this.#lowWater = Math.max(this.#lowWater, sequence + 1);',
  ),
  mutant(
    'lets the log time jump with the wall clock',
    'replica/log-time',
    'this.#time += Math.min(Math.max(now - this.#at, 0), stepMsMax);',
    'this.#time = Math.max(this.#time, this.#clock.wallMs());',
  ),
]

/** Request ids. */
export const requestMutants: readonly Mutant[] = [
  mutant(
    'forgets a request id',
    'machine/decide-write',
    'if (write.request !== undefined && !isOpen(write.request, reply))',
    'if (false)',
  ),
  mutant(
    'answers a repeated request id from what is in flight',
    'machine/requests',
    "return index === undefined ? { type: 'replay', reply } : { type: 'latch', index };",
    "return { type: 'replay', reply };",
  ),
  alsoIn(
    mutant(
      'drops request ids before their time',
      'replica/request-expiry',
      'if (time + life > now)',
      'if (false)',
    ),
    'machine/decide-requests',
    'if (!row || requestTime(row.value) + context.limits.requestIdLifeMs > context.time)',
    'if (!row)',
  ),
  mutant(
    'answers what became of a request without a fence',
    'machine/decide-requests',
    `const full = keepFence(draft, ask, context);
    if (full !== undefined)
        return full;
    return { type: 'entry', facts: draft.facts(), reply: known(context, { state: 'fenced' }) };`,
    "return { type: 'answer', reply: known(context, { state: 'fenced' }) };",
  ),
  mutant(
    'writes an update over what was read',
    'store/collection',
    'this.#changedOperation(key, stored, was?.version)',
    "this.#documentOperation('put', stored, undefined)",
  ),
  mutant(
    'keeps the refusal of an update that is tried again',
    'machine/decide-write',
    "return isRetriedOnConflict === true && !reply.ok && reply.code === 'CONFLICT';",
    'return false;',
  ),
]
