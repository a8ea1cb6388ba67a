/**
 * Has commands decided by whoever leads, however often that changes: what was refused because nobody led, or
 * somebody else, or never left this node, is sent again when a leader is known.
 *
 * A command whose outcome is unknown (its answer was lost, with a node or a connection) is sent again only if
 * a second time changes nothing: a write under a session's number or a request id, and what names its own
 * effect. Any other one is answered with what is known. Once an attempt may have taken effect, no later one
 * says of the command that it was not applied.
 *
 * Commands of one sender are sent in call order, and again in that order: while one waits, later ones wait
 * behind it. What was on its way at the moment of a change may be decided before one that was refused then.
 */
import { type Code, SillokError, withUnknownOutcome } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Clock } from '../env/clock.js'
import { type AskedCommand, isAsked } from '../machine/command-codec.js'
import { errorOf, type Reply } from '../machine/reply.js'
import type { Ticket } from './admission.js'

/** A command that can be asked for from elsewhere, and its asker. */
export type AskedTicket = Ticket & { readonly command: AskedCommand }

/** True if its command may be asked for from elsewhere. */
export function isAskedTicket(ticket: Ticket): ticket is AskedTicket {
  return isAsked(ticket.command)
}

/** What resending works with. */
export interface ResendingOptions {
  readonly clock: Clock
  /** Has it decided by who leads now, as far as is known; answers once. */
  readonly send: (ticket: AskedTicket) => void
}

/** One command until its answer. */
interface Attempt extends AskedTicket {
  readonly asked: AskedTicket
  readonly number: number
  /** An earlier attempt may have taken effect. */
  isUncertain: boolean
}

/** From a refusal to the next attempt. */
const pauseMs = 50

/** Refusals that say nothing of the command, only of who was asked. */
const ofTheMoment: ReadonlySet<Code> = new Set<Code>(['NOT_LEADER', 'LEADERSHIP_LOST', 'UNAVAILABLE'])

/** Refusals of writes of which nothing is kept: an earlier attempt may have had another answer. */
const ofOneAttempt: ReadonlySet<Code> = new Set<Code>(['FENCED', 'WINDOW_FULL', 'REQUEST_IDS_FULL'])

/** What a second time would do again, also over what others did meanwhile, or answer otherwise. */
const once: ReadonlySet<AskedCommand['type']> = new Set([
  'define',
  'unsubscribe',
  'rebuildIndex',
  'setNodeRole',
])

/** The commands of one partition that this node asks for. */
export class Resending {
  readonly #options: ResendingOptions
  /** By sender, in call order: refused, or behind such a one. */
  readonly #waiting = new Map<object, Attempt[]>()
  #count = 0
  #number = 0
  #isDue = false
  #closed: SillokError | undefined

  constructor(options: ResendingOptions) {
    this.#options = options
  }

  /** Has the command decided; the answer is a reply, or an error that another attempt would not change. */
  submit(asked: AskedTicket): void {
    if (this.#closed !== undefined) {
      asked.answer(this.#closed)
      return
    }
    const attempt = this.#attemptAt(asked)
    if (this.#waiting.has(asked.sender)) this.#wait(attempt)
    else this.#options.send(attempt)
  }

  /** Who waits for another attempt is answered; nothing is sent any more. */
  close(error: SillokError): void {
    this.#closed = error
    const all = [...this.#waiting.values()].flat()
    this.#waiting.clear()
    this.#count = 0
    for (const { asked, isUncertain } of all) asked.answer(isUncertain ? withUnknownOutcome(error) : error)
  }

  #attemptAt(asked: AskedTicket): Attempt {
    const { command, sender, bytes } = asked
    const attempt: Attempt = {
      asked,
      command,
      sender,
      bytes,
      number: ++this.#number,
      isUncertain: false,
      answer: result => this.#answered(attempt, result),
    }
    return attempt
  }

  #answered(attempt: Attempt, result: Reply | SillokError): void {
    const { asked, command } = attempt
    if (!(result instanceof SillokError)) {
      asked.answer(attempt.isUncertain ? sureOf(command, result) : result)
      return
    }
    const isUnknown = result.outcome === 'unknown'
    const mayGoAgain = ofTheMoment.has(result.code) && (!isUnknown || isRepeatable(command))
    if (mayGoAgain && asked.isForgotten !== true && this.#closed === undefined) {
      attempt.isUncertain ||= isUnknown
      this.#wait(attempt)
    } else asked.answer(attempt.isUncertain ? withUnknownOutcome(result) : result)
  }

  #wait(attempt: Attempt): void {
    const { sender, asked, isUncertain } = attempt
    if (this.#count >= limits.pendingCommandsMax) {
      const error = new SillokError('OVERLOADED', `${this.#count} commands wait for a leader`)
      asked.answer(isUncertain ? withUnknownOutcome(error) : error)
      return
    }
    const lane = this.#waiting.get(sender) ?? []
    const before = lane.findLastIndex(other => other.number < attempt.number)
    lane.splice(before + 1, 0, attempt)
    this.#waiting.set(sender, lane)
    this.#count += 1
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isDue) return
    this.#isDue = true
    this.#options.clock.after(pauseMs, () => {
      this.#isDue = false
      this.#sendAgain()
    })
  }

  /** What nobody waits for any more is left at what is known of it. */
  #sendAgain(): void {
    const lanes = [...this.#waiting.values()]
    this.#waiting.clear()
    this.#count = 0
    for (const attempt of lanes.flat()) {
      const { asked, isUncertain, sender } = attempt
      if (asked.isForgotten === true) {
        const error = new SillokError('UNAVAILABLE', 'no leader decided this before its deadline')
        asked.answer(isUncertain ? withUnknownOutcome(error) : error)
      } else if (this.#waiting.has(sender)) this.#wait(attempt)
      else this.#options.send(attempt)
    }
  }
}

/** What is known of the command if this is the answer to a later attempt. */
function sureOf({ type }: AskedCommand, reply: Reply): Reply | SillokError {
  if (reply.ok || (type === 'write' && !ofOneAttempt.has(reply.code))) return reply
  return withUnknownOutcome(errorOf(reply))
}

/** True if a second time changes nothing, and gives the same answer. */
function isRepeatable(command: AskedCommand): boolean {
  if (command.type === 'write') return command.mark !== undefined || command.request !== undefined
  return !once.has(command.type)
}
