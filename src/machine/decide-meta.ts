/** Decides what changes the register of sessions, in meta. */
import { limits } from '../base/limits.js'
import type { Decision, EndSessions, KeepAlive, Register } from './command.js'
import { Draft } from './draft.js'
import { counterKey, nonceKey, registeredKey, sessionNameKey } from './keys.js'
import {
  type Counters,
  decodeCounters,
  decodeRegistered,
  decodeSessionId,
  encodeCounters,
  encodeRegistered,
  encodeSessionId,
  isIdle,
  noCounters,
  type Registered,
} from './registry.js'
import { type Refused, type Reply, refuse } from './reply.js'
import type { DecideContext, View } from './view.js'

/** Registers a session, or resumes a named one under the next epoch. Idempotent by nonce. */
export function decideRegister(register: Register, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  const counters = readCounters(draft)
  const byNonce = draft.get(nonceKey(register.nonce))
  const byName = register.name === undefined ? null : draft.get(sessionNameKey(register.name))
  if (counters === undefined || byNonce === undefined || byName === undefined) {
    return { type: 'need', keys: draft.needs }
  }
  const known = byNonce ?? byName
  if (known !== null) {
    const session = decodeSessionId(known.value)
    const row = draft.get(registeredKey(session))
    if (row === undefined) return { type: 'need', keys: draft.needs }
    if (row !== null) return resume(draft, register, context, session, decodeRegistered(row.value))
  }
  const old = tooOld(register, context)
  if (old !== undefined) return { type: 'answer', reply: old }
  if (counters.sessions >= limits.sessionsMax) {
    const message = `${limits.sessionsMax} sessions are alive, the limit`
    return { type: 'answer', reply: refuse('TOO_MANY_SESSIONS', message) }
  }
  draft.put(counterKey, encodeCounters({ ...counters, sessions: counters.sessions + 1 }))
  return write(draft, register, context, context.index, 1)
}

function resume(
  draft: Draft,
  register: Register,
  context: DecideContext,
  session: number,
  old: Registered,
): Decision {
  if (old.nonce === register.nonce) {
    const value = { session, epoch: old.epoch }
    return { type: 'answer', reply: { ok: true, version: context.version, value } }
  }
  // The nonce of the older holder is forgotten: a late copy of its registration must not fence the present
  // one.
  const refused = tooOld(register, context) ?? checkSame(register, old)
  if (refused !== undefined) return { type: 'answer', reply: refused }
  if (draft.get(nonceKey(old.nonce)) === undefined) return { type: 'need', keys: draft.needs }
  draft.delete(nonceKey(old.nonce))
  return write(draft, register, context, session, old.epoch + 1)
}

function tooOld(register: Register, context: DecideContext): Refused | undefined {
  if (register.issuedAt >= context.time - limits.registerAgeMsMax) return undefined
  const details = { logTime: context.time }
  return refuse('REGISTER_TOO_OLD', 'a delayed copy of a session registration', details)
}

function checkSame(register: Register, old: Registered): Refused | undefined {
  if (register.numbering !== old.numbering) {
    const message = `session ${old.name} is numbered by the ${old.numbering}, for as long as it lives`
    return refuse('INVALID', message)
  }
  if ((register.input ?? null) === old.input) return undefined
  const message = `session ${old.name} belongs to an input with another digest`
  return refuse('SESSION_INPUT_CHANGED', message, { was: old.input })
}

function write(
  draft: Draft,
  register: Register,
  context: DecideContext,
  session: number,
  epoch: number,
): Decision {
  const { numbering, nonce } = register
  const name = register.name ?? null
  const input = register.input ?? null
  draft.get(registeredKey(session))
  draft.put(
    registeredKey(session),
    encodeRegistered({ epoch, numbering, name, input, nonce, active: context.time }),
  )
  draft.put(nonceKey(nonce), encodeSessionId(session))
  if (name !== null) draft.put(sessionNameKey(name), encodeSessionId(session))
  return finish(draft, { ok: true, version: context.version, value: { session, epoch } })
}

/** Notes that these sessions are alive. Older epochs keep nothing alive. */
export function decideKeepAlive(keepAlive: KeepAlive, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  for (const [session, epoch] of keepAlive.sessions) {
    const row = draft.get(registeredKey(session))
    if (!row) continue
    const registered = decodeRegistered(row.value)
    if (registered.epoch !== epoch) continue
    draft.put(registeredKey(session), encodeRegistered({ ...registered, active: context.time }))
  }
  if (draft.needs.length > 0) return { type: 'need', keys: draft.needs }
  return finish(draft, { ok: true, version: context.version, value: null })
}

/** Ends sessions: those closed by their holder, or those that are idle for too long at this log time. */
export function decideEndSessions(end: EndSessions, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  const counters = readCounters(draft)
  let ended = 0
  for (const [session, epoch] of end.sessions) {
    const row = draft.get(registeredKey(session))
    if (!row) continue
    const registered = decodeRegistered(row.value)
    if (registered.epoch !== epoch || !(end.closed || isIdle(registered, context.time, context.limits)))
      continue
    for (const key of [nonceKey(registered.nonce), registeredKey(session)]) remove(draft, key)
    if (registered.name !== null) remove(draft, sessionNameKey(registered.name))
    ended += 1
  }
  if (counters === undefined || draft.needs.length > 0) return { type: 'need', keys: draft.needs }
  if (ended > 0) draft.put(counterKey, encodeCounters({ ...counters, sessions: counters.sessions - ended }))
  return finish(draft, { ok: true, version: context.version, value: null })
}

function remove(draft: Draft, key: string): void {
  if (draft.get(key) !== undefined) draft.delete(key)
}

/** The counters; undefined if their row must be loaded first. */
export function readCounters(draft: Draft): Counters | undefined {
  const row = draft.get(counterKey)
  return row === undefined ? undefined : row === null ? noCounters : decodeCounters(row.value)
}

/** The entry of what was drafted, or the answer alone if nothing changes. */
export function finish(draft: Draft, reply: Reply): Decision {
  if (draft.needs.length > 0) return { type: 'need', keys: draft.needs }
  const facts = draft.facts()
  return facts.length === 0 ? { type: 'answer', reply } : { type: 'entry', facts, reply }
}
