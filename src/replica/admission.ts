/**
 * The way in for commands on the leader: queue, prefetch, decide, propose.
 *
 * Commands of one sender are decided in call order; one that waits for its rows holds back only that sender's
 * later ones. Deciding and proposing are one synchronous step, in one term; what must be read from disk is
 * loaded before. Everything that arrives in one turn of the event loop shares its load and its entry in
 * the log's batch. While two loads of a sender are under way, what comes is gathered for the next one; and
 * when a command needs more rows, which only loaded ones name, those that the commands behind it need are
 * loaded with them: so neither the number of senders nor the order of arrival makes loads small.
 */
import { must } from '../base/assert.js'
import { SillokError } from '../base/errors.js'
import { groupBy } from '../base/group-by.js'
import { limits } from '../base/limits.js'
import type { RowKey } from '../codec/row.js'
import type { Clock } from '../env/clock.js'
import type { Command } from '../machine/command.js'
import type { Loaded } from '../state/loaded.js'
import type { Asker } from './waiters.js'

/** A command on its way, and who asked. */
export interface Ticket extends Asker {
  readonly command: Command
  /** Commands with the same sender are decided in call order. */
  readonly sender: object
  /** What the command weighs against the limit of waiting bytes. */
  readonly bytes: number
  /** True once nobody waits for the answer any more. */
  readonly isForgotten?: boolean
}

/** What came of trying to decide a ticket. */
export type Verdict =
  | { readonly type: 'settled' }
  | { readonly type: 'load'; readonly keys: readonly RowKey[] }
  /** Cannot go on before this resolves: room in the log, or a session to be opened. */
  | { readonly type: 'wait'; readonly until: Promise<void> }

/** The part of the replica that decides. */
export interface Decider {
  /** Adds the keys of this command's rows that are not in memory. */
  missing(command: Command, keys: RowKey[]): void
  load(keys: readonly RowKey[]): Promise<Loaded>
  loadSync(keys: readonly RowKey[]): Loaded
  /** Decides and proposes, or says what is missing. */
  decide(ticket: Ticket, loaded: readonly Loaded[]): Verdict
  /** The rows that `decide` would find missing now; nothing is proposed. */
  needs(ticket: Ticket, loaded: readonly Loaded[]): readonly RowKey[]
  /** Nothing that was proposed waits for its answer. */
  readonly isIdle: boolean
  /** Called after tickets were decided: what they proposed may go out. */
  decided(): void
  /** Told of what must not happen: the replica stops. */
  failed(error: unknown): void
}

/** Tickets of one sender that are loaded together. */
interface Batch {
  readonly tickets: readonly Ticket[]
  readonly loading: Promise<Loaded> | undefined
  /** Place of the first ticket that is not decided. */
  next: number
  /** What that ticket waits for, if it was tried already. */
  tried: Verdict | undefined
  /** Tickets before this place were asked what more they need. */
  asked: number
}

/** What one sender has on its way. */
interface Lane {
  /** The first one is decided, when it is loaded. */
  readonly batches: Batch[]
  /** They wait until fewer loads are under way. */
  gathered: Ticket[]
  running: boolean
}

/** Batches of one sender that are loaded at the same time. */
const batchesMax = 2

/** Tickets that one turn takes on; more wait for the next, so that other work gets its share. */
const turnTicketsMax = 1024

/** The queue of one partition on its leader. */
export class Admission {
  readonly #clock: Clock
  readonly #decider: Decider
  readonly #lanes = new Map<object, Lane>()
  #arrived: Ticket[] = []
  #scheduled = false
  /** The last turn had one ticket: commands come one by one. */
  #lone = true
  #waitingBytes = 0
  #waitingCount = 0
  #refusal: SillokError | undefined

  constructor(clock: Clock, decider: Decider) {
    this.#clock = clock
    this.#decider = decider
  }

  /** Refuses every new command with this error; undefined: lets them in again. */
  set refusal(error: SillokError | undefined) {
    this.#refusal = error
  }

