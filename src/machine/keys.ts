/**
 * Names of the rows that the machine keeps (the kinds are listed in codec/row).
 *
 * The partition's own rows, all beginning with `m`:
 *   ms | u32be collection     schema of a collection
 *   mn | name                 the collection's number (meta)
 *   mi                        counters: numbers given out, sessions alive (meta)
 *   mr | u48be session        a registered session (meta)
 *   mu | name                 the session that holds the name (meta)
 *   mw | nonce                the session that this registration made (meta)
 *   mo | u48be session        a session that this partition has opened
 *   mx                        how far this partition has taken meta's log
 */
import type { CollectionId, ConstraintId, Sequence, SessionEpoch, SessionId, SlotId } from '../base/ids.js'
import type { RowKey } from '../codec/row.js'

export function uint32Text(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
}

export function uint48Text(value: number): string {
  const high = Math.floor(value / 2 ** 32)
  return String.fromCharCode((high >>> 8) & 255, high & 255) + uint32Text(value % 2 ** 32)
}

export function uint48FromText(text: string, at: number): number {
  let value = 0
  for (let i = at; i < at + 6; i++) value = value * 256 + text.charCodeAt(i)
  return value
}

/** What all documents of the collection begin with; the encoded key follows. */
export function documentPrefix(collection: CollectionId): RowKey {
  return `d${uint32Text(collection)}`
}

/** What all claims of the constraint begin with; the encoded value follows. */
export function claimPrefix(constraint: ConstraintId): RowKey {
  return `c${uint32Text(constraint)}`
}

/** A kept reply. Caller-numbered sessions keep theirs under epoch 0, for all epochs. */
export function replyKey(slot: SlotId, session: SessionId, epoch: SessionEpoch, sequence: Sequence): RowKey {
  return replyPrefix(slot, session) + uint32Text(epoch) + uint48Text(sequence)
}

export function replyPrefix(slot: SlotId, session: SessionId): RowKey {
  return `s${String.fromCharCode(slot)}${uint48Text(session)}`
}

export const counterKey: RowKey = 'mi'
export const metaCursorKey: RowKey = 'mx'
export const schemaPrefix: RowKey = 'ms'
export const registeredPrefix: RowKey = 'mr'
export const openedPrefix: RowKey = 'mo'

export function schemaKey(collection: CollectionId): RowKey {
  return schemaPrefix + uint32Text(collection)
}

export function collectionNameKey(name: string): RowKey {
  return `mn${utf8Text(name)}`
}

export function registeredKey(session: SessionId): RowKey {
  return registeredPrefix + uint48Text(session)
}

export function sessionNameKey(name: string): RowKey {
  return `mu${utf8Text(name)}`
}

export function nonceKey(nonce: string): RowKey {
  return `mw${utf8Text(nonce)}`
}

export function openedKey(session: SessionId): RowKey {
  return openedPrefix + uint48Text(session)
}

function utf8Text(text: string): string {
  return Buffer.from(text).toString('latin1')
}
