/**
 * Fills one batch: what must be in it first, then appends in their order.
 *
 * Registers of a batch count together, so only the last of each (partition, kind) is written. Three records
 * keep their place because they end what came before: `destroyed`, `created` and a cut. A hard state is
 * repeated in the batch after the one that brought it, so that one damaged batch never hides the newest; so
 * is every hard state after an opening, which may be its only other place.
 */
import type { Entry } from '../base/entry.js'
import type { FileSequence, LogIndex } from '../base/ids.js'
import {
  type BatchWriter,
  cutRecord,
  floorRecord,
  recordHeadBytes,
  recordKinds,
  registerHeadBytes,
} from './batch.js'
import type { PartitionLog, TakenAppend } from './partition-log.js'
import { decodeTruncation, type Register, registerKinds } from './registers.js'

/** Register kinds stay below this. */
const kindsMax = 32
/** Bytes of a record that tells what is released. */
export const releasedBytes = registerHeadBytes + 8
/** Bytes of a record that tells the floor. */
export const floorBytes = recordHeadBytes + 8

interface Staged {
  readonly log: PartitionLog
  readonly kind: number
  readonly payload: Buffer
}

/** Registers that came with a release: written before anything that waits. */
export interface Control {
  readonly log: PartitionLog
  readonly register: Register
}

/** Fills batches, one after the other. */
export class BatchMaker {
  readonly #writer: BatchWriter
  readonly #staged = new Map<number, Staged>()
  #repeat = new Set<PartitionLog>()
  #nextRepeat = new Set<PartitionLog>()
  #repeatBytes = 0

  constructor(writer: BatchWriter) {
    this.#writer = writer
  }

  /** Bytes that the repetition of hard states will take in the next batch. */
  get repeatBytes(): number {
    return this.#repeatBytes
  }

  /** All hard states are to be repeated: they were restated. */
  repeatAll(logs: Iterable<PartitionLog>): void {
    for (const log of logs) if (log.written.has(registerKinds.hardState)) this.#nextRepeat.add(log)
    this.#turnRepeat()
  }

  begin(): void {
    this.#writer.begin()
    this.#staged.clear()
  }

  /** A record of an opening. */
  raw(record: Buffer): void {
    this.#writer.raw(record)
  }

  control(control: Control): void {
    this.#stage(control.log, control.register.kind, control.register.payload)
  }

  append(append: TakenAppend, file: FileSequence): void {
    const { log } = append
    for (const register of append.registers) this.#register(log, register)
    if (append.cut) {
      this.#writer.raw(cutRecord(log.id))
      log.tail.writtenCut()
    }
    for (const entry of append.entries) {
      this.#writer.entry(entry, recordKinds.entry)
      log.tail.written(entry, file)
    }
  }

  copy(log: PartitionLog, entry: Entry, file: FileSequence): void {
    this.#writer.entry(entry, recordKinds.copy)
    log.tail.copied(entry, file)
  }

  /** The floor, and all that was released and not yet told. */
  floor(floor: FileSequence, logs: Iterable<PartitionLog>): void {
    for (const log of logs) {
      if (log.released > log.toldReleased) {
        this.#stage(log, registerKinds.released, log.tellReleased())
      }
    }
    this.#writer.raw(floorRecord(floor))
  }

  /** Ends the records: staged registers and repetitions. In an opening nothing is repeated: it restates. */
  end(opening: boolean): void {
    const hardState = registerKinds.hardState
    for (const { log, kind, payload } of this.#staged.values()) {
      this.#writer.register(log.id, kind, payload)
      if (kind === hardState) this.#nextRepeat.add(log)
    }
    if (!opening) {
      for (const log of this.#repeat) {
        const payload = log.written.get(hardState)
        if (payload === undefined || this.#staged.has(key(log, hardState))) continue
        this.#writer.register(log.id, hardState, payload)
      }
    }
    this.#turnRepeat()
  }

  #turnRepeat(): void {
    this.#repeat = this.#nextRepeat
    this.#nextRepeat = new Set()
    this.#repeatBytes = 0
    for (const log of this.#repeat) {
      const payload = log.written.get(registerKinds.hardState)
      if (payload !== undefined) this.#repeatBytes += registerHeadBytes + payload.length
    }
  }

  #register(log: PartitionLog, register: Register): void {
    const { kind, payload } = register
    if (kind === registerKinds.destroyed) {
      for (let other = 0; other < kindsMax; other++) this.#staged.delete(key(log, other))
      log.written.clear()
      log.released = 0
      log.tail.writtenCut()
    }
    if (kind === registerKinds.destroyed || kind === registerKinds.created) {
      this.#writer.register(log.id, kind, payload)
      log.written.set(kind, payload)
      return
    }
    this.#stage(log, kind, payload)
    if (kind === registerKinds.truncation) this.#truncation(log, decodeTruncation(payload).index)
  }

  #truncation(log: PartitionLog, index: LogIndex): void {
    log.tail.writtenTruncation(index)
    if (index <= log.released) return
    log.released = index
    this.#stage(log, registerKinds.released, log.tellReleased())
  }

  #stage(log: PartitionLog, kind: number, payload: Buffer): void {
    log.written.set(kind, payload)
    this.#staged.set(key(log, kind), { log, kind, payload })
  }
}

function key(log: PartitionLog, kind: number): number {
  return log.id * kindsMax + kind
}