  get waitingCount(): number {
    return this.#waitingCount
  }

  /** Takes a command in, or answers at once why not. */
  submit(ticket: Ticket): void {
    const refusal = this.#refusal ?? this.#overload(ticket)
    if (refusal !== undefined) {
      ticket.answer(refusal)
      return
    }
    this.#waitingBytes += ticket.bytes
    this.#waitingCount += 1
    this.#arrived.push(ticket)
    // One who waits for each answer before the next command need not wait for a turn as well.
    if (this.#lone && this.#waitingCount === 1 && this.#decider.isIdle) this.#turn()
    else this.#schedule()
  }

  /** Answers everything that was not decided yet: it never will be, nor will what comes later. */
  fail(error: SillokError): void {
    this.#refusal = new SillokError(error.code, error.message, { outcome: 'not-applied', cause: error })
    const waiting = this.#arrived.splice(0)
    for (const lane of this.#lanes.values()) {
      for (const batch of lane.batches.splice(0)) waiting.push(...batch.tickets.slice(batch.next))
      waiting.push(...lane.gathered.splice(0))
    }
    this.#lanes.clear()
    for (const ticket of waiting) {
      this.#leave(ticket)
      ticket.answer(this.#refusal)
    }
  }

  #overload(ticket: Ticket): SillokError | undefined {
    const full =
      this.#waitingCount >= limits.pendingCommandsMax ||
      (this.#waitingCount > 0 && this.#waitingBytes + ticket.bytes > limits.pendingBytesMax)
    if (!full) return undefined
    return new SillokError('OVERLOADED', `${this.#waitingCount} commands wait, ${this.#waitingBytes} bytes`)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#clock.soon(() => {
      this.#scheduled = false
      this.#turn()
    })
  }

  #turn(): void {
    const tickets = this.#arrived.splice(0, turnTicketsMax)
    if (tickets.length > 0) this.#lone = tickets.length === 1
    if (this.#arrived.length > 0) this.#schedule()
    for (const [sender, own] of groupBy(tickets, ({ sender }) => sender)) this.#enqueue(sender, own)
    this.#decider.decided()
  }

