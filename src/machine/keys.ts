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
 *   mh                        the nodes of the cluster (meta)
 *   mx                        how far this partition has taken meta's log
 *   mp | name                 a named subscription: who holds it, how far it is
 *   mq                        how many subscriptions there are
 *   mk | u8 slot              how many request ids the slot keeps, and their bytes
 *   mc | u32be constraint     how far a constraint is that is built or dropped online
 */
import type { CollectionId, ConstraintId, Sequence, SessionEpoch, SessionId, SlotId } from '../base/ids.js'
import { type DocumentKey, encodeKeyText } from '../base/tuple.js'
import { keyBytes, type RowKey } from '../codec/row.js'

/** Four bytes, big-endian, one character each. */
export function uint32Text(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
}

/** Six bytes, big-endian, one character each. */
function uint48Text(value: number): string {
  const high = Math.floor(value / 2 ** 32)
  return String.fromCharCode((high >>> 8) & 255, high & 255) + uint32Text(value % 2 ** 32)
}

/** Reads what `uint48Text` wrote, at that place. */
export function uint48FromText(text: string, at: number): number {
  let value = 0
  for (let i = at; i < at + 6; i++) value = value * 256 + text.charCodeAt(i)
  return value
}

/** What all documents of the collection begin with; the encoded key follows. */
export function documentPrefix(collection: CollectionId): RowKey {
  return String.fromCharCode(
    0x64,
    collection >>> 24,
    (collection >>> 16) & 255,
    (collection >>> 8) & 255,
    collection & 255,
  )
}

/** Bytes of that: kind and collection. */
export const documentPrefixBytes = 5

/** The row of the document with that encoded key. */
export function documentRow(collection: CollectionId, key: Buffer): RowKey {
  return documentPrefix(collection) + key.toString('latin1')
}

/** The row of the document with that key. Throws INVALID or TOO_LARGE for what is no key. */
export function documentKey(collection: CollectionId, key: DocumentKey): RowKey {
  return documentPrefix(collection) + encodeKeyText(key)
}

/** What all claims of the constraint begin with; the encoded value follows. */
export function claimPrefix(constraint: ConstraintId): RowKey {
  return `c${uint32Text(constraint)}`
}

/** The key that `replyKey` made last: a write asks for its reply, and then keeps it. */
const lastReply = { slot: -1, session: -1, epoch: -1, sequence: -1, key: '' }

/** A kept reply. Caller-numbered sessions keep theirs under epoch 0, for all epochs. */
export function replyKey(slot: SlotId, session: SessionId, epoch: SessionEpoch, sequence: Sequence): RowKey {
  const last = lastReply
  const isLast = last.sequence === sequence && last.slot === slot
  if (isLast && last.session === session && last.epoch === epoch) return last.key
  last.slot = slot
  last.session = session
  last.epoch = epoch
  last.sequence = sequence
  last.key = makeReplyKey(slot, session, epoch, sequence)
  return last.key
}

function makeReplyKey(slot: SlotId, session: SessionId, epoch: SessionEpoch, sequence: Sequence): RowKey {
  const s = Math.floor(session / 2 ** 32)
  const n = Math.floor(sequence / 2 ** 32)
  // One call makes a flat string; a concatenated one would be flattened again for every lookup.
  return String.fromCharCode(
    0x73,
    slot,
    (s >>> 8) & 255,
    s & 255,
    (session >>> 24) & 255,
    (session >>> 16) & 255,
    (session >>> 8) & 255,
    session & 255,
    epoch >>> 24,
    (epoch >>> 16) & 255,
    (epoch >>> 8) & 255,
    epoch & 255,
    (n >>> 8) & 255,
    n & 255,
    (sequence >>> 24) & 255,
    (sequence >>> 16) & 255,
    (sequence >>> 8) & 255,
    sequence & 255,
  )
}

/** The epoch in the key of a kept reply. */
export function replyEpoch(key: RowKey): SessionEpoch {
  const high = key.charCodeAt(8) * 256 + key.charCodeAt(9)
  return high * 65536 + key.charCodeAt(10) * 256 + key.charCodeAt(11)
}

