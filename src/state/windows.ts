/**
 * Kept replies: per slot and session, what each request was answered. All in memory; in the key-value store
 * one row per slot and session, so that a busy session costs one write per flush.
 *
 *   key    s | slot | u48be session
 *   value  u32 crc (of key and the rest) | { u32 epoch | u48 sequence | u64 version | u32 length | value }*
 *
 * A flush takes each window as it was when the generation was frozen: a window that changes before it is
 * written is encoded first. An empty window is a deleted row.
 */
import { assert } from '../base/assert.js'
import { crc32Parts } from '../base/checksum.js'
import { readIndex, writeIndex } from '../base/entry.js'
import { type Sequence, type SessionEpoch, type SessionId, type SlotId, slotCount } from '../base/ids.js'
import { keyBytes, keyText, makeRow, type Row, type RowKey } from '../codec/row.js'
import { SessionWindow, storedKeyLength } from './session-window.js'

const entryHead = 22

/** All windows of a replica, and which of them the next flush must write. */
export class SessionWindows {
  readonly #slots: Map<SessionId, SessionWindow>[]
  #dirty = new Set<SessionWindow>()
  /**
   * Windows of the frozen generation that are not in the store yet; their bytes where they have changed
   * since.
   */
  #frozen = new Map<SessionWindow, Buffer | undefined>()

  constructor() {
    this.#slots = Array.from({ length: slotCount }, () => new Map())
  }

  /** The window of a session in a slot; undefined when nothing was ever kept there. */
  get(slot: SlotId, session: SessionId): SessionWindow | undefined {
    return this.#slots[slot]?.get(session)
  }

  /** The kept reply under a full key. */
  lookup(key: RowKey): Row | null {
    return this.get(key.charCodeAt(1), sessionOf(key))?.row(key) ?? null
  }

  set(key: RowKey, row: Row | null): void {
    const slot = key.charCodeAt(1)
    const session = sessionOf(key)
    let window = this.#slots[slot]?.get(session)
    if (window === undefined) {
      if (row === null) return
      window = this.#add(slot, session)
    }
    this.#touch(window)
    window.set(key, row)
  }

  /** Removes the rows with from <= key < to. */
  deleteRange(from: RowKey, to: RowKey): void {
    for (const window of this.#between(from, to)) {
      this.#touch(window)
      window.deleteRange(from, to)
    }
  }

  /** How many rows lie in the range, and the sums of their hash pairs. */
  sumRange(from: RowKey, to: RowKey): { count: number; sum0: number; sum1: number } {
    const total = { count: 0, sum0: 0, sum1: 0 }
    for (const window of this.#between(from, to)) {
      const { count, sum0, sum1 } = window.sumRange(from, to)
      total.count += count
      total.sum0 = (total.sum0 + sum0) >>> 0
      total.sum1 = (total.sum1 + sum1) >>> 0
    }
    return total
  }

