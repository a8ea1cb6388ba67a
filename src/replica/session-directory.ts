/**
 * The register of sessions as the rest of the node uses it: register, resume, open in a partition, keep
 * alive, end.
 *
 * Only meta begins and ends sessions. A partition opens one after a linearizable look at meta, and looks
 * again when its cursor has passed that look: an end of the session that came meanwhile is not overlooked.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import type { LogIndex, LogTime, SessionEpoch, SessionId } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { Numbering } from '../machine/command.js'
import { registeredKey, registeredPrefix, uint48FromText } from '../machine/keys.js'
import { decodeRegistered, isIdle, type Registered } from '../machine/registry.js'
import type { Partition } from './partition.js'

/** What a session is registered with. */
export interface Registration {
  readonly nonce: string
  readonly name: string | undefined
  readonly numbering: Numbering
  readonly input: string | undefined
}

/** A session and the epoch under which its holder has it. */
export interface SessionHandle {
  readonly session: SessionId
  readonly epoch: SessionEpoch
}

/** Sessions that one entry may end. */
const endedPerEntryMax = 64
/** Of which one entry may say that they are alive: each is written anew, with its name and its input. */
const keptAlivePerEntryMax = 1024

/** The register of sessions, for the rest of the node. */
export class SessionDirectory {
  readonly #meta: Partition
  readonly #limits: Limits
  readonly #sender = {}

  constructor(meta: Partition, limits: Limits) {
    this.#meta = meta
    this.#limits = limits
  }

  /**
   * Registers a session or resumes a named one; durable when it resolves. Nothing is begun for somebody who
   * is forgotten: it would take the name from whoever resumed it since.
   */
  async register(registration: Registration, isForgotten = (): boolean => false): Promise<SessionHandle> {
    const register = async (issuedAt: LogTime): Promise<SessionHandle> => {
      const command = { type: 'register', issuedAt, ...registration } as const
      const reply = await this.#meta.call(command, this.#sender, isForgotten)
      return reply.value as SessionHandle
    }
    try {
      return await register(this.#meta.logTime())
    } catch (error) {
      // Who does not lead may know the log time of long ago. This is no delayed copy: it may say what is now.
      if (!isSillokError(error, 'REGISTER_TOO_OLD') || isForgotten()) throw error
      return await register(Number(error.details['logTime']))
    }
  }

  /**
   * Makes the partition know the session under the epoch that meta has now: from then on older holders are
   * fenced there. Rejects with SESSION_EXPIRED when meta does not know it.
   */
  async open(target: Partition, session: SessionId): Promise<void> {
    for (;;) {
      const { registered, metaIndex } = await this.#look(session)
      const { epoch, numbering } = registered
      try {
        await target.call({ type: 'openSession', session, epoch, numbering, metaIndex }, {})
        return
      } catch (error) {
        // FENCED: a newer epoch is open already, which the command itself will meet.
        if (isSillokError(error, 'FENCED')) return
        if (!isSillokError(error, 'UNAVAILABLE')) throw error
      }
    }
  }

  /** Notes in meta's log that these sessions are alive; in parts, each of which fits an entry. */
  async keepAlive(sessions: readonly SessionHandle[]): Promise<void> {
    for (let at = 0; at < sessions.length; at += keptAlivePerEntryMax) {
      const part = sessions.slice(at, at + keptAlivePerEntryMax)
      const pairs = part.map(({ session, epoch }) => [session, epoch] as const)
      await this.#meta.call({ type: 'keepAlive', sessions: pairs }, this.#sender)
    }
  }

  /** Ends a session that its holder closes. */
  async end({ session, epoch }: SessionHandle): Promise<void> {
    await this.#meta.call({ type: 'endSessions', sessions: [[session, epoch]], closed: true }, this.#sender)
  }

  /**
   * Ends the sessions that are idle for too long, by meta's log time. While there are any, meta's log is told
   * the time: what passed must not be forgotten at each restart, or idle ones would live for ever.
   */
  async expire(): Promise<void> {
    let isAny = false
    const time = this.#meta.logTime()
    let idle: (readonly [SessionId, SessionEpoch])[] = []
    const end = async (): Promise<void> => {
      if (idle.length === 0) return
      await this.#meta.call({ type: 'endSessions', sessions: idle, closed: false }, this.#sender)
      idle = []
    }
    for await (const page of this.#meta.state.scan({
      gte: registeredPrefix,
      lt: `${registeredPrefix}\xff`,
    })) {
      for (const [key, row] of page) {
        const registered = decodeRegistered(row.value)
        isAny = true
        if (isIdle(registered, time, this.#limits))
          idle.push([uint48FromText(key, registeredPrefix.length), registered.epoch])
        if (idle.length >= endedPerEntryMax) await end()
      }
    }
    await end()
    if (isAny) this.#meta.recordTime(this.#limits.unloggedTimeMsMax)
  }

  async #look(session: SessionId): Promise<{ registered: Registered; metaIndex: LogIndex }> {
    await this.#meta.readable()
    const row = this.#meta.state.lookup(registeredKey(session))
    if (!row) throw new SillokError('SESSION_EXPIRED', `session ${session} has ended`)
    return { registered: decodeRegistered(row.value), metaIndex: this.#meta.applied }
  }
}