/** What all kept replies of a session in a slot begin with. */
export function replyPrefix(slot: SlotId, session: SessionId): RowKey {
  return `s${String.fromCharCode(slot)}${uint48Text(session)}`
}

/**
 * What all rows of violations of the constraint begin with; then come u16be length of the value, the value,
 * and the encoded key of the document (none: the row that says how many there are of this value).
 */
export function violationPrefix(constraint: ConstraintId): RowKey {
  return `v${uint32Text(constraint)}`
}

/** A row of violations of one value; `key`: the document's, encoded, one character per byte. */
export function violationKey(constraint: ConstraintId, value: Buffer, key: string): RowKey {
  const length = String.fromCharCode(value.length >>> 8, value.length & 255)
  return violationPrefix(constraint) + length + value.toString('latin1') + key
}

/** Takes the key of a row of violations apart; `key` is empty in the row of a value. */
export function violationParts(rowKey: RowKey): { readonly value: Buffer; readonly key: Buffer } {
  const bytes = Buffer.from(rowKey, 'latin1')
  const end = 7 + bytes.readUInt16BE(5)
  return { value: bytes.subarray(7, end), key: bytes.subarray(end) }
}

/** What all rows of constraints that are built or dropped online begin with. */
export const constraintPrefix: RowKey = 'mc'

/** How far a constraint is that is built or dropped online. */
export function constraintKey(constraint: ConstraintId): RowKey {
  return constraintPrefix + uint32Text(constraint)
}

/** The row of counters, in meta. */
export const counterKey: RowKey = 'mi'
/** The register of nodes, in meta. */
export const nodesKey: RowKey = 'mh'
/** The row that says how far a data partition has taken meta's log. */
export const metaCursorKey: RowKey = 'mx'
/** What all schema rows begin with. */
export const schemaPrefix: RowKey = 'ms'
/** What all rows of registered sessions begin with. */
export const registeredPrefix: RowKey = 'mr'
/** What all rows of opened sessions begin with. */
export const openedPrefix: RowKey = 'mo'

/** The row that says how many subscriptions there are. */
export const subscriptionCountKey: RowKey = 'mq'

/** What all rows of kept request ids begin with; slot and id follow. */
export const requestPrefix: RowKey = 'r'
/** What all rows that count request ids begin with; the slot follows. */
export const requestCountPrefix: RowKey = 'mk'

/** A kept request id. */
export function requestKey(slot: SlotId, id: string): RowKey {
  return requestPrefix + String.fromCharCode(slot) + utf8Text(id)
}

/** The row that counts the request ids of a slot. */
export function requestCountKey(slot: SlotId): RowKey {
  return requestCountPrefix + String.fromCharCode(slot)
}

/** Prefix of the rows of named subscriptions. */
export const subscriptionPrefix: RowKey = 'mp'

/** A named subscription. */
export function subscriptionKey(name: string): RowKey {
  return subscriptionPrefix + utf8Text(name)
}

/** The name in the key of a subscription's row. */
export function subscriptionNameOf(key: RowKey): string {
  return keyBytes(key.slice(subscriptionPrefix.length)).toString('utf8')
}

/** The schema of a collection. */
export function schemaKey(collection: CollectionId): RowKey {
  return schemaPrefix + uint32Text(collection)
}

/** The row that gives the number of a collection. */
export function collectionNameKey(name: string): RowKey {
  return `mn${utf8Text(name)}`
}

/** A registered session, in meta. */
export function registeredKey(session: SessionId): RowKey {
  return registeredPrefix + uint48Text(session)
}

/** The row that says who holds the name. */
export function sessionNameKey(name: string): RowKey {
  return `mu${utf8Text(name)}`
}

/** The row that says which session a registration made. */
export function nonceKey(nonce: string): RowKey {
  return `mw${utf8Text(nonce)}`
}

/** A session that a data partition has opened. */
export function openedKey(session: SessionId): RowKey {
  return openedPrefix + uint48Text(session)
}

function utf8Text(text: string): string {
  return Buffer.from(text).toString('latin1')
}
