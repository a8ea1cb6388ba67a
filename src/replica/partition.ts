/**
 * One partition as the rest of its node sees it, whichever replica holds it here and wherever it is led.
 *
 * A snapshot that comes from another node puts a new replica, with a state and a log of its own, in the
 * place of the one that was here. So nobody keeps a replica or its state: they ask here each time. A command
 * goes to who leads, and again if that changes (`resending.ts`); only what concerns this node's own replica,
 * as the work of a leader, is decided here or refused.
 */
import { must } from '../base/assert.js'
import { isSillokError, type SillokError } from '../base/errors.js'
import type { LogIndex, PartitionId, Version } from '../base/ids.js'
import type { RowKey } from '../codec/row.js'
import type { Clock } from '../env/clock.js'
import type { Command } from '../machine/command.js'
import type { Done } from '../machine/reply.js'
import type { State } from '../state/state.js'
import type { Ticket } from './admission.js'
import { call } from './call.js'
import type { OpenedReplica } from './open-replica.js'
import type { Passed } from './read-barrier.js'
import type { Replica } from './replica.js'
import { type AskedTicket, isAskedTicket, Resending } from './resending.js'

/** What a partition of a node works with. */
export interface PartitionOptions {
  readonly id: PartitionId
  readonly clock: Clock
  /**
   * Has the command decided by who leads, here or elsewhere; answers once. Undefined: this node is the whole
   * cluster.
   */
  readonly send?: ((ticket: AskedTicket) => void) | undefined
}

/** From a read that was refused because of the moment to the next try. */
const pauseMs = 50

/** One partition on this node: its replica comes and goes by `take`. */
export class Partition {
  readonly id: PartitionId
  readonly #clock: Clock
  readonly #resending: Resending | undefined
  #opened: OpenedReplica | undefined
  #taken = 0
  #closed: SillokError | undefined

  constructor({ id, clock, send }: PartitionOptions) {
    this.id = id
    this.#clock = clock
    this.#resending = send && new Resending({ clock, send })
  }

  /** From now on this is the replica here; once the partition is closed it answers nobody. */
  take(opened: OpenedReplica): void {
    this.#opened = opened
    this.#taken += 1
    if (this.#closed !== undefined) opened.replica.fail(this.#closed)
  }

  /** True while another replica is to take the place of the one here, whose parts are being closed. */
  get isMoving(): boolean {
    return this.replica.isReplaced
  }

  /** A number that is another one after each change of the partition's own rows of that kind. */
  changes(kind: RowKey): number {
    return this.#taken * 2 ** 32 + this.state.partitionChanges(kind)
  }

  /** True once this node holds a replica. */
  get isHere(): boolean {
    return this.#opened !== undefined
  }

  /** The replica with its parts; while another one takes its place, the one that has ended. */
  get opened(): OpenedReplica {
    return must(this.#opened, `a replica of partition ${this.id}`)
  }

  get replica(): Replica {
    return this.opened.replica
  }

  get state(): State {
    return this.opened.state
  }

  /** The first entry that its log here still has. */
  get firstIndex(): LogIndex {
    return this.opened.segments.firstIndex
  }

  /** The last entry that its state shows; 0 before there is a replica here. */
  get applied(): LogIndex {
    return this.#opened?.state.applied ?? 0
  }

  /** True while this node's replica leads, as far as it knows. */
  get leads(): boolean {
    return this.#opened?.replica.leads === true
  }

  /** The log time, as this node knows it; it goes on where the partition is led. */
  logTime(): number {
    return this.replica.logTime()
  }

  /** See `Replica.recordTime`. */
  recordTime(unloggedMsMax: number): void {
    this.replica.recordTime(unloggedMsMax)
  }

  /** The version that the documents of the entry at index have. */
  versionAt(index: LogIndex): Version {
    return this.replica.versionAt(index)
  }

  /** Has the command decided, and answers when its outcome is known. */
  submit(ticket: Ticket): void {
    if (this.#resending !== undefined && isAskedTicket(ticket)) this.#resending.submit(ticket)
    else this.replica.submit(ticket)
  }

  /** Submits a command of the store's own: see `call`. */
  call(command: Command, sender: object, isForgotten?: () => boolean): Promise<Done> {
    return call(ticket => this.submit(ticket), command, sender, isForgotten)
  }

  /**
   * Goes on when the state here shows everything that was acknowledged before this call, by whichever node.
   * In a cluster it is tried until then, or until `isForgotten` says that nobody waits.
   */
  readBarrier(passed: Passed, isForgotten: () => boolean = () => false): void {
    this.replica.readBarrier(error => {
      if (error === undefined || !this.#mayAgain(error) || isForgotten()) passed(this.#told(error))
      else this.#clock.after(pauseMs, () => this.readBarrier(passed, isForgotten))
    })
  }

  /** The read barrier as a promise. */
  readable(isForgotten?: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.readBarrier(error => (error === undefined ? resolve() : reject(error)), isForgotten)
    })
  }

  /** True once nobody waits for anything here: the node closes, or has stopped. */
  get isClosed(): boolean {
    return this.#closed !== undefined
  }

  /** No caller waits for another attempt any more. */
  close(error: SillokError): void {
    this.#closed ??= error
    this.#resending?.close(error)
  }

  /** Who waited for a leader, or another replica, at a node that ends is told that it ends. */
  #told(error: SillokError | undefined): SillokError | undefined {
    return error !== undefined && isPassing(error) ? (this.#closed ?? error) : error
  }

  /** Of a group nobody may lead for a while, and a replica that ends makes room for another one. */
  #mayAgain(error: SillokError): boolean {
    if (this.#resending === undefined || this.#closed !== undefined) return false
    return isPassing(error)
  }
}

function isPassing(error: SillokError): boolean {
  return isSillokError(error, 'NOT_LEADER') || isSillokError(error, 'LEADERSHIP_LOST')
}
