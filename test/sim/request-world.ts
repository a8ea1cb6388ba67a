/**
 * Clients whose answers get lost: each request has an id, its process is crashed or forgets the answer, and
 * the next process asks for the outcome, sends the request again, or both, in any order. Whatever is told
 * must be what was told first, and in the log each request has its effect once, or not at all.
 */
import { limits } from '../../src/base/limits.js'
import { Random } from '../../src/base/random.js'
import type { Environment } from '../../src/env/environment.js'
import { isSillokError } from '../../src/index.js'
import { Store } from '../../src/store/store.js'
import { Mortal } from './mortal.js'
import { retentionLimits } from './small-limits.js'

export interface RequestWorldOptions {
  readonly seed: string
  /** The world ends when so many answers were given and forgotten, and a tenth as many requests cut off. */
  readonly lost: number
}

export interface RequestReport {
  crashes: number
  /** Answers that were given and forgotten, and requests that were cut off. */
  forgotten: number
  cutOff: number
  outcomes: Record<string, number>
}

interface Document {
  readonly id: string
  readonly by: string
  readonly tag?: string
  readonly n?: number
}

/** What a request came to, in a form that can be compared. */
type Answer = string

interface Request {
  readonly id: string
  readonly key: string
  /** Changes of documents that it makes when it takes effect. */
  readonly effects: number
  readonly send: (store: Store) => Promise<{ readonly version: number } | undefined>
  /** What was told first, by an answer or an outcome; undefined: nothing yet. */
  first: Answer | undefined
  /** The function of an update ran. */
  calls: number
}

const requestsPerLife = 24
const keyCount = 10
const definition = { key: 'id', unique: { tag: { fields: ['tag'] } } } as const

export class RequestWorld {
  readonly report: RequestReport = { crashes: 0, forgotten: 0, cutOff: 0, outcomes: {} }
  readonly #options: RequestWorldOptions
  readonly #random: Random
  readonly #mortal: Mortal
  readonly #requests: Request[] = []
  #lost: Request[] = []
  #serial = 0

  constructor(options: RequestWorldOptions) {
    this.#options = options
    this.#random = new Random(options.seed)
    this.#mortal = new Mortal({ ...options, random: this.#random })
  }

