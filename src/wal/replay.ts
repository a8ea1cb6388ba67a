/**
 * Builds the state of all partitions from the batches, in their order.
 *
 * Each opening begins the registers anew, for it restates all of them. Entries are kept by index while
 * batches are read, because an older entry may come as a copy after a newer one; in the end those above what
 * is released must be without gaps, otherwise something is missing: DAMAGED.
 */
import { must } from '../base/assert.js'
import { decodeEntry, type Entry, readIndex } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { FileSequence, LogIndex, PartitionId } from '../base/ids.js'
import { type Batch, batchFlags, batchRecords, type RawRecord, recordKinds, restatedRecord } from './batch.js'
import { PartitionLog } from './partition-log.js'
import { decodeReleased, registerKinds } from './registers.js'
import type { Usage } from './usage.js'

interface Found {
  readonly entry: Entry
  readonly file: FileSequence
}

class FoundPartition {
  readonly registers = new Map<number, Buffer>()
  readonly entries = new Map<LogIndex, Found>()
  last: LogIndex = 0

  put(found: Found, copy: boolean): void {
    const { index } = found.entry
    if (!copy) {
      for (let old = index; old <= this.last; old++) this.entries.delete(old)
      this.last = index
    }
    this.entries.set(index, found)
    if (index > this.last) this.last = index
  }

  /** An entry that is released in the end: it counts only for what it replaced. */
  pass(index: LogIndex, copy: boolean): void {
    if (copy) return
    for (let old = index; old <= this.last; old++) this.entries.delete(old)
    this.last = index
  }

  clear(): void {
    this.entries.clear()
    this.last = 0
  }
}

/** Collects what batches say, then makes the partitions. */
export class Replay {
  readonly #partitions = new Map<PartitionId, FoundPartition>()
  readonly #released: ReadonlyMap<PartitionId, LogIndex>
  #opening: FileSequence = 0

  /** `released`: what the newest batches tell, so that most entries need not be looked at. */
  constructor(released: ReadonlyMap<PartitionId, LogIndex>) {
    this.#released = released
  }

  /** Takes all records of the batch. */
  batch(batch: Batch): void {
    for (const record of this.restated(batch)) this.record(record, batch.file)
  }

  /** Takes what the batch restates; returns the other records, not taken. */
  restated(batch: Batch): RawRecord[] {
    if ((batch.flags & batchFlags.opening) !== 0 && batch.file !== this.#opening) {
      this.#opening = batch.file
      for (const partition of this.#partitions.values()) partition.registers.clear()
    }
    const own: RawRecord[] = []
    for (const record of batchRecords(batch, Buffer.from(batch.body))) {
      if (record.kind === recordKinds.restated) this.#register(record.bytes)
      else if (record.kind < recordKinds.floor) own.push(record)
    }
    return own
  }

  /** Takes one record that is no restatement; entries get that file as their home. */
  record(record: RawRecord, file: FileSequence): void {
    const { kind, body, start, end } = record
    if (kind === recordKinds.register) {
      if (body.readUInt32LE(start + 4) === registerKinds.destroyed) this.#destroy(body.readUInt32LE(start))
      this.#register(record.bytes)
    } else if (kind === recordKinds.cut) {
      this.#partition(body.readUInt32LE(start)).clear()
    } else if (kind === recordKinds.entry || kind === recordKinds.copy) {
      const id = body.readUInt32LE(start + 8)
      const index = readIndex(body, start + 16)
      if (index <= (this.#released.get(id) ?? 0)) {
        this.#partition(id).pass(index, kind === recordKinds.copy)
        return
      }
      const entry = decodeEntry(body, start)
      if (entry?.bytes.length !== end - start) {
        throw new SillokError('DAMAGED', `an entry in file ${file} of the log is malformed`, {
          details: { file },
        })
      }
      this.#partition(entry.partition).put({ entry, file }, kind === recordKinds.copy)
    }
  }

  /** True if anything was said of the partition. */
  knows(id: PartitionId): boolean {
    return (this.#partitions.get(id)?.registers.size ?? 0) > 0
  }

  /** The registers so far, as records of an opening. */
  restate(): Buffer[] {
    const records: Buffer[] = []
    for (const [id, { registers }] of this.#partitions) {
      for (const [kind, payload] of registers) records.push(restatedRecord(id, kind, payload))
    }
    return records
  }

  /** The partitions. Their entries share the bytes of a batch. */
  finish(usage: Usage): PartitionLog[] {
    const logs: PartitionLog[] = []
    for (const [id, found] of this.#partitions) {
      if (found.registers.size > 0) logs.push(finishPartition(id, found, usage))
    }
    return logs
  }

  #destroy(id: PartitionId): void {
    const partition = this.#partition(id)
    partition.registers.clear()
    partition.clear()
  }

  #register(bytes: Buffer): void {
    this.#partition(bytes.readUInt32LE(0)).registers.set(bytes.readUInt32LE(4), bytes.subarray(8))
  }

  #partition(id: PartitionId): FoundPartition {
    let partition = this.#partitions.get(id)
    if (partition === undefined) {
      partition = new FoundPartition()
      this.#partitions.set(id, partition)
    }
    return partition
  }
}

function finishPartition(id: PartitionId, found: FoundPartition, usage: Usage): PartitionLog {
  const log = new PartitionLog(id, usage)
  for (const [kind, payload] of found.registers) {
    const own = Buffer.from(payload)
    if (own.length > 0) log.registers.set(kind, own)
    log.written.set(kind, own)
  }
  log.registers.delete(registerKinds.released)
  const released = decodeReleased(found.registers.get(registerKinds.released))
  log.released = released
  if (!log.exists) return log
  log.tail.truncate(released, false)
  for (let index = released + 1; index <= found.last; index++) {
    const { entry, file } = must(found.entries.get(index) ?? missing(id, index, found.last), 'an entry')
    log.tail.push(entry)
    log.tail.written(entry, file)
  }
  return log
}

function missing(partition: PartitionId, index: LogIndex, last: LogIndex): never {
  throw new SillokError('DAMAGED', `entry ${index} of partition ${partition} is missing in the log`, {
    details: { partitions: [{ partition, firstLost: index, last }] },
  })
}
