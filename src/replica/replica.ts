/**
 * One partition on one node: carries out what Raft's Ready says, in its order.
 *
 *   to other replicas   sent at once: what needs this node's disk first is among the responses of an append
 *   storageAppend       to the write-ahead log; its responses are stepped or sent when the batch is durable
 *   storageApply        to the segments (bytes) and the state (facts); callers get their replies
 *   needEntries         read from the segments, for a replica that is far behind
 *
 * Applied are only entries that are committed and durable here. On a change of role or term the proposals in
 * flight are forgotten before anything else happens: no decision may rest on what another leader overwrites.
 */
import { must } from '../base/assert.js'
import { type Entry, entryKinds } from '../base/entry.js'
import { SillokError, storeClosed } from '../base/errors.js'
import {
  type LogIndex,
  type LogTime,
  type PartitionId,
  type ReplicaId,
  type Term,
  type Version,
  versionsPerEpoch,
} from '../base/ids.js'
import { encodeFacts } from '../codec/facts.js'
import type { RowKey } from '../codec/row.js'
import type { Command } from '../machine/command.js'
import { decide } from '../machine/decide.js'
import { evolve, timeEntry, timeOf } from '../machine/evolve.js'
import { type InMemory, missingRows } from '../machine/read-set.js'
import type { Done } from '../machine/reply.js'
import type { DecideContext } from '../machine/view.js'
import { type ConfigurationChange, isSoleVoter } from '../raft/configuration.js'
import type { InstallSnapshot, Outbound, PeerMessage, StorageAppend } from '../raft/messages.js'
import { Raft, type RaftStatus } from '../raft/raft.js'
import type { Loaded } from '../state/loaded.js'
import type { State } from '../state/state.js'
import { hardStateRegister } from '../wal/registers.js'
import { Admission, type Decider, type Ticket, type Verdict } from './admission.js'
import { Application } from './application.js'
import { call } from './call.js'
import { asFailure } from './failure.js'
import { changeGroup } from './group-change.js'
import { LeaderView } from './leader-view.js'
import { LogClock } from './log-time.js'
import { Overlay } from './overlay.js'
import type { PreparedSnapshot } from './prepared-snapshot.js'
import { RaftStorage } from './raft-storage.js'
import { type Passed, ReadBarrier } from './read-barrier.js'
import { leadershipLost, notLeader, whileWaiting } from './refusals.js'
import type { ReplicaOptions, ReplicaStatus } from './replica-options.js'
import { Waiters } from './waiters.js'

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
  readonly #application: Application
  readonly #roomWaiters: (() => void)[] = []
  readonly #storage: RaftStorage
  /** What Raft has to do is being carried out; what comes up meanwhile is carried out after it. */
  #pumping = false
  #readsDue = false
  /** While the message that brings it is taken. */
  #prepared: PreparedSnapshot | undefined
  #installing = false
  #closing = false
  #failure: SillokError | undefined

  constructor(options: ReplicaOptions) {
    const { partition, replica, clock, wal, segments, state, log, memberships, raft } = options
    this.#options = options
    this.partition = partition
    this.state = state
    this.#view = new LeaderView(this.#overlay, state)
    this.#time = new LogClock(clock)
    this.#admission = new Admission(clock, this)
    const { index: configurationIndex, configuration } = memberships.newest
    this.#raft = new Raft({
      ...raft,
      start: { ...raft.start, log, configuration, configurationIndex },
      partition,
      replica,
      emptyEntry: () => timeEntry(this.#time.stamp()),
    })
    this.#storage = new RaftStorage({
      ...options,
      isRecovering: raft.start.recovering === true,
      step: response => this.#step(() => this.#raft.step(response)),
    })
    this.#application = new Application({
      clock,
      tail: wal.tail(partition),
      segments,
      applied: () => this.state.applied,
      apply: entry => this.#apply(entry),
      progressed: () => this.#appliedThrough(),
      stopped: () => this.#failure !== undefined,
      failed: error => this.#stop(error),
    })
  }

  /** `time` is that of the log's last entry. A sole voter leads at once; in a group time decides. */
  start(time: LogTime): void {
    this.#time.observe(time)
    this.#application.refill()
    const { memberships, replica } = this.#options
    if (isSoleVoter(memberships.newest.configuration, replica)) this.#raft.campaign()
    this.pump()
  }

  /** Takes a message of another replica of the group; one that is not for this replica is ignored. */
  receive(message: PeerMessage): void {
    if (message.to !== this.#options.replica) return
    this.#step(() => this.#raft.step(message))
  }

  /** The last messages to that replica were probably lost. */
  unreachable(replica: ReplicaId): void {
    this.#step(() => this.#raft.reportUnreachable(replica))
  }

  /** How the sending of a snapshot to that replica ended. */
  snapshotSent(to: ReplicaId, arrived: boolean): void {
    this.#step(() => this.#raft.reportSnapshot(to, arrived))
  }

  /**
   * Takes the message of a snapshot whose state is prepared here, whole and checked. Answers whether it is
   * installed: then this replica has ended, and `install` goes on; otherwise it is not needed.
   */
  receiveSnapshot(message: InstallSnapshot, prepared: PreparedSnapshot): boolean {
    this.#prepared = prepared
    this.receive(message)
    this.#prepared = undefined
    return this.#installing
  }

  /** True once it has ended because a snapshot takes its place. */
  get isReplaced(): boolean {
    return this.#installing
  }

  /** Whom to ask, as far as this replica knows: itself, unless it follows; 0 for nobody. */
  get servedBy(): ReplicaId {
    return this.#raft.role === 'follower' ? this.#raft.leader : this.#options.replica
  }

  get term(): Term {
    return this.#raft.term
  }

  /** True while it leads, as far as it knows. */
  get leads(): boolean {
    return this.#raft.role === 'leader'
  }

  /** The group as this replica sees it. */
  group(): RaftStatus {
    return this.#raft.status()
  }

  /**
   * Proposes a change of the group; resolves, with the index of its entry, as `group-change.ts` says: from
   * then on a majority of the new group (of both halves, while it is joint) goes on whoever else is lost.
   * Rejects with NOT_LEADER, OVERLOADED, CONFLICT (the group is not that of `ifIndex` any more) or INVALID,
   * not applied, saying why; or as any caller's wait ends: LEADERSHIP_LOST, CLOSED_WHILE_WAITING. The outcome
   * of LEADERSHIP_LOST is unknown: the change may be made already.
   */
  async changeGroup(change: ConfigurationChange, ifIndex?: LogIndex): Promise<LogIndex> {
    if (this.#failure !== undefined) throw this.#failure
    const [self, raft, waiters, time] = [this.#options.replica, this.#raft, this.#waiters, this.#time]
    return await changeGroup({ self, raft, waiters, time, pump: () => this.pump() }, change, ifIndex)
  }

  /** Hands leadership to that replica, if this one leads and the other can take it; nothing is awaited. */
  transferLeader(to: ReplicaId): void {
    this.#step(() => this.#raft.transferLeader(to))
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
    const proposed = this.#raft.propose(timeEntry(this.#time.stamp()), entryKinds.empty)
    if ('dropped' in proposed) return
    this.#timeRecorded = proposed.index
    this.pump()
  }

  /** Decides the command and answers when its outcome is known. */
  submit(ticket: Ticket): void {
    this.#admission.submit(ticket)
  }

  /** Submits a command of the store's own and resolves with its reply, or rejects with its refusal. */
  call(command: Command, sender: object): Promise<Done> {
    return call(ticket => this.submit(ticket), command, sender)
  }

  /** Goes on when the state shows everything that was acknowledged before this call. */
  readBarrier(passed: Passed): void {
    if (this.#failure !== undefined) {
      passed(this.#failure)
      return
    }
    this.#reads.ask(passed)
    // One turn serves all who ask before it: a turn for each would answer new ones early and leave its own
    // behind.
    if (this.#readsDue) return
    this.#readsDue = true
    this.#options.clock.soon(() => {
      this.#readsDue = false
      this.decided()
    })
  }

  /** Refuses new commands with this error, or admits them again. */
  refuse(error: SillokError | undefined): void {
    if (this.#failure !== undefined) return
    this.#admission.refusal = this.#closing ? storeClosed() : error
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
        this.#reads.lose(leadershipLost())
        this.#beginReads()
      }
      this.#storage.noteRecovery(this.#raft.recovering, this.state.applied)
      for (const message of ready.messages) this.#send(message)
      for (const alarm of ready.alarms) this.#options.alarmed(alarm)
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

  /**
   * Writes the last hard state; the state and the segments are closed by the host. Not behind a snapshot that
   * was to be installed: what Raft has committed with that is not in the log.
   */
  async close(): Promise<void> {
    this.fail(storeClosed())
    if (this.#installing) return
    await this.#options.wal.record(this.partition, [hardStateRegister(this.#raft.hardState())])
  }

  // --- Decider: what admission asks for

  get isIdle(): boolean {
    return this.#waiters.isEmpty && !this.#pumping
  }

  /** Nothing while nobody may decide here: the state may not be readable yet. */
  missing(command: Command, keys: RowKey[]): void {
    if (this.#raft.canDecide) missingRows(command, this.#inMemory, keys)
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
        this.#reads.askDecided(index - 1, error => ticket.answer(error ?? reply))
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
    ticket.answer(notLeader(this.#raft.leader))
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

  #send(message: Outbound): void {
    if (message.type === 'storageAppend') this.#append(message)
    else if (message.type === 'storageApply') this.#application.goOn(message.through)
    else if (message.type === 'needEntries') this.#storage.load(message)
    else if (message.type === 'installSnapshot') this.#options.sendSnapshot(message)
    else this.#options.send(message)
  }

  #append(message: StorageAppend): void {
    if (message.snapshot !== undefined) {
      this.#install()
      return
    }
    const last = message.entries.at(-1)
    if (last !== undefined && this.#raft.role !== 'leader') this.#time.hear(timeOf(last))
    this.#storage.append(message)
  }

  /** Whoever waits here learns no more; what the snapshot stands for holds their entries, or does not. */
  #install(): void {
    const prepared = must(this.#prepared, 'the state of the snapshot that is installed')
    this.#installing = true
    const message = 'a snapshot of another replica takes the place of this state'
    this.fail(new SillokError('LEADERSHIP_LOST', message))
    this.#options.install({ prepared, hardState: this.#raft.hardState() })
  }

  /** Something new for Raft, and what it has to do then. What it may not survive stops the replica. */
  #step(call: () => void): void {
    if (this.#failure !== undefined) return
    try {
      call()
      this.pump()
    } catch (error) {
      this.#stop(error)
    }
  }

  // --- Application

  #apply(entry: Entry): void {
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
      if (entry.kind === entryKinds.configuration) this.#storage.changeGroup(entry, this.#raft)
    }
    this.#waiters.applied(index, term)
  }

  #appliedThrough(): void {
    this.#raft.step({ type: 'storageApplied', index: this.state.applied })
    this.#reads.applied(this.state.applied)
    this.#makeRoom()
    this.#options.applied()
    this.state.maintain(this.#options.record)
    this.pump()
  }

  #stop(error: unknown): void {
    this.#options.failed(asFailure(error))
  }
}