  async run(): Promise<RequestReport> {
    const { lost } = this.#options
    await this.#mortal.run(
      () => this.report.forgotten >= lost && this.report.cutOff >= lost / 10,
      (env, last) => this.#live(env, last),
    )
    return this.report
  }

  /** Clears up what the lives before left open, sends new requests, and dies on the way or after them. */
  async #live(env: Environment, last: boolean): Promise<void> {
    const { machine } = this.#mortal
    const life = async (): Promise<void> => {
      const store = await Store.open(env, 'data', {}, this.#limits())
      await store.define('rows', definition)
      // Also while it clears up what the life before left.
      if (!last && this.#random.chance(0.3)) machine.crashAt(1 + this.#random.below(100), 'any')
      await Promise.all(this.#lost.map(request => this.#clearUp(store, request)))
      this.#lost = []
      if (last) await this.#checkLog(store)
      if (last) return await store.close()
      const mode = this.#random.pick(['all', 'none', 'any'] as const)
      if (this.#random.chance(0.6)) machine.crashAt(1 + this.#random.below(20), mode)
      const requests = Array.from({ length: requestsPerLife }, () => this.#make(store))
      // Lost until it is cleared up: also if the process dies before it was sent.
      this.#lost = requests
      await Promise.all(requests.map(request => this.#forget(store, request)))
      machine.crash(mode)
    }
    const before = this.#lost
    await this.#mortal.orCrash(life)
    if (last) return
    this.report.crashes += 1
    // A crash while clearing up leaves the rest for the next life; what was told is remembered.
    if (this.#lost !== before)
      this.report.cutOff += this.#lost.filter(({ first }) => first === undefined).length
  }

  /** Sends it; the answer goes to nobody but the one who compares. */
  async #forget(store: Store, request: Request): Promise<void> {
    this.#tell(request, await this.#answer(store, request))
    this.report.forgotten += 1
  }

  async #clearUp(store: Store, request: Request): Promise<void> {
    const retry = async (): Promise<void> => {
      const { calls, first } = request
      this.#tell(request, await this.#answer(store, request))
      if (first !== undefined && request.calls !== calls)
        throw new Error(`${request.id}: ran its function again`)
    }
    const ask = async (): Promise<void> => this.#tell(request, await this.#outcome(store, request))
    const steps = this.#random.pick([[ask, retry], [retry, ask], [ask], [retry], [ask, retry, retry, ask]])
    for (const step of steps) await step()
  }

  #tell(request: Request, answer: Answer): void {
    request.first ??= answer
    if (request.first === answer) return
    throw new Error(`${request.id} on ${request.key}: told ${request.first} first, and now ${answer}`)
  }

  async #answer(store: Store, request: Request): Promise<Answer> {
    try {
      const answer = await request.send(store)
      return answer === undefined ? 'nothing' : `version ${answer.version}`
    } catch (error) {
      if (!isSillokError(error) || error.outcome !== 'not-applied') throw error
      return error.code === 'REQUEST_FENCED' ? 'fenced' : error.code
    }
  }

  async #outcome(store: Store, { id, key }: Request): Promise<Answer> {
    const outcome = await store.outcome(id, { collection: 'rows', key })
    const { state } = outcome
    this.report.outcomes[state] = (this.report.outcomes[state] ?? 0) + 1
    if (outcome.state === 'committed') return `version ${outcome.version}`
    return outcome.state === 'refused' ? outcome.error.code : 'fenced'
  }

  #make(store: Store): Request {
    const random = this.#random
    const id = random.chance(0.5) ? store.requestId() : `request ${this.#serial}`
    const key = random.chance(0.3) ? `new ${this.#serial}` : `k${random.below(keyCount)}`
    this.#serial += 1
    const tag = `tag ${random.below(20)}`
    const options = { requestId: id }
    const document: Document = { id: key, by: id, tag }
    const isInSession = random.chance(0.3)
    const rows = async (on: Store) => (isInSession ? await on.session() : on).collection<Document>('rows')
    const verbs: Record<string, { effects: number; send: Request['send'] }> = {
      insert: { effects: 1, send: async on => (await rows(on)).insert(document, options) },
      put: { effects: 1, send: async on => (await rows(on)).put(document, options) },
      delete: { effects: 0, send: async on => (await rows(on)).delete(key, options) },
      update: {
        effects: 1,
        send: async on =>
          (await rows(on)).update(
            key,
            before => {
              request.calls += 1
              return { id: key, by: id, n: (before?.n ?? 0) + 1 }
            },
            options,
          ),
      },
      batch: {
        effects: 2,
        send: on =>
          on.batch(
            [
              { put: document, in: 'rows' },
              { insert: { id: `${id} too`, by: id }, in: 'rows' },
            ],
            options,
          ),
      },
    }
    const verb = random.pick(Object.values(verbs))
    const request: Request = { id, key, ...verb, first: undefined, calls: 0 }
    this.#requests.push(request)
    return request
  }

  /** The log says how often each request took effect, and with which version. */
  async #checkLog(store: Store): Promise<void> {
    const effects = new Map<string, number[]>()
    for await (const { document, version } of store.changes<Document>({ from: 'start', follow: false })) {
      if (document !== undefined) effects.set(document.by, [...(effects.get(document.by) ?? []), version])
    }
    for (const { id, first, effects: expected } of this.#requests) {
      const versions = effects.get(id) ?? []
      const committed = first?.startsWith('version ') === true
      const right = committed
        ? versions.length === expected && versions.every(version => `version ${version}` === first)
        : first === undefined || versions.length === 0
      if (!right) throw new Error(`${id} was told ${first}, and took effect as ${versions}`)
    }
    const wrongSlots = await store.scrub()
    if (wrongSlots.length > 0) throw new Error(`digests of slots ${wrongSlots} do not fit the rows`)
  }

  /** Small limits, so that rows of request ids are flushed and must be loaded again. */
  #limits(): Partial<typeof limits> {
    const small = {
      walFileBytesEmbedded: 3 * (limits.walBatchBytesMax + 64 * 1024),
      segmentCutBytes: 20_000,
      segmentSyncBytes: 5000,
      memtableBytesMax: this.#random.pick([500, 4000]),
      checkpointEntriesMax: this.#random.pick([20, 100]),
      checkpointPauseMs: this.#random.pick([1, 50]),
      ...retentionLimits(this.#random),
      // At the end the whole log says what took effect.
      retainBytes: 1e9,
    }
    return small as unknown as Partial<typeof limits>
  }
}
