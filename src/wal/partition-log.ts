/**
 * What the log holds of one partition: registers and tail, each as callers see them and as the batches hold
 * them.
 *
 * Always: a register's written payload was the newest one when the last batch was made; a file's restatement
 * is made of written payloads only, so it never speaks of what a later batch brings.
 */
import { assert } from '../base/assert.js'
import type { Entry } from '../base/entry.js'
import type { LogIndex, PartitionId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { recordHeadBytes, registerHeadBytes, restatedRecord } from './batch.js'
import {
  decodeReleased,
  decodeTruncation,
  type Register,
  registerBytesMax,
  registerKinds,
  releasedPayload,
} from './registers.js'
import { PartitionTail } from './tail.js'
import type { Usage } from './usage.js'

/** What one append brings: the registers count first, in order, then the entries. */
export interface Append {
  readonly partition: PartitionId
  readonly entries?: readonly Entry[]
  readonly registers?: readonly Register[]
}

/** An append that was taken, with what it does to the batch. */
export interface TakenAppend {
  readonly log: PartitionLog
  readonly entries: readonly Entry[]
  readonly registers: readonly Register[]
  /** A truncation left nothing of the tail. */
  readonly cut: boolean
  /** Length of its records, at most. */
  readonly bytes: number
}

const none: readonly never[] = []
/** Records that a truncation adds: cut and released. */
const truncationBytes = 2 * registerHeadBytes + 8

/** Registers and tail of one partition. */
export class PartitionLog {
  readonly id: PartitionId
  readonly tail: PartitionTail
  /** As callers see them. */
  readonly registers = new Map<number, Buffer>()
  /** As the batches hold them. */
  readonly written = new Map<number, Buffer>()
  /** Entries up to here stand elsewhere: may be told to any batch that is made from now on. */
  released: LogIndex = 0

  constructor(id: PartitionId, usage: Usage) {
    this.id = id
    this.tail = new PartitionTail(usage)
  }

  /** True while a replica of the partition is here. */
  get exists(): boolean {
    return this.registers.has(registerKinds.created)
  }

  /** Takes an append into the logical view. */
  take(append: Append): TakenAppend {
    const registers = append.registers ?? none
    const entries = append.entries ?? none
    let bytes = 0
    let cut = false
    for (const register of registers) {
      bytes += registerHeadBytes + register.payload.length
      if (register.kind === registerKinds.truncation) bytes += truncationBytes
      if (this.#takeRegister(register)) cut = true
    }
    assert(entries.length === 0 || this.exists, () => `entries for partition ${this.id}, which is not here`)
    for (const entry of entries) {
      assert(entry.partition === this.id, () => `entry of ${entry.partition} for ${this.id}`)
      bytes += recordHeadBytes + entry.bytes.length
      this.tail.push(entry)
    }
    assert(bytes <= limits.walBatchBytesMax, () => `an append of ${bytes} bytes`)
    return { log: this, entries, registers, cut, bytes }
  }

  /** The released index that the newest batches tell. */
  get toldReleased(): LogIndex {
    return decodeReleased(this.written.get(registerKinds.released))
  }

  /** The payload that tells `released`, and notes it as written. */
  tellReleased(): Buffer {
    const payload = releasedPayload(this.released)
    this.written.set(registerKinds.released, payload)
    return payload
  }

  /** All written registers, as records of a restatement. */
  restate(): Buffer[] {
    if (this.written.has(registerKinds.created) && this.released > this.toldReleased) this.tellReleased()
    return [...this.written].map(([kind, payload]) => restatedRecord(this.id, kind, payload))
  }

  /** True if the register left nothing of the tail. */
  #takeRegister(register: Register): boolean {
    const { kind, payload } = register
    assert(kind !== registerKinds.released, 'the register "released" is the log\'s own')
    assert(payload.length <= registerBytesMax, () => `a register of ${payload.length} bytes`)
    if (kind === registerKinds.destroyed) {
      this.registers.clear()
      this.tail.clear()
    } else {
      const exists = this.exists || kind === registerKinds.created
      assert(exists, () => `register ${kind} for partition ${this.id}, which is not here`)
    }
    if (payload.length === 0) this.registers.delete(kind)
    else this.registers.set(kind, payload)
    return kind === registerKinds.truncation && this.#takeTruncation(payload)
  }

  #takeTruncation(payload: Buffer): boolean {
    const { index, term } = decodeTruncation(payload)
    if (index < this.tail.firstIndex) return false
    const keep = this.tail.get(index)?.term === term
    this.tail.truncate(index, keep)
    return !keep
  }
}
