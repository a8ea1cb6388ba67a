/**
 * The log thread: waits for a command, writes, syncs, answers. Synchronous calls on a thread of its own, so
 * that neither the event loop nor the thread pool (which the key-value store fills) stands between a batch
 * and the disk.
 */
import { fdatasyncSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { workerData } from 'node:worker_threads'
import { limits } from '../base/limits.js'
import { type LogThreadStart, noteOffset, slot } from './log-protocol.js'

const start = workerData as LogThreadStart
const state = new Int32Array(start.slot)
const buffer = Buffer.from(start.buffer)
const note = Buffer.from(start.slot, noteOffset)

for (let done = 0; ; ) {
  if (read(slot.isLone) !== 0) look(done)
  Atomics.wait(state, slot.command, done)
  if (Atomics.load(state, slot.end) !== 0) break
  done = Atomics.load(state, slot.command)
  perform()
  Atomics.store(state, slot.answered, done)
  Atomics.notify(state, slot.answered)
}

/** Stays awake for the next command, for a moment. */
function look(done: number): void {
  const until = performance.now() + limits.loneCommitMs
  while (Atomics.load(state, slot.command) === done && performance.now() < until);
}

function perform(): void {
  let syncing = 0
  try {
    writeWhole()
    syncing = 1
    if (read(slot.sync) !== 0) fdatasyncSync(read(slot.descriptor))
    state[slot.error] = 0
    writeNote()
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException
    state[slot.error] = errno === undefined || errno >= 0 ? -constants.errno.EIO : errno
    state[slot.syncFailed] = syncing
  }
}

function writeWhole(): void {
  const offset = (read(slot.offsetLow) >>> 0) + read(slot.offsetHigh) * 2 ** 32
  const length = read(slot.length)
  for (let at = 0; at < length; ) {
    const written = writeSync(read(slot.descriptor), buffer, at, length - at, offset + at)
    if (written === 0) throw Object.assign(new Error('nothing written'), { errno: -constants.errno.ENOSPC })
    at += written
  }
}

/** Nobody waits for it to be durable, and nothing rests on its being there. */
function writeNote(): void {
  if (read(slot.noteDescriptor) < 0) return
  try {
    writeSync(read(slot.noteDescriptor), note, 0, read(slot.noteLength), 0)
  } catch {}
}

function read(position: number): number {
  return state[position] ?? 0
}
