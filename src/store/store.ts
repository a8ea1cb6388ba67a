/**
 * The embedded store: one node in this process, opened on a folder.
 *
 * One log per partition is the source of truth; everything here is a thin face over the replicas of the host.
 */
import { EventEmitter } from 'node:events'
import { storeClosed } from '../base/errors.js'
import { slotCount } from '../base/ids.js'
import { type Limits, limits } from '../base/limits.js'
import type { Random } from '../base/random.js'
import { checkRequestId, makeRequestId } from '../base/request-id.js'
import type { DocumentKey } from '../base/tuple.js'
import { slotOfRow } from '../codec/row.js'
import type { ParkedRetry } from '../derived/index-status.js'
import type { ParkedDocument } from '../derived/parked.js'
import type { Environment } from '../env/environment.js'
import type { Done } from '../machine/reply.js'
import { type CollectionSchema, checkDefinition, type Definition } from '../machine/schema.js'
import { Host } from '../replica/host.js'
import type { NamedIndexStatus } from '../replica/indexes.js'
import { Asking } from './asking.js'
import { Batches } from './batches.js'
import { Changes } from './changes.js'
import {
  checkCall,
  checkCollection,
  checkCollectionName,
  checkDefine,
  checkFeedName,
  checkIndexName,
  checkSession,
  checkViolations,
  invalid,
  noOptions,
  optionNames,
  show,
} from './check-options.js'
import { type AnyCollection, Collection, type NoSchema, type SchemaOptions } from './collection.js'
import { constraintStatuses, violationsPage, whenEnforced } from './constraints.js'
import { Counts } from './counts.js'
import { Deadlines } from './deadlines.js'
import { Definer } from './definer.js'
import { definitionOf, type NormalDefinition } from './definition.js'
import type { CheckedDefinition } from './find-types.js'
import { IndexQuestions } from './index-questions.js'
import { IndexTypes } from './index-types.js'
import { KeyLocks } from './key-locks.js'
import { metricsOf, type StoreMetrics } from './metrics.js'
import { Notices, type StoreEvents } from './notices.js'
import { Operations, rowOfKey } from './operations.js'
import type {
  BatchStep,
  CallOptions,
  ChangesOptions,
  CollectionOptions,
  DefineOptions,
  RequestOptions,
  RequestOutcome,
  SessionOptions,
  StopOptions,
  ViolationsOptions,
  ViolationsPage,
  Written,
} from './options.js'
import { ownCopy } from './own-copy.js'
import { Reader } from './reader.js'
import { scrub } from './replaced.js'
import { Requests, unlessAnswered } from './requests.js'
import { Schemas } from './schemas.js'
import type { Session } from './session.js'
import { Sessions } from './sessions.js'
import type { StoreListeners, StoreMember, StoreStatus } from './store-status.js'
import { untilAborted } from './until-aborted.js'
import { type DocumentSchema, type SchemaInput, type SchemaOutput, Validation } from './validation.js'
import { WaitingRoom } from './waiting-room.js'
import { Watch } from './watch.js'
import { PlainWriter, type Writer } from './writer.js'

/**
 * An open store. Its writes, and those of one session, are decided in the order of the calls; those that an
 * async schema looks at, in the order of its answers.
 */
export class Store extends EventEmitter<StoreEvents> implements AsyncDisposable {
  /** The data folder, as it was given; `memory` for a store without files. */
  readonly folder: string
  readonly #env: Environment
  readonly #deadlines: Deadlines
  readonly #schemas = new Schemas(() => this.#host)
  readonly #locks: KeyLocks
  /** Answers of schemas that are waited for. */
  readonly #validations = new WaitingRoom(limits.pendingCommandsMax, 'documents at their schema')
  readonly #indexTypes: IndexTypes
  readonly #operations: Operations
  readonly #idRandom: Random
  readonly #counts = new Counts()
  #host: Host | undefined
  #asking: Asking | undefined
  #definer: Definer | undefined
  #reader: Reader | undefined
  #questions: IndexQuestions | undefined
  #writer: PlainWriter | undefined
  #requests: Requests | undefined
  #batches: Batches | undefined
  #notices: Notices | undefined
  #watch: Watch | undefined
  #sessions: Sessions | undefined
  #closing: Promise<void> | undefined

