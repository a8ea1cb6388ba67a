/**
 * Decides what meta brings to a data partition: schemas, ends of sessions, and sessions to open.
 *
 * Meta's log is the channel: a partition takes its entries in order, and with what concerns it logs how far
 * it is. A session is opened only if that cursor has not passed the index at which meta was read, so an end
 * that came meanwhile is not overlooked.
 */
import type { SessionId } from '../base/ids.js'
import type { Decision, MetaFeed, OpenSession } from './command.js'
import { takeSchemas } from './decide-build.js'
import { Draft } from './draft.js'
import { metaCursorKey, openedKey } from './keys.js'
import { refuse } from './reply.js'
import { decodeOpened, dropEpochs, encodeCursor, encodeOpened, metaCursor } from './sessions.js'
import type { DecideContext, View } from './view.js'

const beyondEveryEpoch = 2 ** 32 - 1

/**
 * Takes meta's entries up to `through`. Taking them twice changes nothing: of what the cursor has passed only
 * ends of sessions still count, which are for ever.
 */
export function decideMetaFeed(feed: MetaFeed, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  const cursor = metaCursor(draft)
  if (cursor === undefined) return { type: 'need', keys: draft.needs }
  const reply = { ok: true, version: context.version, value: null } as const
  for (const session of feed.ended) endSession(draft, session)
  if (feed.through > cursor) {
    takeSchemas(draft, feed.schemas, context.version)
    draft.put(metaCursorKey, encodeCursor(feed.through))
  }
  if (draft.needs.length > 0) return { type: 'need', keys: draft.needs }
  const facts = draft.facts()
  return facts.length === 0 ? { type: 'answer', reply } : { type: 'entry', facts, reply }
}

function endSession(draft: Draft, session: SessionId): void {
  const row = draft.get(openedKey(session))
  if (row === undefined) return
  if (row !== null) draft.delete(openedKey(session))
  dropEpochs(draft, session, 0, beyondEveryEpoch)
}

/** Opens a session, or a newer epoch of it: from then on older holders are refused. */
export function decideOpenSession(open: OpenSession, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  const cursor = metaCursor(draft)
  const row = view.get(openedKey(open.session))
  if (cursor === undefined || row === undefined) {
    draft.get(openedKey(open.session))
    return { type: 'need', keys: draft.needs }
  }
  const known = row === null ? undefined : decodeOpened(row.value)
  if (known !== undefined && known.epoch > open.epoch) {
    const message = `session ${open.session} was resumed by another holder`
    return { type: 'answer', reply: refuse('FENCED', message, { session: open.session, epoch: known.epoch }) }
  }
  const reply = { ok: true, version: context.version, value: null } as const
  if (known?.epoch === open.epoch) return { type: 'answer', reply }
  if (cursor > open.metaIndex) {
    // What meta said then may no longer hold: the caller reads it again.
    return { type: 'answer', reply: refuse('UNAVAILABLE', `meta was looked at too early: ${open.metaIndex}`) }
  }
  draft.get(openedKey(open.session))
  draft.put(openedKey(open.session), encodeOpened(open))
  if (open.numbering === 'library') dropEpochs(draft, open.session, 0, open.epoch)
  return { type: 'entry', facts: draft.facts(), reply }
}
