/**
 * The loop that makes batches and brings them to the disk, one at a time.
 *
 * Always: batch n+1 is not begun before n is synced; appends are answered in their order, after the sync of
 * their batch; after a failure nothing is written. While one batch is in flight, everything else waits for
 * the next.
 *
 * When no file is left to switch to, the room in the last ones is kept for giving up the oldest file: what it
 * holds is released by the host (`wanted`), or copied on. Appends wait meanwhile; releases do not.
 */
import { assert } from '../base/assert.js'
import { isSillokError, SillokError } from '../base/errors.js'
import type { FileSequence, LogIndex, PartitionId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { Clock, Timer } from '../env/clock.js'
import { batchFlags, batchHeadBytes, batchLength, recordHeadBytes, registerHeadBytes } from './batch.js'
import { BatchMaker, type Control, floorBytes, releasedBytes } from './batch-maker.js'
import type { LogWriter } from './log-writer.js'
import type { PartitionLog, TakenAppend } from './partition-log.js'
import { openingLength, type Ring, splitOpening } from './ring.js'

/** Called when the append is durable, or with the reason why it may not be. */
export type Done = (error?: SillokError) => void

/** What the loop tells its host, and what it needs. */
export interface LoopOptions {
  readonly clock: Clock
  /** Quiet time after a batch before a witness follows it. */
  readonly witnessMs: number
  /** Entries up to there should be synced elsewhere and released: a file waits for it. */
  wanted(partition: PartitionId, throughIndex: LogIndex): void
  /** The log stopped. Called once. */
  failed(error: Error): void
}

interface Waiting extends TakenAppend {
  readonly done: Done
}

/** What the next batch brings: anything, only what makes room, copies; or that there can be none now. */
type Plan = 'batch' | 'release' | 'copy' | 'rotate' | 'stalled' | 'nothing'

/** What went into a batch. */
interface Filled {
  readonly floor: FileSequence
  /** Whom to answer. */
  readonly dones: readonly Done[]
  /** How many entries of appends it has. */
  readonly entries: number
}

const queueSlackMax = 4096
/** Room for registers of releases that do not raise the floor, a batch each; less in small files. */
const marksReserveBytesMax = 6 * limits.walBlockBytes
const marksReserveShare = 1 / 64
const askMs = 1000

/** One per log; owns the queue of appends. */
export class CommitLoop {
  readonly #options: LoopOptions
  readonly #writer: LogWriter
  readonly #ring: Ring
  readonly #logs: ReadonlyMap<PartitionId, PartitionLog>
  readonly #maker: BatchMaker
  /** Entries that were put into batches, copies apart. */
  entries = 0
  #queue: Waiting[] = []
  /** Items at the front of the queue that are in a batch. */
  #taken = 0
  #waitingBytes = 0
  #inFlight: readonly Done[] = []
  #controls: Control[] = []
  #controlDones: Done[] = []
  #controlBytes = 0
  #busy = false
  /** When the batch that is being written was begun. */
  #begunMs = 0
  #running = Promise.resolve()
  #scheduled = false
  #witnessTimer: Timer | undefined
  #askTimer: Timer | undefined
  #witnessDue = false
  #closeDue = false
  #stalled = false
  #impatient = false
  /** Bytes copied since an append was taken or something was released. */
  #copiedBytes = 0
  /** Batches in a row with one entry each; those without any do not count. */
  #loneBatches = 0
  #closing = false
  #error: SillokError | undefined

  constructor(
    options: LoopOptions,
    writer: LogWriter,
    ring: Ring,
    logs: ReadonlyMap<PartitionId, PartitionLog>,
  ) {
    this.#options = options
    this.#writer = writer
    this.#ring = ring
    this.#logs = logs
    this.#maker = new BatchMaker(writer.batch)
  }

  /** True while appends wait for an old file to be given up. */
  get stalled(): boolean {
    return this.#stalled
  }

  get error(): SillokError | undefined {
    return this.#error
  }

  /** Bytes of appends that no batch holds yet. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** How long the work of the moment takes by now; 0 if there is none. */
  get commitAgeMs(): number {
    return this.#busy ? this.#options.clock.monotonicMs() - this.#begunMs : 0
  }

  /** Begins; `anew`: the last batch is an opening, to be followed by the hard states and a witness. */
  start(anew: boolean): void {
    if (anew) {
      this.#maker.repeatAll(this.#logs.values())
      this.#startWitness()
    }
    this.#ring.prepare()
    this.#options.clock.soon(() => this.#ask(this.#ring.oldFile()))
  }

  /** Takes an append that its partition's log has taken. */
  append(append: TakenAppend, done: Done): void {
    if (this.#error !== undefined || this.#closing) {
      const error = this.#error ?? new SillokError('CLOSED', 'the log is closed')
      this.#options.clock.soon(() => done(error))
      return
    }
    this.#queue.push({ ...append, done })
    this.#waitingBytes += append.bytes
    this.#schedule()
  }

  /** Takes registers of a release, and looks whether a file became free; `done`: they are durable. */
  released(controls: readonly Control[], done: Done | undefined): void {
    const error = this.#error
    if (error !== undefined) {
      if (done !== undefined) this.#options.clock.soon(() => done(error))
      return
    }
    if (done !== undefined) this.#controlDones.push(done)
    this.#copiedBytes = 0
    for (const control of controls) {
      this.#controls.push(control)
      this.#controlBytes += registerHeadBytes + control.register.payload.length
    }
    if (controls.length > 0 || this.#stalled || this.#floorHelps()) this.#schedule()
  }

  /** Begins the next batch now, unless one is in flight. */
  kick(): void {
    if (this.#busy || this.#error !== undefined) return
    this.#busy = true
    this.#begunMs = this.#options.clock.monotonicMs()
    this.#running = this.#run().catch(error => this.#fail(error))
  }

  /** From now on neither a full disk nor a full ring is waited for: see `Wal.hurry`. */
  hurry(): void {
    this.#impatient = true
    this.#writer.hurry()
  }

  /** Waits for what was appended, unless nothing can be written; then writes the clean close. */
  async close(): Promise<void> {
    this.#closing = true
    this.hurry()
    await this.#running
    this.kick()
    await this.#running
    if (this.#error === undefined) {
      this.#giveUp(new SillokError('CLOSED_WHILE_WAITING', 'closed while the ring of log files was full'))
      this.#closeDue = true
      this.kick()
      await this.#running
    }
    this.#stopTimers()
  }

  #stopTimers(): void {
    this.#witnessTimer?.stop()
    this.#askTimer?.stop()
  }

  #schedule(): void {
    if (this.#scheduled || this.#busy) return
    this.#scheduled = true
    this.#options.clock.soon(() => {
      this.#scheduled = false
      this.kick()
    })
  }

  async #run(): Promise<void> {
    for (;;) {
      const plan = this.#plan()
      this.#noteStall(plan === 'stalled')
      if (plan === 'stalled' || plan === 'nothing') break
      this.#witnessTimer?.stop()
      this.#begunMs = this.#options.clock.monotonicMs()
      if (plan === 'rotate') await this.#rotate()
      else await this.#writeBatch(plan)
    }
    this.#busy = false
  }

  #plan(): Plan {
    const ring = this.#ring
    const next = this.#queue[this.#taken]
    const helps = this.#floorHelps()
    const fixed = this.#fixedBytes()
    if (this.#closeDue) return this.#fit('batch', batchLength(fixed))
    if (next === undefined && !this.#witnessDue && this.#controls.length === 0 && !helps) return 'nothing'
    const together = fixed + (next?.bytes ?? 0)
    const need = batchLength(together <= limits.walBatchBytesMax ? together : fixed)
    if (need <= ring.allowance(this.#reserveBytes())) return this.#fit('batch', need)
    if (helps) return this.#fit('release', batchLength(fixed))
    const marksRoom = ring.allowance(this.#reserveBytes() - this.#marksReserveBytes)
    // The next release, which may help, waits for these marks.
    if (this.#controls.length > 0 && batchLength(fixed) <= marksRoom)
      return this.#fit('release', batchLength(fixed))
    if (next === undefined && this.#witnessDue) {
      this.#witnessDue = false
      return 'nothing'
    }
    if (next === undefined || !this.#copyingHelps()) return 'stalled'
    return this.#fit('copy', batchLength(fixed + ring.usage.largestIn(ring.floor)))
  }

  /** Copying round and round without room for an append would wear the disk out for nothing. */
  #copyingHelps(): boolean {
    const ring = this.#ring
    const futile = this.#copiedBytes > 2 * ring.ringBytes
    return !futile && ring.usage.bytesIn(ring.floor) > 0 && ring.copyingHelps(this.#reserveBytes())
  }

  #fit(plan: Plan, need: number): Plan {
    if (need <= this.#ring.roomBytes) return plan
    const needed = plan !== 'batch' || this.#closeDue
    if (this.#ring.openFiles === 0 && !(needed && this.#ring.mayOvershoot)) return 'stalled'
    assert(need <= this.#ring.usableBytes, () => `a batch of ${need} bytes does not fit a file`)
    return 'rotate'
  }

  /** Bytes of what goes before appends: repetitions, registers of releases, the floor. */
  #fixedBytes(): number {
    return this.#maker.repeatBytes + this.#controlBytes + this.#floorCost()
  }

  #floorCost(): number {
    if (this.#ring.nextFloor() <= this.#ring.floor) return 0
    let bytes = floorBytes
    for (const log of this.#logs.values()) if (log.released > log.toldReleased) bytes += releasedBytes
    return bytes
  }

  #floorHelps(): boolean {
    return this.#ring.openFiles <= 1 && this.#ring.nextFloor() > this.#ring.floor
  }

  /** Room that is kept for giving up the oldest file, a witness and the clean close. */
  #reserveBytes(): number {
    if (this.#ring.openFiles >= 2) return 0
    const perPartition = 8 * releasedBytes
    return (
      batchLength(this.#fixedBytes() + this.#logs.size * perPartition) +
      this.#marksReserveBytes +
      3 * limits.walBlockBytes
    )
  }

  get #marksReserveBytes(): number {
    const share = Math.floor((this.#ring.usableBytes * marksReserveShare) / limits.walBlockBytes)
    return Math.min(marksReserveBytesMax, share * limits.walBlockBytes)
  }

  async #writeBatch(plan: Plan): Promise<void> {
    const { current } = this.#ring
    let flags = 0
    if (this.#closeDue) flags = batchFlags.cleanClose
    else if (this.#witnessDue && this.#taken === this.#queue.length) flags = batchFlags.witness
    this.#closeDue = false
    this.#witnessDue = false
    this.#maker.begin()
    const filled = this.#fill(plan, 0)
    this.#maker.end(false)
    await this.#writer.commit(current, flags, 0, this.#isLone(filled.entries))
    this.#durable(filled, flags)
  }

  /** True for one entry after another, with nothing behind it: who writes them waits for each. */
  #isLone(entries: number): boolean {
    if (entries > 0) this.#loneBatches = entries === 1 ? this.#loneBatches + 1 : 0
    return entries === 1 && this.#loneBatches > 1 && this.#taken === this.#queue.length
  }

  /** Puts into the batch what there is room for. `used`: bytes that are there already. */
  #fill(plan: Plan, used: number): Filled {
    const ring = this.#ring
    const room = Math.min(limits.walBatchBytesMax, ring.roomBytes - batchHeadBytes)
    let spent = used + this.#maker.repeatBytes
    const controlsFit = spent + this.#controlBytes <= room
    let dones: Done[] = []
    if (controlsFit) {
      dones = this.#controlDones
      this.#controlDones = []
      spent += this.#controlBytes
      for (const control of this.#controls) this.#maker.control(control)
      this.#controls = []
      this.#controlBytes = 0
    }
    if (plan === 'copy') {
      const copied = this.#copy(room - spent)
      this.#copiedBytes += copied
      spent += copied
    }
    let floor = ring.floor
    const floorCost = this.#floorCost()
    if (controlsFit && floorCost > 0 && spent + floorCost <= room) {
      floor = ring.nextFloor()
      this.#maker.floor(floor, this.#logs.values())
      spent += floorCost
    }
    const items = plan === 'batch' ? this.#takeItems(Math.min(room, this.#allowedBytes()) - spent) : []
    let entries = 0
    for (const item of items) {
      dones.push(item.done)
      entries += item.entries.length
    }
    this.#inFlight = dones
    return { floor, dones, entries }
  }

  /** Length that the batch's records may have without taking what is reserved. */
  #allowedBytes(): number {
    const allowance = this.#ring.allowance(this.#reserveBytes())
    const block = limits.walBlockBytes
    return Math.floor(allowance / block) * block - batchHeadBytes
  }

  #takeItems(room: number): Waiting[] {
    const file = this.#ring.current.sequence
    const items: Waiting[] = []
    let left = room
    for (;;) {
      const item = this.#queue[this.#taken]
      if (item === undefined || item.bytes > left) break
      left -= item.bytes
      this.#taken++
      this.#waitingBytes -= item.bytes
      this.#maker.append(item, file)
      this.entries += item.entries.length
      items.push(item)
      this.#copiedBytes = 0
    }
    if (this.#taken === this.#queue.length || this.#taken > queueSlackMax) {
      this.#queue = this.#queue.slice(this.#taken)
      this.#taken = 0
    }
    return items
  }

  /** Copies entries of the oldest file on, as many as fit; returns the bytes that they take. */
  #copy(room: number): number {
    const { floor, current } = this.#ring
    let spent = 0
    for (const log of this.#logs.values()) {
      for (const entry of log.tail.livingIn(floor)) {
        const bytes = entry.bytes.length + recordHeadBytes
        if (spent + bytes > room) return spent
        spent += bytes
        this.#maker.copy(log, entry, current.sequence)
      }
    }
    return spent
  }

  /** Switches to the next file: its opening, and in the opening's last batch what waits, if there is room. */
  async #rotate(): Promise<void> {
    const ring = this.#ring
    const old = ring.current
    const file = await this.#writer.insist(() => ring.take(old.sequence + 1))
    ring.needed.push(file)
    /** What a release brought must stand where the release is told. */
    for (const { log, register } of this.#controls) log.written.set(register.kind, register.payload)
    this.#controls = []
    this.#controlBytes = 0
    const floor = ring.nextFloor()
    const batches = splitOpening([
      ...ring.restate(),
      ...[...this.#logs.values()].flatMap(log => log.restate()),
    ])
    ring.openingBytes = openingLength(batches)
    let filled: Filled = { floor, dones: [], entries: 0 }
    for (const [i, batch] of batches.entries()) {
      this.#maker.begin()
      for (const record of batch) this.#maker.raw(record)
      if (i === batches.length - 1) {
        filled = this.#fill('batch', this.#writer.batch.bodyBytes)
        this.#maker.end(true)
        this.#maker.repeatAll(this.#logs.values())
      }
      await this.#writer.commit(file, batchFlags.opening, batches.length)
    }
    await old.device?.close()
    old.device = undefined
    this.#durable({ ...filled, floor: Math.max(floor, filled.floor) }, batchFlags.opening)
    ring.prepare()
    this.#ask(ring.oldFile())
  }

  #durable(filled: Filled, flags: number): void {
    if (filled.floor > this.#ring.floor) {
      this.#ring.raise(filled.floor)
      this.#ring.prepare()
    }
    this.#inFlight = []
    for (const done of filled.dones) done()
    if ((flags & (batchFlags.witness | batchFlags.cleanClose)) === 0) this.#startWitness()
  }

  #startWitness(): void {
    this.#witnessTimer?.stop()
    if (this.#closing) return
    const fire = (): void => {
      if (this.#busy || this.#closing || this.#taken < this.#queue.length) return
      this.#witnessDue = true
      this.kick()
    }
    this.#witnessTimer = this.#options.clock.after(this.#options.witnessMs, fire, { idle: true })
  }

  /** Asks the host to release what stands in files up to that one. */
  #ask(through: FileSequence): void {
    if (this.#error !== undefined || this.#closing) return
    for (const log of this.#logs.values()) {
      const index = log.tail.lastWithin(through)
      if (index !== undefined) this.#options.wanted(log.id, index)
    }
  }

  /**
   * While appends wait for room, the host is asked at once and then every second; who is in a hurry waits
   * that second and no more.
   */
  #noteStall(stalled: boolean): void {
    const began = stalled && !this.#stalled
    this.#stalled = stalled
    if (began) this.#askAgain(0)
  }

  #askAgain(ms: number): void {
    const fire = (): void => {
      if (!this.#stalled) return
      if (this.#impatient && ms > 0) {
        this.#fail(new SillokError('CLOSED_WHILE_WAITING', 'closed while the ring of log files was full'))
        return
      }
      this.#ask(this.#ring.current.sequence)
      this.#askAgain(askMs)
    }
    this.#askTimer?.stop()
    this.#askTimer = this.#options.clock.after(ms, fire)
  }

  #giveUp(error: SillokError): void {
    const waiting = [...this.#inFlight, ...this.#queue.slice(this.#taken).map(item => item.done)]
    this.#inFlight = []
    this.#queue = []
    this.#taken = 0
    this.#waitingBytes = 0
    for (const done of waiting) done(error)
  }

  #fail(cause: unknown): void {
    this.#busy = false
    this.#stopTimers()
    const givenUp = isSillokError(cause, 'CLOSED_WHILE_WAITING')
    const message = 'the log cannot be written: the store stopped'
    this.#error = givenUp ? cause : new SillokError('DISK_FAILED', message, { cause })
    // Who waits is answered before anybody else is told: nothing that is called then can prevent it.
    this.#giveUp(this.#error)
    for (const done of this.#controlDones.splice(0)) done(this.#error)
    if (!givenUp) this.#options.failed(cause instanceof Error ? cause : this.#error)
  }
}