  /** All windows. */
  *all(): IterableIterator<SessionWindow> {
    for (const slot of this.#slots) yield* slot.values()
  }

  /** Fixes what the next flush writes: all that changed since the last freeze. */
  freeze(): void {
    assert(this.#frozen.size === 0, 'frozen windows wait for their flush')
    for (const window of this.#dirty) this.#frozen.set(window, undefined)
    this.#dirty = new Set()
  }

  /** Key and value (undefined: delete) of each window of the frozen generation. */
  *frozenRows(): IterableIterator<{ key: Buffer; value: Buffer | undefined }> {
    for (const [window, bytes] of this.#frozen) {
      const key = keyBytes(window.storedKey)
      const value = bytes ?? encodeWindow(window, key)
      if (value.length > 0) yield { key, value }
      else if (window.stored) yield { key, value: undefined }
    }
  }

  /** All frozen rows are in the store. Empty windows are forgotten. */
  flushDone(): void {
    for (const [window, bytes] of this.#frozen) {
      window.stored = bytes === undefined ? window.size > 0 : bytes.length > 0
      if (window.size === 0 && !this.#dirty.has(window)) this.#slots[window.slot]?.delete(window.session)
    }
    this.#frozen = new Map()
  }

  /** Takes in a window as stored. False if it fails its check. */
  restore(key: Buffer, value: Buffer): boolean {
    const window = readWindow(key, value)
    if (window === undefined) return false
    window.stored = true
    this.#slots[window.slot]?.set(window.session, window)
    return true
  }

  #add(slot: SlotId, session: SessionId): SessionWindow {
    const window = new SessionWindow(slot, session)
    this.#slots[slot]?.set(session, window)
    return window
  }

  #touch(window: SessionWindow): void {
    if (this.#frozen.size > 0 && this.#frozen.get(window) === undefined && this.#frozen.has(window)) {
      this.#frozen.set(window, encodeWindow(window, keyBytes(window.storedKey)))
    }
    this.#dirty.add(window)
  }

  #between(from: RowKey, to: RowKey): SessionWindow[] {
    const low = from.slice(0, storedKeyLength)
    if (low.length === storedKeyLength && from.charCodeAt(1) === to.charCodeAt(1)) {
      const next = to.length > storedKeyLength ? sessionOf(to) : sessionOf(to) - 1
      const window = this.get(from.charCodeAt(1), sessionOf(from))
      if (next === sessionOf(from)) return window === undefined ? [] : [window]
    }
    // Over several sessions, as when a whole slot is dropped: rare.
    return [...this.all()].filter(({ storedKey }) => storedKey >= low && storedKey < to)
  }
}

function sessionOf(key: RowKey): SessionId {
  const high = key.charCodeAt(2) * 2 ** 40 + key.charCodeAt(3) * 2 ** 32
  return high + (key.charCodeAt(4) * 2 ** 24 + key.charCodeAt(5) * 2 ** 16) + low16(key, 6)
}

function low16(key: RowKey, at: number): number {
  return key.charCodeAt(at) * 256 + key.charCodeAt(at + 1)
}

/** A window as stored, its values views of the bytes; undefined if it fails its check. */
export function readWindow(key: Buffer, value: Buffer): SessionWindow | undefined {
  if (key.length !== storedKeyLength) return undefined
  const text = keyText(key)
  const window = new SessionWindow(text.charCodeAt(1), sessionOf(text))
  return decodeWindow(window, key, value) ? window : undefined
}

/** No bytes for an empty window. */
function encodeWindow(window: SessionWindow, key: Buffer): Buffer {
  if (window.size === 0) return Buffer.alloc(0)
  let size = 4
  for (const row of window.rows) size += entryHead + row.value.length
  const bytes = Buffer.allocUnsafe(size)
  let at = 4
  for (const [place, row] of window.rows.entries()) {
    const { epoch, sequence } = window.numbersAt(place)
    at = bytes.writeUInt32LE(epoch, at)
    at = bytes.writeUIntLE(sequence, at, 6)
    writeIndex(bytes, row.version, at)
    at = bytes.writeUInt32LE(row.value.length, at + 8)
    at += row.value.copy(bytes, at)
  }
  assert(at === size, () => `window: ${at} of ${size} bytes`)
  bytes.writeUInt32LE(crc32Parts(key, bytes.subarray(4)), 0)
  return bytes
}

function decodeWindow(window: SessionWindow, key: Buffer, bytes: Buffer): boolean {
  if (bytes.length < 4 || crc32Parts(key, bytes.subarray(4)) !== bytes.readUInt32LE(0)) return false
  for (let at = 4; at < bytes.length; ) {
    if (at + entryHead > bytes.length) return false
    const epoch: SessionEpoch = bytes.readUInt32LE(at)
    const sequence: Sequence = bytes.readUIntLE(at + 4, 6)
    const end = at + entryHead + bytes.readUInt32LE(at + 18)
    if (end > bytes.length) return false
    const replyKey = window.keyOf(epoch, sequence)
    const value = bytes.subarray(at + entryHead, end)
    window.set(replyKey, makeRow(replyKey, readIndex(bytes, at + 10), value))
    at = end
  }
  return true
}
