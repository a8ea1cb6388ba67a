/**
 * What a store tells by itself: to its listeners, to `node:diagnostics_channel`, and to the logger.
 *
 * Each notice is told once to each of them, in a turn of the event loop of its own: whatever a listener or
 * a logger does, what the store is doing goes on, and its callers never see it. What a listener throws comes
 * out in that turn, as of any emitter; what a logger throws is dropped. What comes up while the store is
 * opened is kept for listeners until they can be there; logger, channels, and the listeners that `open` was
 * given, have it at once.
 */
import { channel } from 'node:diagnostics_channel'
import type { SillokError } from '../base/errors.js'
import type { Clock } from '../env/clock.js'
import { invalid, show } from './check-options.js'

/** Stored bytes were found that fail their check, or are gone. */
export interface DamageNotice {
  /** Where: `state of partition 1`, `index users.byCity`. */
  readonly part: string
  readonly reason: string
  /** It is, or is being, made anew from the log: nothing is lost. */
  readonly repaired: boolean
}

/** An index that lags or stopped. */
export interface IndexNotice {
  readonly collection: string
  readonly index: string
}

/**
 * What a store emits, each with one argument; each is also published on the channel `sillok:<event>`. Those
 * of the opening reach a listener that is added in the turn in which `open` resolves.
 */
export interface StoreEvents {
  /** The store stopped by itself, for this reason: nothing is taken any more. Close it. */
  failed: [error: SillokError]
  /** Derived state was found unusable, for this reason, and is made anew from the log. Nothing is lost. */
  rebuilt: [reason: string]
  /** Stored bytes fail their check, or are gone. The same part and reason are told once. */
  damage: [notice: DamageNotice]
  /** No space is left for the log: new writes are DISK_FULL, those in flight wait. */
  'disk-full': [notice: { readonly message: string }]
  /** There is space again, and what waited went on. */
  'disk-ok': [notice: { readonly fullMs: number }]
  /** The system failed to read, write or sync, and the store stopped: `failed` tells the same. */
  'disk-failed': [notice: { readonly error: SillokError }]
  /** An index has more than `limits.indexLagEntries` to take; once until it has taken half of that. */
  'index-lag': [notice: IndexNotice & { readonly lagEntries: number }]
  /** An index cannot go on, for this reason, and tries again; once until it is up to date, or for another. */
  'index-stopped': [notice: IndexNotice & { readonly reason: string }]
  /** The event loop was held up for longer than `limits.stallMs`: calls, deadlines and timers came late. */
  stall: [notice: { readonly lateMs: number }]
}

/** The name of an event. */
export type StoreEvent = keyof StoreEvents

/** Takes lines of a log, as pino does: what is to be told as an object, and a text. */
export interface Logger {
  /** What helps who looks for a fault. */
  debug(what: object, message: string): void
  /** What happens in a healthy store. */
  info(what: object, message: string): void
  /** What somebody should look at. */
  warn(what: object, message: string): void
  /** What stops something. */
  error(what: object, message: string): void
}

/** How grave a line is. */
export type LogLevel = keyof Logger

/** What each event is in a log; undefined: another event says it. */
const lines: Readonly<Record<StoreEvent, readonly [LogLevel, string] | undefined>> = {
  failed: ['error', 'the store stopped'],
  rebuilt: undefined,
  damage: ['error', 'stored bytes are damaged or gone'],
  'disk-full': ['warn', 'no space is left on the disk'],
  'disk-ok': ['info', 'there is space on the disk again'],
  'disk-failed': undefined,
  'index-lag': ['warn', 'an index lags behind'],
  'index-stopped': ['error', 'an index cannot go on'],
  stall: ['warn', 'the event loop was held up'],
}

/** Parts and reasons that are remembered, so as to be told once. */
const toldMax = 1000

/** Where notices go. */
export interface NoticesParts {
  readonly clock: Clock
  /** Names the store in logs and channels. */
  readonly folder: string
  readonly logger: Logger | undefined
  /** Listeners that `open` was given. */
  readonly given: {
    readonly rebuilt?: ((reason: string) => void) | undefined
    readonly failed?: ((error: SillokError) => void) | undefined
  }
  readonly emit: <E extends StoreEvent>(event: E, ...args: StoreEvents[E]) => void
}

/** Tells what happens to one store. */
export class Notices {
  readonly #parts: NoticesParts
  readonly #damages = new Set<string>()
  /** Until the store is opened: what its listeners are to be told. */
  #held: (() => void)[] | undefined = []

  constructor(parts: NoticesParts) {
    this.#parts = parts
  }

  /** Tells everybody; those who are added when the store is open once they can be there. */
  tell<E extends StoreEvent>(event: E, notice: StoreEvents[E][0]): void {
    const { clock, folder, emit } = this.#parts
    const line = lines[event]
    if (line !== undefined) this.log(line[0], asObject(notice), line[1])
    const to = channel(`sillok:${event}`)
    if (to.hasSubscribers) clock.soon(() => to.publish({ folder, ...asObject(notice) }))
    const given = this.#parts.given[event as 'failed'] as ((notice: unknown) => void) | undefined
    if (given !== undefined) clock.soon(() => given(notice))
    const own = (): void => clock.soon(() => emit(event, ...([notice] as unknown as StoreEvents[E])))
    if (this.#held === undefined) own()
    else this.#held.push(own)
  }

  /** Tells of damage, the first time. */
  damage(notice: DamageNotice): void {
    const key = `${notice.part}: ${notice.reason}`
    if (this.#damages.has(key)) return
    if (this.#damages.size >= toldMax) this.#damages.clear()
    this.#damages.add(key)
    this.tell('damage', notice)
  }

  /** The store is open, after so long: listeners can be there in the next turn. */
  opened(openMs: number): void {
    this.log('info', { openMs: Math.round(openMs) }, 'opened')
    const held = this.#held ?? []
    this.#held = undefined
    for (const tell of held) tell()
  }

  /** A line for the logger alone. */
  log(level: LogLevel, what: object, message: string): void {
    logLine(this.#parts, level, what, message)
  }
}

/** A line for the logger, in a turn of its own; what the logger throws is dropped. */
export function logLine(
  { clock, folder, logger }: Pick<NoticesParts, 'clock' | 'folder' | 'logger'>,
  level: LogLevel,
  what: object,
  message: string,
): void {
  if (logger === undefined) return
  clock.soon(() => {
    try {
      const answer: unknown = logger[level]({ folder, ...what }, message)
      // One that is async may fail later.
      if (answer instanceof Promise) answer.catch(() => {})
    } catch {
      // A log that cannot be written must not stop what it is about.
    }
  })
}

/** A notice as the fields of a message. */
function asObject(notice: unknown): object {
  if (notice instanceof Error) return { error: notice }
  return typeof notice === 'string' ? { reason: notice } : (notice as object)
}

/** Throws INVALID for what is no logger. */
export function checkLogger(logger: unknown): void {
  if (logger === undefined) return
  const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']
  const isLogger = typeof logger === 'object' && logger !== null
  const lacks = levels.find(level => !isLogger || typeof (logger as Partial<Logger>)[level] !== 'function')
  if (lacks === undefined) return
  const what = isLogger ? `one without ${lacks}` : show(logger)
  throw invalid(`logger must have the functions ${levels.join(', ')}, not ${what}`)
}
