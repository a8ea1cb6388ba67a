/**
 * One partition on one node: carries out what Raft's Ready says, in its order.
 *
 *   storageAppend   to the write-ahead log; its responses are stepped when the batch is durable, not before
 *   storageApply    to the segments (bytes) and the state (facts); callers get their replies
 *
 * Applied are only entries that are committed and durable here. On a change of role or term the proposals in
 * flight are forgotten before anything else happens: no decision may rest on what another leader overwrites.
 */
import { assert, must } from '../base/assert.js'
import { type Entry, entryHeadBytes, entryKinds } from '../base/entry.js'
import { SillokError, withUnknownOutcome } from '../base/errors.js'
import {
  type LogIndex,
  type LogTime,
  type PartitionId,
  type ReplicaId,
  type Version,
  versionsPerEpoch,
} from '../base/ids.js'
import { type Limits, limits } from '../base/limits.js'
import { encodeFacts } from '../codec/facts.js'
import type { RowKey } from '../codec/row.js'
import type { Clock } from '../env/clock.js'
import type { Command } from '../machine/command.js'
import { decide } from '../machine/decide.js'
import { evolve } from '../machine/evolve.js'
import { type InMemory, missingRows } from '../machine/read-set.js'
import type { Reply } from '../machine/reply.js'
import type { DecideContext } from '../machine/view.js'
import type { Outbound, StorageAppend } from '../raft/messages.js'
import { Raft, type RaftOptions, type RaftStatus } from '../raft/raft.js'
import type { SegmentLog } from '../segments/segment-log.js'
import type { Loaded } from '../state/loaded.js'
import type { State } from '../state/state.js'
import { hardStateRegister } from '../wal/registers.js'
import type { Tail } from '../wal/tail.js'
import type { Wal } from '../wal/wal.js'
import { Admission, type Decider, type Ticket, type Verdict } from './admission.js'
import { cappedTo, partsOf } from './append-parts.js'
import { asFailure } from './failure.js'
import { LeaderView } from './leader-view.js'
import { LogClock } from './log-time.js'
import { Overlay } from './overlay.js'
import { type Passed, ReadBarrier } from './read-barrier.js'
import { type Asker, Waiters } from './waiters.js'

/** Entries that are applied between two looks at the clock. */
const entriesPerLook = 64

/** What a replica works with. */
export interface ReplicaOptions {
  readonly partition: PartitionId
  readonly replica: ReplicaId
  readonly clock: Clock
  readonly wal: Wal
  readonly segments: SegmentLog
  readonly state: State
  /** Writes a state checkpoint into the log. */
  readonly record: (bytes: Buffer) => Promise<void>
  readonly slotEpoch: number
  readonly limits: Limits
  readonly raft: Pick<RaftOptions, 'random' | 'electionTicks' | 'uncommittedBytesMax' | 'start'>
  /** Opens a session that this partition does not know; resolves when the command may be tried again. */
  readonly openSession: (session: number) => Promise<void>
  /** Called after entries were applied. */
  readonly applied: () => void
  /** Called once when the replica cannot go on. */
  readonly failed: (error: SillokError) => void
}

/** Where a replica stands. */
export interface ReplicaStatus
  extends Pick<RaftStatus, 'role' | 'term' | 'commit' | 'applied' | 'lastIndex'> {
  /** Commands that wait for their turn. */
  readonly waiting: number
  readonly logTime: LogTime
}

/** One partition on this node: submit commands, wait for reads, tick, close. */
export class Replica implements Decider {
  readonly partition: PartitionId
  readonly state: State
  readonly #options: ReplicaOptions
  readonly #raft: Raft
  readonly #overlay = new Overlay()
  readonly #view: LeaderView
  readonly #inMemory: InMemory = key => this.#view.inMemory(key)
  readonly #time: LogClock
  /** The newest entry that tells only the time. */
  #timeRecorded: LogIndex = 0
  readonly #waiters = new Waiters()
  readonly #reads = new ReadBarrier()
  readonly #admission: Admission
  readonly #roomWaiters: (() => void)[] = []
  /** Entries up to this one are handed out for application, in order. */
  #target: LogIndex
  #applying = false
  /** What Raft has to do is being carried out; what comes up meanwhile is carried out after it. */
  #pumping = false
  #readsDue = false
  #closing = false
  #failure: SillokError | undefined

