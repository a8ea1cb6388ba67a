/**
 * Decides about named subscriptions to changes: who holds one, and how far its holder is.
 *
 * A subscription has one holder. Whoever takes hold of it raises its epoch; what an older holder acknowledges
 * is refused, so its position never goes back and never passes what the present holder has dealt with. An
 * epoch is the version of the entry that gave it: it is not given again either when the name was forgotten.
 */
import { limits } from '../base/limits.js'
import { packStrict, unpackTrusted } from '../codec/msgpack.js'
import type { Acknowledge, Decision, FeedPosition, Subscribe, Unsubscribe } from './command.js'
import { Draft } from './draft.js'
import { subscriptionCountKey, subscriptionKey } from './keys.js'
import { refuse } from './reply.js'
import type { DecideContext, View } from './view.js'

/** A subscription: the value of an `mp` row. */
export interface Subscription extends FeedPosition {
  readonly epoch: number
}

/** The value of an `mp` row. */
export function encodeSubscription({ epoch, index, count }: Subscription): Buffer {
  return packStrict({ epoch, index, count })
}

/** Reads the value of an `mp` row. */
export function decodeSubscription(value: Buffer): Subscription {
  return unpackTrusted(value) as Subscription
}

/** True if the first position lies behind the other. */
export function isBehind(one: FeedPosition, other: FeedPosition): boolean {
  return one.index < other.index || (one.index === other.index && one.count < other.count)
}

/** Makes the subscription, or gives it to another holder. */
export function decideSubscribe({ name, start }: Subscribe, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  const row = draft.get(subscriptionKey(name))
  const count = countOf(draft)
  if (row === undefined || count === undefined) return { type: 'need', keys: draft.needs }
  if (row === null && count >= limits.subscriptionsMax) {
    const message = `there are ${count} named feeds of changes, and no more are allowed`
    return { type: 'answer', reply: refuse('TOO_MANY_SUBSCRIPTIONS', message, { limit: count }) }
  }
  const { index, count: done } = row === null ? start : decodeSubscription(row.value)
  const value = { epoch: context.version, index, count: done }
  draft.put(subscriptionKey(name), encodeSubscription(value))
  if (row === null) draft.put(subscriptionCountKey, packStrict(count + 1))
  return entryOf(draft, context, value)
}

/** Notes how far the holder is. What was acknowledged before changes nothing. */
export function decideAcknowledge(acknowledge: Acknowledge, view: View, context: DecideContext): Decision {
  const { name, epoch, position } = acknowledge
  const draft = new Draft(view, context.version)
  const row = draft.get(subscriptionKey(name))
  if (row === undefined) return { type: 'need', keys: draft.needs }
  if (row === null)
    return { type: 'answer', reply: refuse('NOT_FOUND', `no feed of changes is named ${name}`) }
  const now = decodeSubscription(row.value)
  if (now.epoch !== epoch) {
    const message = `the named feed ${name} was taken over by another holder`
    return { type: 'answer', reply: refuse('FENCED', message, { epoch: now.epoch }) }
  }
  if (!isBehind(now, position)) {
    return { type: 'answer', reply: { ok: true, version: context.version, value: null } }
  }
  draft.put(subscriptionKey(name), encodeSubscription({ epoch, ...position }))
  return entryOf(draft, context, null)
}

/** Forgets the subscription: its holder is refused from then on, and the name is free. */
export function decideUnsubscribe({ name }: Unsubscribe, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  const row = draft.get(subscriptionKey(name))
  const count = countOf(draft)
  if (row === undefined || count === undefined) return { type: 'need', keys: draft.needs }
  if (row === null) {
    return { type: 'answer', reply: { ok: true, version: context.version, value: { existed: false } } }
  }
  draft.delete(subscriptionKey(name))
  draft.put(subscriptionCountKey, packStrict(count - 1))
  return entryOf(draft, context, { existed: true })
}

function countOf(draft: Draft): number | undefined {
  const row = draft.get(subscriptionCountKey)
  return row === undefined ? undefined : row === null ? 0 : (unpackTrusted(row.value) as number)
}

function entryOf(draft: Draft, { version }: DecideContext, value: unknown): Decision {
  return { type: 'entry', facts: draft.facts(), reply: { ok: true, version, value } }
}