  #enqueue(sender: object, tickets: Ticket[]): void {
    const lane = this.#lanes.get(sender) ?? { batches: [], gathered: [], running: false }
    this.#lanes.set(sender, lane)
    if (lane.batches.length >= batchesMax) {
      lane.gathered.push(...tickets)
      return
    }
    const missing = this.#missing(tickets)
    const idle = !lane.running && lane.batches.length === 0
    if (idle && missing.length === 0) {
      this.#decideAtOnce(lane, sender, tickets, [])
    } else if (idle && tickets.length === 1) {
      this.#decideLone(lane, sender, tickets, missing)
    } else {
      this.#load(lane, tickets, missing)
      this.#start(lane, sender)
    }
  }

  #missing(tickets: readonly Ticket[]): RowKey[] {
    const missing: RowKey[] = []
    for (const ticket of tickets) this.#decider.missing(ticket.command, missing)
    return missing
  }

  #load(lane: Lane, tickets: readonly Ticket[], missing: readonly RowKey[]): void {
    const loading = missing.length > 0 ? this.#decider.load(missing) : undefined
    loading?.catch(() => {})
    lane.batches.push({ tickets, loading, next: 0, tried: undefined, asked: 0 })
  }

  /** A batch is done: what was gathered becomes the next one. */
  #loadGathered(lane: Lane): void {
    if (lane.gathered.length === 0 || lane.batches.length >= batchesMax) return
    const tickets = lane.gathered.splice(0, turnTicketsMax)
    this.#load(lane, tickets, this.#missing(tickets))
  }

  /** A lone command reads its rows at once: cheaper than a trip through the pool of threads. */
  #decideLone(lane: Lane, sender: object, tickets: readonly Ticket[], missing: readonly RowKey[]): void {
    try {
      const loaded = this.#decider.loadSync(missing)
      this.#decideAtOnce(lane, sender, tickets, [loaded])
      loaded.release()
    } catch (error) {
      this.#lanes.delete(sender)
      for (const ticket of tickets) this.#reject(ticket, error)
    }
  }

  /** Nothing to wait for: decided in this very turn; what still has to wait goes the long way. */
  #decideAtOnce(lane: Lane, sender: object, tickets: readonly Ticket[], held: readonly Loaded[]): void {
    for (const [next, ticket] of tickets.entries()) {
      const tried = this.#decide(ticket, held)
      if (tried.type === 'settled') continue
      lane.batches.push({ tickets, loading: undefined, next, tried, asked: next })
      this.#start(lane, sender)
      return
    }
    this.#lanes.delete(sender)
  }

  #start(lane: Lane, sender: object): void {
    if (lane.running) return
    lane.running = true
    this.#run(lane).then(
      () => {
        lane.running = false
        if (lane.batches.length === 0) this.#lanes.delete(sender)
        else this.#start(lane, sender)
      },
      error => this.#decider.failed(error),
    )
  }

  async #run(lane: Lane): Promise<void> {
    for (let batch = lane.batches[0]; batch !== undefined; batch = lane.batches[0]) {
      const held: Loaded[] = []
      try {
        if (batch.loading !== undefined) held.push(await batch.loading)
      } catch (error) {
        this.#rejectAll(lane, batch, error)
      }
      while (lane.batches[0] === batch && batch.next < batch.tickets.length) {
        await this.#decideSome(lane, batch, held)
      }
      for (const loaded of held) loaded.release()
      if (lane.batches[0] === batch) lane.batches.shift()
      this.#loadGathered(lane)
      this.#decider.decided()
    }
  }

  /** Decides on until something must be waited for, and waits for it. */
  async #decideSome(lane: Lane, batch: Batch, held: Loaded[]): Promise<void> {
    while (batch.next < batch.tickets.length) {
      const ticket = must(batch.tickets[batch.next], 'a ticket')
      const verdict = batch.tried ?? this.#decide(ticket, held)
      batch.tried = undefined
      if (verdict.type === 'settled') {
        batch.next += 1
        continue
      }
      this.#decider.decided()
      try {
        if (verdict.type === 'wait') await verdict.until
        else held.push(await this.#decider.load(this.#withNext(batch, verdict.keys, held)))
      } catch (error) {
        if (lane.batches[0] !== batch) return
        batch.next += 1
        this.#reject(ticket, error)
      }
      return
    }
  }

  /** Those keys, and what the tickets behind this one need besides; each of them is asked once. */
  #withNext(batch: Batch, keys: readonly RowKey[], held: readonly Loaded[]): readonly RowKey[] {
    const { tickets, next, asked } = batch
    if (asked >= tickets.length) return keys
    batch.asked = tickets.length
    const others = tickets.slice(next + 1).flatMap(ticket => this.#decider.needs(ticket, held))
    return others.length === 0 ? keys : [...new Set([...keys, ...others])]
  }

  #rejectAll(lane: Lane, batch: Batch, error: unknown): void {
    if (lane.batches[0] !== batch) return
    for (; batch.next < batch.tickets.length; batch.next++) {
      this.#reject(must(batch.tickets[batch.next], 'a ticket'), error)
    }
  }

  #decide(ticket: Ticket, held: readonly Loaded[]): Verdict {
    const verdict = this.#decider.decide(ticket, held)
    if (verdict.type === 'settled') this.#leave(ticket)
    return verdict
  }

  #reject(ticket: Ticket, error: unknown): void {
    if (!(error instanceof SillokError)) throw error
    this.#leave(ticket)
    ticket.answer(error)
  }

  #leave(ticket: Ticket): void {
    this.#waitingBytes -= ticket.bytes
    this.#waitingCount -= 1
  }
}
