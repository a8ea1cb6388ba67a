/**
 * Decides about request ids by themselves: what became of one, and which were kept for their time.
 *
 * Whoever asks for an outcome and finds nothing makes it certain: a fence is logged, so that a copy of the
 * request that is still under way is refused when it comes.
 */
import { assert } from '../base/assert.js'
import type { SlotId } from '../base/ids.js'
import type { RowKey } from '../codec/row.js'
import type { AskOutcome, Decision, DropRequests, KnownOutcome, WriteValue } from './command.js'
import { Draft } from './draft.js'
import { requestKey, requestPrefix } from './keys.js'
import type { Reply } from './reply.js'
import {
  checkAge,
  countLess,
  isSameRequest,
  keepFence,
  keptAnswer,
  type RequestCount,
  requestBytes,
  requestTime,
  reused,
} from './requests.js'
import type { DecideContext, View } from './view.js'

/** Request ids that one entry may drop. */
export const droppedPerEntryMax = 512

/** Answers what became of the request; if nothing is known of it, fences it before. */
export function decideOutcome(ask: AskOutcome, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  const key = requestKey(ask.slot, ask.id)
  const row = draft.get(key)
  if (row === undefined) return { type: 'need', keys: draft.needs }
  if (row !== null) {
    const answer = keptAnswer(row)
    const isOther = answer !== undefined && ask.hash !== undefined && !isSameRequest(row.value, ask.hash)
    const reply = isOther ? reused(ask) : known(context, outcomeOf(answer))
    // Of a request in flight: said only when its entry is committed, as all that the view showed.
    return { type: view.inFlight(key) === undefined ? 'replay' : 'answer', reply }
  }
  const refused = checkAge(ask, context)
  if (refused !== undefined) return { type: 'answer', reply: refused }
  if (!ask.fence) return { type: 'answer', reply: known(context, { state: 'unknown' }) }
  const full = keepFence(draft, ask, context)
  if (full !== undefined) return full
  return { type: 'entry', facts: draft.facts(), reply: known(context, { state: 'fenced' }) }
}

function outcomeOf(answer: Reply | undefined): KnownOutcome {
  if (answer === undefined) return { state: 'fenced' }
  if (answer.ok) {
    return { state: 'committed', version: answer.version, value: answer.value as WriteValue }
  }
  const { code, message, details } = answer
  return { state: 'refused', code, message, details }
}

function known({ version }: DecideContext, value: KnownOutcome): Reply {
  return { ok: true, version, value }
}

/** Forgets ids whose life is over at this log time; of the others, and of unknown ones, says nothing. */
export function decideDropRequests(drop: DropRequests, view: View, context: DecideContext): Decision {
  assert(drop.keys.length <= droppedPerEntryMax, () => `${drop.keys.length} request ids to drop`)
  const draft = new Draft(view, context.version)
  const gone = new Map<SlotId, RequestCount>()
  for (const key of drop.keys) dropOne(draft, key, gone, context)
  for (const [slot, count] of gone) countLess(draft, slot, count)
  if (draft.needs.length > 0) return { type: 'need', keys: draft.needs }
  const reply = { ok: true, version: context.version, value: null } as const
  return gone.size === 0 ? { type: 'answer', reply } : { type: 'entry', facts: draft.facts(), reply }
}

function dropOne(draft: Draft, key: RowKey, gone: Map<SlotId, RequestCount>, context: DecideContext): void {
  assert(key.startsWith(requestPrefix), () => `${JSON.stringify(key)} is no request id`)
  const row = draft.get(key)
  if (!row || requestTime(row.value) + context.limits.requestIdLifeMs > context.time) return
  draft.delete(key)
  const slot = key.charCodeAt(requestPrefix.length)
  const { ids, bytes } = gone.get(slot) ?? { ids: 0, bytes: 0 }
  gone.set(slot, { ids: ids + 1, bytes: bytes + requestBytes(key, row.value) })
}