  constructor(options: ReplicaOptions) {
    const { voters } = options.raft.start.configuration
    if (voters.length !== 1 || voters[0] !== options.replica) {
      throw new SillokError('INVALID', `this release runs groups of one voter, not of [${voters.join(', ')}]`)
    }
    this.#options = options
    this.partition = options.partition
    this.state = options.state
    this.#view = new LeaderView(this.#overlay, options.state)
    this.#time = new LogClock(options.clock)
    this.#admission = new Admission(options.clock, this)
    this.#target = options.raft.start.applied
    this.#raft = new Raft({
      ...options.raft,
      partition: options.partition,
      replica: options.replica,
      emptyEntry: () => this.#emptyEntry(),
    })
  }

  /** Learns the log time of the last entry, and campaigns: a sole voter does so at once. */
  start(last: Entry | undefined): void {
    if (last !== undefined) this.#time.observe(evolve(last).time)
    this.#raft.campaign()
    this.pump()
  }

  get applied(): LogIndex {
    return this.state.applied
  }

  status(): ReplicaStatus {
    const { role, term, commit, applied, lastIndex } = this.#raft.status()
    const { waitingCount: waiting } = this.#admission
    return { role, term, commit, applied, lastIndex, waiting, logTime: this.#time.stamp() }
  }

  /** The log time now; it goes on only while this replica leads. */
  logTime(): number {
    return this.#time.stamp()
  }

  /**
   * Sees to it that a restart loses no more than so much of the log time: writes an entry that tells it, and
   * nothing else, unless one is on its way. Without leadership nothing happens.
   */
  recordTime(unloggedMsMax: number): void {
    if (this.#time.unloggedMs < unloggedMsMax || this.#timeRecorded > this.applied) return
    const proposed = this.#raft.propose(this.#emptyEntry(), entryKinds.empty)
    if ('dropped' in proposed) return
    this.#timeRecorded = proposed.index
    this.pump()
  }

  /** Decides the command and answers when its outcome is known. */
  submit(ticket: Ticket): void {
    this.#admission.submit(ticket)
  }

  /** Submits a command of the store's own and resolves with its reply, or rejects with its refusal. */
  call(command: Command, sender: object): Promise<Extract<Reply, { ok: true }>> {
    return new Promise((resolve, reject) => {
      const answer: Asker['answer'] = result => {
        if (result instanceof SillokError) reject(result)
        else if (result.ok) resolve(result)
        else reject(new SillokError(result.code, result.message, { details: result.details }))
      }
      this.submit({ command, sender, bytes: 256, answer })
    })
  }

  /** Goes on when the state shows everything that was acknowledged before this call. */
  readBarrier(passed: Passed): void {
    if (this.#failure !== undefined) {
      passed(this.#failure)
      return
    }
    this.#reads.ask(0, passed)
    // One turn serves all who ask before it: a turn for each would answer new ones early and leave its own
    // behind.
    if (this.#readsDue) return
    this.#readsDue = true
    this.#options.clock.soon(() => {
      this.#readsDue = false
      this.decided()
    })
  }

  /** The read barrier as a promise. */
  readable(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.readBarrier(error => (error === undefined ? resolve() : reject(error)))
    })
  }

  /** Refuses new commands with this error, or admits them again. */
  refuse(error: SillokError | undefined): void {
    if (this.#failure !== undefined) return
    this.#admission.refusal = this.#closing ? new SillokError('CLOSED', 'the store is closed') : error
  }

  tick(): void {
    this.#time.advance()
    this.#raft.tick()
    this.pump()
    this.#makeRoom()
    this.state.maintain(this.#options.record)
  }

  /** Carries out everything that Raft has to do. */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    while (this.#failure === undefined && this.#raft.hasReady()) {
      const ready = this.#raft.ready()
      if (ready.soft !== undefined) {
        this.#overlay.clear()
        this.#view.reset()
        this.#time.run(ready.soft.role === 'leader')
        this.#beginReads()
      }
      for (const message of ready.messages) this.#send(message)
      for (const read of ready.readStates) this.#reads.confirmed(read, this.state.applied)
      if (ready.readStates.some(read => read.index === undefined)) this.#beginReads()
    }
    this.#pumping = false
  }

  /** No caller will be answered by this replica any more. */
  fail(error: SillokError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#admission.fail(error)
    this.#waiters.fail(whileWaiting(error))
    this.#reads.fail(error)
  }

  /** Admits no more, and resolves when everything in flight is answered, or when the time is over. */
  async drain(ms: number): Promise<void> {
    const { clock } = this.#options
    const until = clock.monotonicMs() + ms
    this.#closing = true
    this.refuse(undefined)
    while (this.#failure === undefined && !(this.#waiters.isEmpty && this.#admission.waitingCount === 0)) {
      if (clock.monotonicMs() > until) return
      await new Promise<void>(resolve => clock.after(1, resolve))
    }
  }

  /** Writes the last hard state; the state and the segments are closed by the host. */
  async close(): Promise<void> {
    this.fail(new SillokError('CLOSED', 'the store is closed'))
    await this.#options.wal.record(this.partition, [hardStateRegister(this.#raft.hardState())])
  }

  // --- Decider: what admission asks for

  get isIdle(): boolean {
    return this.#waiters.isEmpty && !this.#pumping
  }

  missing(command: Command, keys: RowKey[]): void {
    missingRows(command, this.#inMemory, keys)
  }

  load(keys: readonly RowKey[]): Promise<Loaded> {
    return this.state.load(keys)
  }

  loadSync(keys: readonly RowKey[]): Loaded {
    return this.state.loadSync(keys)
  }

  failed(error: unknown): void {
    this.#stop(error)
  }

  decided(): void {
    this.#beginReads()
    this.pump()
    // What this turn decided is all here: the log need not wait for the next one.
    this.#options.wal.kick()
  }

  decide(ticket: Ticket, loaded: readonly Loaded[]): Verdict {
    if (this.#failure !== undefined) {
      ticket.answer(this.#failure)
      return { type: 'settled' }
    }
    if (!this.#raft.canDecide) return this.#undecided(ticket)
    if (this.state.overloaded) return { type: 'wait', until: this.#room() }
    this.#view.loaded = loaded
    const index = this.#raft.nextIndex
    const time = this.#time.stamp()
    const decision = decide(ticket.command, this.#view, this.#context(index, time))
    switch (decision.type) {
      case 'need':
        return { type: 'load', keys: decision.keys }
      case 'openFirst':
        return { type: 'wait', until: this.#options.openSession(decision.session) }
      case 'entry': {
        const bytes = encodeFacts(time, decision.facts)
        const proposed = this.#raft.propose(bytes, entryKinds.facts)
        if ('dropped' in proposed) return { type: 'wait', until: this.#room() }
        const { term } = proposed
        const rows = this.#overlay.add(index, term, time, decision.facts, this.versionAt(index))
        this.#view.proposed(decision.facts, rows)
        this.#waiters.add(index, term, decision.reply, ticket)
        break
      }
      case 'answer': {
        const { reply } = decision
        this.#reads.ask(index - 1, error => ticket.answer(error ?? reply))
        break
      }
      case 'latch':
        this.#waiters.latch(decision.index, ticket)
        break
      case 'replay':
        ticket.answer(decision.reply)
        break
    }
    return { type: 'settled' }
  }

  needs({ command }: Ticket, loaded: readonly Loaded[]): readonly RowKey[] {
    if (!this.#raft.canDecide) return []
    this.#view.loaded = loaded
    const decision = decide(command, this.#view, this.#context(this.#raft.nextIndex, this.#time.stamp()))
    return decision.type === 'need' ? decision.keys : []
  }

  #context(index: LogIndex, time: LogTime): DecideContext {
    const { clock, limits } = this.#options
    return { index, time, version: this.versionAt(index), wallMs: clock.wallMs(), limits }
  }

  /** While an election is under way reads wait for its end. */
  #beginReads(): void {
    if (this.#raft.role !== 'candidate') this.#reads.begin(() => this.#raft.readIndex())
  }

  /**
   * Before the first entry of its term is applied a leader decides nothing; without leadership nobody does.
   */
  #undecided(ticket: Ticket): Verdict {
    if (this.#raft.role !== 'follower') return { type: 'wait', until: this.#room() }
    ticket.answer(new SillokError('NOT_LEADER', 'this node does not lead the partition'))
    return { type: 'settled' }
  }

  /** Resolves after the next application or tick: what had no room may look again. */
  #room(): Promise<void> {
    return new Promise(resolve => this.#roomWaiters.push(resolve))
  }

  #makeRoom(): void {
    for (const resolve of this.#roomWaiters.splice(0)) resolve()
  }

  /** The version that the documents of the entry at index have. */
  versionAt(index: LogIndex): Version {
    return this.#options.slotEpoch * versionsPerEpoch + index
  }

  /** The first entry of a term carries the log time, so that every entry does. */
  #emptyEntry(): Buffer {
    const bytes = Buffer.alloc(entryHeadBytes + 6)
    bytes.writeUIntLE(this.#time.stamp(), entryHeadBytes, 6)
    return bytes
  }

  #send(message: Outbound): void {
    if (message.type === 'storageAppend') this.#append(message)
    else {
      assert(message.type === 'storageApply', () => `a group of one says ${message.type} to somebody`)
      this.#target = message.through
      this.#apply()
    }
  }

  /**
   * What one turn proposed may be more than a batch of the log holds: it goes out in parts, the hard state
   * with the first and the responses after the last. A crash between them leaves a prefix, as of a log, so
   * the hard state may name no commit beyond its part.
   */
  #append({ entries, hardState, responses }: StorageAppend): void {
    const parts = partsOf(entries)
    for (const [place, part] of parts.entries()) {
      const registers =
        place > 0 || hardState === undefined ? [] : [hardStateRegister(cappedTo(hardState, part))]
      const isLast = place === parts.length - 1
      this.#options.wal.append({ partition: this.partition, entries: part, registers }, error => {
        if (error !== undefined || !isLast) return
        for (const response of responses) this.#raft.step(response)
        this.pump()
      })
    }
  }

  // --- Application

  #apply(): void {
    if (this.#applying || this.#failure !== undefined) return
    this.#applying = true
    this.#applyAll().then(
      () => {
        this.#applying = false
        if (this.state.applied < this.#target) this.#apply()
      },
      error => this.#stop(error),
    )
  }

  /** From the tail in memory in this very turn; what is older comes from the segments. */
  async #applyAll(): Promise<void> {
    const tail = this.#options.wal.tail(this.partition)
    while (this.state.applied < this.#target && this.#failure === undefined) {
      const next = this.state.applied + 1
      if (next >= tail.firstIndex) {
        this.#applyTail(this.#target)
        if (this.state.applied < this.#target) await this.#soon()
      } else {
        const through = Math.min(this.#target, tail.firstIndex - 1)
        for await (const chunk of this.#options.segments.chunks(next, through)) {
          for (const entry of chunk) this.#applyEntry(entry)
          this.#appliedThrough()
          await this.#soon()
        }
      }
    }
  }

  #applyTail(target: LogIndex): void {
    const tail = this.#options.wal.tail(this.partition)
    const { clock } = this.#options
    const began = clock.monotonicMs()
    for (let index = this.state.applied + 1; index <= target; index++) {
      this.#applyEntry(must(tail.get(index), `entry ${index} in the tail`))
      if (index % entriesPerLook === 0 && clock.monotonicMs() - began > limits.sliceMs) break
    }
    this.#appendSegments(tail)
    this.#appliedThrough()
  }

  /** Hands the segments what they lack of the applied log: after a crash more than what was just applied. */
  #appendSegments(tail: Tail): void {
    const { segments } = this.#options
    const entries: Entry[] = []
    for (let index = segments.lastIndex + 1; index <= this.state.applied; index++) {
      entries.push(must(tail.get(index), `entry ${index} in the tail`))
    }
    if (entries.length > 0) segments.append(entries)
  }

  #applyEntry(entry: Entry): void {
    const { index, term } = entry
    const version = this.versionAt(index)
    const own = this.#overlay.take(index, term)
    if (own !== undefined) {
      this.#time.observe(own.time)
      this.state.apply(index, own.facts, version, own.rows)
      this.#overlay.forget(own)
    } else {
      const { time, facts } = evolve(entry)
      this.#time.observe(time)
      if (facts.length > 0) this.state.apply(index, facts, version)
      else this.state.advance(index)
    }
    this.#waiters.applied(index, term)
  }

  #appliedThrough(): void {
    this.#raft.step({ type: 'storageApplied', index: this.state.applied })
    this.#reads.applied(this.state.applied)
    this.#makeRoom()
    this.#options.applied()
    this.state.maintain(this.#options.record)
  }

  #soon(): Promise<void> {
    return new Promise(resolve => this.#options.clock.soon(resolve))
  }

  #stop(error: unknown): void {
    this.#options.failed(asFailure(error))
  }
}

/** What a stopped replica says to those whose proposals may still commit. */
function whileWaiting(error: SillokError): SillokError {
  if (error.code !== 'CLOSED') return withUnknownOutcome(error)
  return new SillokError('CLOSED_WHILE_WAITING', 'the store was closed while this waited')
}
