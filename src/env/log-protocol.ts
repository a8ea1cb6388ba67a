/**
 * What the log thread and its owner share: one command slot and one buffer.
 *
 * The owner fills buffer and slot, raises `command` and wakes the thread; the thread does it, fills the
 * answer, sets `answered` to the command's number and wakes the owner. One command at a time.
 */
import { limits } from '../base/limits.js'
import { noteBytesMax } from './disk.js'

/** Positions in the Int32Array of the slot. */
export const slot = {
  command: 0,
  answered: 1,
  end: 2,
  descriptor: 3,
  length: 4,
  offsetLow: 5,
  offsetHigh: 6,
  sync: 7,
  /** Answer: 0, or the (negative) error number of the system. */
  error: 8,
  /** Answer: 1 if the sync failed, 0 if the write did. */
  syncFailed: 9,
  /** Where the note goes after the sync; negative: nowhere. */
  noteDescriptor: 10,
  noteLength: 11,
  /** 1: the next command is expected at once. */
  isLone: 12,
} as const

/** Where the note stands in the slot, in bytes. */
export const noteOffset = 64

/** Bytes of the slot: the numbers, and the note. */
export const slotBytes = noteOffset + noteBytesMax

/** Bytes of the buffer: the largest batch of the log with its head and padding. */
export const logBufferBytes = limits.walBatchBytesMax + 64 * 1024

/** What the thread is given when it starts. */
export interface LogThreadStart {
  readonly slot: SharedArrayBuffer
  readonly buffer: SharedArrayBuffer
}
