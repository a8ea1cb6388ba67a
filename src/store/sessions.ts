/** The sessions that are open in this process: opens them, and tells meta now and then that they live. */
import { asUnknown } from '../base/errors.js'
import type { Limits } from '../base/limits.js'
import type { Timer } from '../env/clock.js'
import type { Environment } from '../env/environment.js'
import { lowWaterOf } from '../machine/reply.js'
import type { Host } from '../replica/host.js'
import type { CallOptions, SessionOptions } from './options.js'
import { Session, type SessionParts } from './session.js'

/** What sessions work with. */
export interface SessionsParts extends Pick<SessionParts, 'asking' | 'batches' | 'collection'> {
  readonly env: Environment
  readonly host: Host
  readonly limits: Pick<Limits, 'sessionIdleMs'>
}

/** How often in the life of an idle session a live one tells meta that it lives. */
const keepAlives = 4

/** The sessions of one store. */
export class Sessions {
  readonly #parts: SessionsParts
  readonly #open = new Set<Session>()
  #timer: Timer | undefined
  /** Without a leader it may take long: then it is not told twice. */
  #isTelling = false

  constructor(parts: SessionsParts) {
    this.#parts = parts
    this.#keepAlive()
  }

  /** How many are open. */
  get count(): number {
    return this.#open.size
  }

  /** Opens a session, or resumes the named one; not for a caller whose wait ended before it was begun. */
  async open(given: SessionOptions & CallOptions): Promise<Session> {
    // As they are at the call: the object is the caller's.
    const options = { ...given }
    let opening: Promise<Session> | undefined
    try {
      return await this.#parts.asking.until(waiting => {
        opening = this.#begin(options, () => waiting.settled)
        return opening
      }, options)
    } catch (error) {
      // Nobody has it who comes too late: it must not be kept alive.
      opening?.then(session => session.close()).catch(() => {})
      throw error
    }
  }

  async #begin(options: SessionOptions, isForgotten: () => boolean): Promise<Session> {
    const { env, host, asking, batches, collection } = this.#parts
    const { name, numbering = 'library', input } = options
    const nonce = env.random.bytes(16).toString('hex')
    const handle = await host.sessions.register({ nonce, name, numbering, input }, isForgotten)
    try {
      await host.sessions.open(host.data, handle.session)
      // What older holders had released may be logged, and not be known here yet.
      if (numbering === 'caller') await host.data.readable()
    } catch (error) {
      // Meta has logged it. One that has no name is nobody's; a name is taken from its older holders.
      if (name === undefined) host.sessions.end(handle).catch(() => {})
      throw asUnknown(error)
    }
    const session = new Session(options, {
      asking,
      batches,
      collection,
      directory: host.sessions,
      handle,
      lowWater: this.#resumeFrom(handle.session),
      closed: closed => this.#open.delete(closed),
    })
    this.#open.add(session)
    return session
  }

  /** Tells nobody any more that they live. */
  stop(): void {
    this.#timer?.stop()
  }

  /** The highest lowWater that any slot has logged for the session. */
  #resumeFrom(session: number): number {
    const { windows } = this.#parts.host.data.state
    let highest = 1
    for (let slot = 0; slot < 256; slot++) {
      for (const row of windows.get(slot, session)?.rows ?? []) highest = Math.max(highest, lowWaterOf(row))
    }
    return highest
  }

  #keepAlive(): void {
    const { env, host, limits } = this.#parts
    const tell = (): void => {
      if (host.failure !== undefined) return
      this.#keepAlive()
      const handles = [...this.#open].map(({ id, epoch }) => ({ session: id, epoch }))
      if (handles.length === 0 || this.#isTelling) return
      this.#isTelling = true
      const told = (): void => {
        this.#isTelling = false
      }
      host.sessions.keepAlive(handles).then(told, told)
    }
    this.#timer = env.clock.after(limits.sessionIdleMs / keepAlives, tell, { idle: true })
  }
}