  private constructor(env: Environment, folder: string, indexTypes: IndexTypes, own: Partial<Limits>) {
    super()
    this.#locks = new KeyLocks(own.waitingUpdatesMax)
    this.#indexTypes = indexTypes
    this.#operations = new Operations(indexTypes)
    this.#env = env
    this.#idRandom = env.random.split('request ids')
    this.folder = folder
    this.#deadlines = new Deadlines(env.clock, own.deadlineMs ?? limits.deadlineMs)
  }

  /**
   * Opens a store in an environment; see `open` for what holds then. `own`: other limits than the usual ones,
   * for simulations. `member`: its node is one of several; then what holds takes a majority of them.
   * @internal
   */
  static async open(
    env: Environment,
    folder: string,
    listeners: StoreListeners = {},
    own: Partial<Limits> = {},
    indexTypes: IndexTypes = new IndexTypes(),
    member?: StoreMember,
  ): Promise<Store> {
    const store = new Store(env, folder, indexTypes, own)
    const beganMs = env.clock.monotonicMs()
    const notices = new Notices({
      clock: env.clock,
      folder,
      logger: listeners.logger,
      given: listeners,
      emit: (event, ...args) => store.emit(event as never, ...(args as never)),
    })
    const indexes = (): readonly NamedIndexStatus[] => store.#host?.status().indexes ?? []
    const watch = new Watch({ clock: env.clock, notices, limits: { ...limits, ...own }, indexes })
    store.#notices = notices
    store.#watch = watch
    const types = indexTypes.byName
    const told = watch.listeners()
    const host = await Host.open({ env, folder, member, limits: own, indexTypes: types, ...told })
    store.#host = host
    const joined = member?.joined?.(host)
    await Promise.all([host.whole(), joined]).catch(error => host.close().then(() => Promise.reject(error)))
    store.#asking = new Asking(host.data, store.#deadlines, store.#counts, reason => watch.damaged(reason))
    store.#definer = new Definer(host, store.#asking, new Asking(host.meta, store.#deadlines))
    store.#reader = new Reader(env.clock, host.data, store.#asking, own.waitingReadsMax)
    store.#writer = new PlainWriter(store.#asking)
    const [asking, operations] = [store.#asking, store.#operations]
    store.#batches = new Batches({ asking, operations, schemaOf: name => store.#schema(name) })
    const writtenAt: Host['writtenAt'] = (key, version) => host.writtenAt(key, version)
    store.#requests = new Requests({ asking, reader: store.#reader, writtenAt })
    store.#questions = new IndexQuestions({
      clock: env.clock,
      host,
      types,
      reader: store.#reader,
      asking: store.#asking,
      waitingMax: own.waitingReadsMax ?? limits.waitingReadsMax,
      schemaOf: name => store.#schema(name),
    })
    store.#sessions = new Sessions({
      env,
      host,
      limits: { ...limits, ...own },
      asking: store.#asking,
      batches: store.#batches,
      collection: (name, options, writer) => store.#collection(name, options, writer),
    })
    notices.opened(env.clock.monotonicMs() - beganMs)
    return store
  }

  /**
   * Creates the collection, or finds it as defined. When it resolves, every partition has logged the
   * definition. The same definition again makes no entry. New indexes and constraints are built from what is
   * there, in the background: `enforced` waits for a constraint. From now on it refuses writes of values that
   * it knows to be held. A constraint with another rule is built beside the old one, which stays until the
   * new one is enforced; so is an index with another configuration, while the old one answers (see
   * `sameQuestions` of its type). What is no longer named goes with `drop`, else that is INVALID, as are
   * another key, and another type of an index.
   * Rejects also with TOO_LARGE (too many collections), TIMED_OUT, ABORTED, CLOSED.
   */
  async define<const D extends Definition>(
    name: string,
    definition: D & CheckedDefinition<D>,
    options: DefineOptions = noOptions,
  ): Promise<void> {
    checkDefine(options)
    // The caller may change its objects while the definition waits for who decides it.
    const checked = ownCopy(this.#indexTypes.configure(name, checkDefinition(name, definition)))
    const { drop = false } = options
    const asked = { type: 'define', name, definition: checked, drop } as const
    await this.#open(this.#definer).define(name, answering => ({ ...asked, answering }), options)
  }

  /**
   * Has the index made again from the documents: when it resolves, that is logged and begun. The old one
   * answers until the new one is built (`status().indexes` shows both), also after the store was closed in
   * between. Rejects with NOT_FOUND, TIMED_OUT, ABORTED, CLOSED.
   */
  async rebuildIndex(collection: string, index: string, options: CallOptions = noOptions): Promise<void> {
    checkCall(options, optionNames.call)
    checkCollectionName(collection)
    checkIndexName(index)
    const asked = { type: 'rebuildIndex', name: collection, index } as const
    await this.#open(this.#definer).define(collection, answering => ({ ...asked, answering }), options)
  }

  /**
   * The documents whose newest change the index could not take and put aside (`onError: 'park'`), in the
   * order of their keys. Rejects with NOT_FOUND, INDEX_FAILED, TIMED_OUT, ABORTED, CLOSED.
   */
  async parked(
    collection: string,
    index: string,
    options: CallOptions = noOptions,
  ): Promise<readonly ParkedDocument[]> {
    return await this.#open(this.#questions).care.parked(collection, index, options)
  }

  /**
   * Tells the index again of the documents that it put aside, after its code was mended; those that it can
   * take now are in it when it resolves. Opening a store does the same. Waits while the index is built.
   * Rejects as `parked` does.
   */
  async retryParked(
    collection: string,
    index: string,
    options: CallOptions = noOptions,
  ): Promise<ParkedRetry> {
    return await this.#open(this.#questions).care.retryParked(collection, index, options)
  }

  /**
   * Resolves when the constraint is enforced: no two documents share a value of it. Rejects with UNIQUE_TAKEN
   * (details: constraint, violations, values) when it is violated, NOT_FOUND when there is none of that name,
   * also if it is dropped meanwhile, DAMAGED when a stored row keeps it from being built; with TIMED_OUT
   * after `deadlineMs` (30 s): the build goes on.
   */
  async enforced(collection: string, constraint: string, options: CallOptions = noOptions): Promise<void> {
    checkCall(options, optionNames.call)
    checkCollectionName(collection)
    const host = this.#open(this.#host)
    const schema = (): CollectionSchema => this.#schema(collection)
    await whenEnforced({ host, asking: this.#open(this.#asking), schema }, constraint, options)
  }

  /**
   * Documents that keep the constraint from being enforced, with the one that holds the value: of n that
   * share one, n - 1; and those whose fields cannot be a value. Change or delete either side, and the list
   * shrinks. Rejects with NOT_FOUND, INVALID.
   */
  async violations(
    collection: string,
    constraint: string,
    options: ViolationsOptions = noOptions,
  ): Promise<ViolationsPage> {
    checkViolations(options)
    checkCollectionName(collection)
    const host = this.#open(this.#host)
    return await this.#open(this.#reader).read(options, () =>
      violationsPage(host.data.state, this.#schema(collection), constraint, options),
    )
  }

  /**
   * The collection of that name; it need not be defined yet, but its methods reject with NOT_FOUND until it
   * is. `T` types its documents; `D`, the type of its definition (written `as const`, else there is little to
   * see), the questions to its secondary indexes: `collection<User, typeof users>('users')`. With a schema
   * (`validate`) its types are what the documents are: `collection('users', { validate: schema })`.
   */
  collection<T extends object = Record<string, unknown>, D = unknown>(
    name: string,
    options?: NoSchema,
  ): Collection<T, D>
  collection<S extends DocumentSchema, D = unknown>(
    name: string,
    options: CollectionOptions<S>,
  ): Collection<SchemaOutput<S>, D, SchemaInput<S>>
  collection(name: string, options?: SchemaOptions): unknown {
    return this.#collection(name, options, undefined)
  }

  /**
   * The definition of the collection in its normal form; undefined if there is none of that name. A
   * definition is seen here at the latest when `define` has resolved. Throws INVALID for what is no name,
   * CLOSED.
   */
  definition(name: string): NormalDefinition | undefined {
    checkCollectionName(name)
    this.#open(this.#host)
    const schema = this.#schemas.all().get(name)
    return schema && definitionOf(schema)
  }

  /**
   * All steps take effect at once, or none: the first step that is refused refuses the batch. Steps see the
   * ones before them. A step that holds a collection object in `in` is shown to its schema. Rejects as the
   * single operations do; with TOO_LARGE for more than
   * `limits.batchCommandsMax` steps, `limits.batchCommandBytesMax` bytes, or `limits.entryBytesMax` of log.
   */
  async batch(steps: readonly BatchStep[], options: RequestOptions = noOptions): Promise<Written> {
    try {
      const writer = this.#open(this.#writer)
      return await this.#open(this.#batches).write(writer, steps, options, optionNames.request)
    } catch (error) {
      throw options?.requestId === undefined ? error : unlessAnswered(error)
    }
  }

  /**
   * A new id for one request, to be kept by the caller before it sends the request: `{ requestId }` with a
   * write makes it take effect once, also after restarts. It holds the wall clock's time: twelve hours later
   * what was not executed is refused.
   */
  requestId(): string {
    return makeRequestId(this.#env.clock.wallMs(), this.#idRandom)
  }

  /**
   * What became of the request with that id; `request` names its collection and key, of a batch those of the
   * first step. If nothing is known of it, it never executes from then on, and only then `fenced` is
   * answered; of a bare text that was forgotten nothing is known. Waits for a request in flight. Rejects with
   * INVALID, NOT_FOUND, REQUEST_ID_EXPIRED (unknown), REQUEST_IDS_FULL, and as writes do.
   */
  async outcome(
    id: string,
    request: { readonly collection: string; readonly key: DocumentKey },
    options: CallOptions = noOptions,
  ): Promise<RequestOutcome> {
    checkCall(options, optionNames.call)
    checkRequestId(id)
    if (typeof request !== 'object' || request === null) {
      throw invalid(`outcome: { collection, key } of the request, not ${show(request)}`)
    }
    checkCollectionName(request.collection)
    const slot = slotOfRow(rowOfKey(this.#schema(request.collection), request.key))
    const writer = this.#open(this.#writer)
    return await this.#open(this.#requests).outcome({ id, slot }, writer, options)
  }

  /**
   * Opens a session, or resumes the named one: then every older holder of the name is fenced in every
   * partition. Rejects with INVALID (also for another numbering than the name has), TOO_LARGE,
   * TOO_MANY_SESSIONS, SESSION_INPUT_CHANGED, REGISTER_TOO_OLD, CLOSED, TIMED_OUT, ABORTED.
   */
  async session(options: SessionOptions & CallOptions = noOptions): Promise<Session> {
    checkSession(options)
    return await this.#open(this.#sessions).open(options)
  }

  /** What the store is and does right now. Also of a closed or failed one. */
  status(): StoreStatus {
    const failure = this.#host?.failure
    const host = this.#host?.status()
    const schemas = this.#schemas.all()
    return {
      folder: this.folder,
      state: failure !== undefined ? 'failed' : this.#closing !== undefined ? 'closed' : 'open',
      failure,
      collections: [...schemas.keys()].sort(),
      sessions: this.#sessions?.count ?? 0,
      wal: host?.wal,
      partitions: host?.partitions ?? [],
      indexes: host?.indexes ?? [],
      constraints: this.#host === undefined ? [] : constraintStatuses(schemas.values(), this.#host),
    }
  }

  /**
   * Digests of all documents, claims and kept replies, as one text, at the applied index of the data
   * partition: equal texts mean equal contents and versions. Which sessions are open is not part of it.
   */
  digest(): string {
    const { state } = this.#open(this.#host).data
    const pairs = state.digests().subarray(0, 2 * slotCount)
    return Buffer.from(pairs.buffer, pairs.byteOffset, pairs.byteLength).toString('hex')
  }

  /**
   * Reads every row of the documents' partition and compares with the digests: numbers of the slots that do
   * not fit, none when all is well; 0 to 255 hold documents, claims and kept replies, 256 the partition's own
   * rows. Takes time in proportion to the rows. Rejects with DAMAGED when a row fails its own check; with
   * UNAVAILABLE if a snapshot of another node replaced the rows meanwhile; ABORTED, CLOSED.
   */
  async scrub(options: StopOptions = noOptions): Promise<readonly number[]> {
    checkCall(options, optionNames.stop)
    const scrubbing = scrub(this.#open(this.#host).data)
    this.#watch?.scrub(scrubbing)
    return await untilAborted(scrubbing, options, 'the scrub')
  }

  /** Numbers for whatever collects them. Throws CLOSED. */
  metrics(): StoreMetrics {
    return metricsOf({
      host: this.#open(this.#host),
      counts: this.#counts,
      timeouts: this.#deadlines.timeouts,
      waiting: {
        waitingReadsCount: this.#open(this.#reader).waiting,
        waitingUpdatesCount: this.#locks.waiting,
        waitingQuestionsCount: this.#open(this.#questions).reader.waiting,
        waitingValidationsCount: this.#validations.count,
      },
      lateMsMax: this.#open(this.#watch).lateMsMax,
    })
  }

  /** The changes of documents, in the order of the log: from now on, or from any place in it. */
  changes<T = Record<string, unknown>>(options: ChangesOptions = {}): Changes<T> {
    const host = this.#open(this.#host)
    const schemas = (): Iterable<CollectionSchema> => this.#schemas.all().values()
    return new Changes<T>({ host, asking: this.#open(this.#asking), schemas }, options)
  }

  /** Forgets the named feed of changes; its holder gets NOT_FOUND. False if there was none. */
  async forgetChanges(name: string, options: CallOptions = noOptions): Promise<boolean> {
    checkFeedName(name)
    checkCall(options, optionNames.call)
    const finish = ({ value }: Done): boolean => (value as { existed: boolean }).existed
    const asking = this.#open(this.#asking)
    return await asking.ask({ type: 'unsubscribe', name }, 256, { sender: this, finish }, options)
  }

  /**
   * Waits for what is in flight, at most 5 s for each of two partitions (else CLOSED_WHILE_WAITING), writes a
   * checkpoint, lets the folder go. Calls after it reject with CLOSED, or throw it if they give no promise.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#sessions?.stop()
    try {
      await this.#host?.close()
      this.#notices?.log('info', {}, 'closed')
    } finally {
      this.#deadlines.close()
      await this.#env.disk.close()
    }
  }

  #open<T>(part: T | undefined): T {
    if (part === undefined || this.#closing !== undefined) throw storeClosed()
    return part
  }

  #collection(name: string, options: SchemaOptions | undefined, writer: Writer | undefined): AnyCollection {
    checkCollectionName(name)
    const validate = checkCollection(options)
    const { data: documents } = this.#open(this.#host)
    const validation = validate === undefined ? undefined : new Validation(name, validate, this.#validations)
    const collection: AnyCollection = new Collection(name, {
      schema: () => this.#schema(name),
      operations: this.#operations,
      writer: writer ?? this.#open(this.#writer),
      reader: this.#open(this.#reader),
      indexReader: this.#open(this.#questions).reader,
      searchReader: this.#open(this.#questions).search,
      asking: this.#open(this.#asking),
      get state() {
        return documents.state
      },
      locks: this.#locks,
      requests: this.#open(this.#requests),
      clock: this.#env.clock,
      validation,
    })
    return this.#open(this.#batches).take(collection, validation)
  }

  #schema(name: string): CollectionSchema {
    if (this.#closing !== undefined) throw storeClosed()
    return this.#schemas.get(name)
  }
}
