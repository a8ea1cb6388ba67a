/**
 * Exactly-once inside one slot: kept replies, epochs and lowWater.
 *
 * A reply row is named by (slot, session, epoch, sequence); a caller-numbered session keeps its rows under
 * epoch 0, for all epochs, because a row number means the same request for ever. Checks run in this order:
 * kept reply, epoch, lowWater, so a retry gets its first answer as long as it is kept.
 *
 * A partition knows a session from the entry that opened it (row `mo`); it forgets it with the entry
 * that brings its end from meta. It never guesses: one that it does not know is looked up in meta first.
 */
import type { LogIndex, SessionEpoch, SessionId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { RowKey } from '../codec/row.js'
import type { Decision, Numbering, SessionMark } from './command.js'
import type { Draft } from './draft.js'
import { metaCursorKey, openedKey, replyKey, replyPrefix, uint32Text } from './keys.js'
import { decodeReply, encodeReply, type Refused, type Reply, refuse, sameRequest } from './reply.js'
import type { KeptReply } from './view.js'

/** A session as a data partition knows it. */
export interface Opened {
  readonly epoch: SessionEpoch
  readonly numbering: Numbering
}

/** The value of an `mo` row: u32 epoch | u8 numbering. */
export function encodeOpened(opened: Opened): Buffer {
  const bytes = Buffer.alloc(5)
  bytes.writeUInt32LE(opened.epoch, 0)
  bytes[4] = opened.numbering === 'caller' ? 1 : 0
  return bytes
}

/** Reads the value of an `mo` row. */
export function decodeOpened(value: Buffer): Opened {
  return { epoch: value.readUInt32LE(0), numbering: value[4] === 1 ? 'caller' : 'library' }
}

/** Epoch under which the replies of this command are kept. */
function keptEpoch(mark: SessionMark): SessionEpoch {
  return mark.numbering === 'caller' ? 0 : mark.epoch
}

/** What the session says about the command, before anything else is decided; undefined: go on. */
export function checkMark(draft: Draft, mark: SessionMark): Decision | undefined {
  const kept = keptReply(draft, mark)
  if (kept !== undefined) {
    if (!sameRequest(kept.row, mark.hash)) {
      const message = `sequence ${mark.sequence} of session ${mark.session} was another request`
      return { type: 'answer', reply: refuse('SEQUENCE_REUSED', message) }
    }
    if (kept.pending !== undefined) return { type: 'latch', index: kept.pending }
    return { type: 'replay', reply: decodeReply(kept.row) }
  }
  const row = draft.get(openedKey(mark.session))
  if (row === undefined) return { type: 'need', keys: draft.needs }
  if (row === null) return { type: 'openFirst', session: mark.session }
  const opened = decodeOpened(row.value)
  if (mark.epoch > opened.epoch) return { type: 'openFirst', session: mark.session }
  const refused = checkOrder(draft, mark, opened)
  return refused && { type: 'answer', reply: refused }
}

/** The kept reply, unless it is stale: it may still be there then, but is never given to anybody. */
function keptReply(draft: Draft, mark: SessionMark): KeptReply | undefined {
  const { slot, session, sequence } = mark
  const epoch = keptEpoch(mark)
  const kept = draft.view.reply(slot, session, epoch, sequence)
  if (kept === undefined || kept.pending !== undefined) return kept
  return sequence < draft.view.lowWater(slot, session, epoch) ? undefined : kept
}

function checkOrder(draft: Draft, mark: SessionMark, opened: Opened): Refused | undefined {
  const { session, epoch, sequence, lowWater } = mark
  if (epoch < opened.epoch) {
    return refuse('FENCED', `session ${session} was resumed by another holder`, {
      session,
      epoch: opened.epoch,
    })
  }
  if (sequence < Math.max(lowWater, draft.view.lowWater(mark.slot, session, keptEpoch(mark)))) {
    return refuse(
      'ALREADY_ACKNOWLEDGED',
      `sequence ${sequence} of session ${session} was acknowledged before`,
    )
  }
  if (sequence >= lowWater + limits.sessionWindow) {
    const beyond = `${limits.sessionWindow} or more beyond the smallest unanswered, ${lowWater}`
    const message = `sequence ${sequence} is ${beyond}`
    return refuse('WINDOW_FULL', message)
  }
  return undefined
}

/** Stale replies, those below lowWater, that a slot may hold: dropping each by itself would cost a fact. */
const staleRepliesMax = 8

/** Keeps the reply, and drops those below lowWater in the same slot once there are several. */
export function keepReply(draft: Draft, mark: SessionMark, reply: Reply): void {
  const { slot, session, lowWater } = mark
  const epoch = keptEpoch(mark)
  draft.put(replyKey(slot, session, epoch, mark.sequence), encodeReply(reply, mark.hash, lowWater))
  if (draft.view.keptReplies(slot, session) < staleRepliesMax) return
  const from = replyKey(slot, session, epoch, 0)
  const to = replyKey(slot, session, epoch, lowWater)
  if (draft.view.staleReplies(slot, session, from, to) < staleRepliesMax) return
  dropReplies(draft, slot, session, from, to)
}

function dropReplies(draft: Draft, slot: number, session: SessionId, from: RowKey, to: RowKey): void {
  const { count, sum0, sum1 } = draft.view.sumReplies(slot, session, from, to)
  if (count > 0) draft.deleteRange({ op: 'deleteRange', from, to, slot, sum0, sum1 })
}

/** Drops every reply that the partition keeps for the session with from <= epoch < to. */
export function dropEpochs(draft: Draft, session: SessionId, from: SessionEpoch, to: SessionEpoch): void {
  for (let slot = 0; slot < 256; slot++) {
    const prefix = replyPrefix(slot, session)
    dropReplies(draft, slot, session, prefix + uint32Text(from), prefix + uint32Text(to))
  }
}

/** How far this partition has taken meta's log. */
export function metaCursor(draft: Draft): LogIndex | undefined {
  const row = draft.get(metaCursorKey)
  return row === undefined ? undefined : row === null ? 0 : row.value.readUIntLE(0, 6)
}

/** The value of the `mx` row: u48 index. */
export function encodeCursor(index: LogIndex): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUIntLE(index, 0, 6)
  return bytes
}
