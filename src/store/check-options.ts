/**
 * What a call may not ask for. Callers in JavaScript have no types, so every option is looked at before
 * anything is done: one that is mistyped or stands in the wrong place must not quietly mean something else.
 *
 * An option that is given as undefined is not given. The check is on the way of every write: a call without
 * options costs one comparison.
 */
import { SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { isWellFormed } from '../base/text.js'
import type {
  CallOptions,
  ChangesOptions,
  CollectionOptions,
  DefineOptions,
  FindOptions,
  InsertManyOptions,
  InsertOptions,
  PageOptions,
  ReadOptions,
  RequestOptions,
  ScanOptions,
  SessionOptions,
  StopOptions,
  ViolationsOptions,
  WriteOptions,
} from './options.js'
import type { SearchOptions } from './search-types.js'

/** The names of the options that a call takes. */
export type OptionNames = ReadonlySet<string>

/** What a call has that was given no options. */
export const noOptions: CallOptions = Object.freeze({})

/** Names of all options of that type: one that lacks does not compile. */
function names<T>(all: Readonly<Record<keyof T, true>>): OptionNames {
  return new Set(Object.keys(all))
}

const call = { deadlineMs: true, signal: true } as const
const read = { ...call, level: true } as const
const find = { ...read, onBehind: true } as const
const bounds = { gte: true, gt: true, lt: true, lte: true, prefix: true } as const

/** What each kind of call takes. */
export const optionNames = {
  call: names<CallOptions>(call),
  request: names<RequestOptions>({ ...call, requestId: true }),
  rows: names<InsertManyOptions>({ ...call, requestId: true, sequence: true }),
  insert: names<InsertOptions>({ ...call, sequence: true, requestId: true }),
  write: names<WriteOptions>({ ...call, ifVersion: true, sequence: true, requestId: true }),
  read: names<ReadOptions>(read),
  scan: names<ScanOptions>({ ...read, ...bounds, reverse: true, limit: true }),
  find: names<FindOptions>(find),
  page: names<PageOptions>({ ...find, limit: true, cursor: true }),
  stop: names<StopOptions>({ signal: true }),
  search: names<SearchOptions>({
    ...find,
    limit: true,
    cursor: true,
    match: true,
    prefix: true,
    where: true,
    highlight: true,
  }),
  violations: names<ViolationsOptions>({ ...read, limit: true, after: true }),
  changes: names<ChangesOptions>({ collection: true, from: true, follow: true, name: true, signal: true }),
  collection: names<CollectionOptions<unknown>>({ validate: true }),
  define: names<DefineOptions>({ ...call, drop: true }),
  session: names<SessionOptions & CallOptions>({ ...call, name: true, numbering: true, input: true }),
} as const

const levels = ['linearizable', 'session', 'stale']

/** Why the call is not even begun, if so: INVALID, or ABORTED by its signal (not applied). */
export function callRefusal(options: CallOptions, allowed: OptionNames): SillokError | undefined {
  if (options === noOptions) return undefined
  const unknown = unknownOption(options, allowed)
  if (unknown !== undefined) return unknown
  const { deadlineMs, signal } = options
  const wrong = deadlineRefusal(deadlineMs)
  if (wrong !== undefined) return wrong
  if (signal === undefined) return undefined
  if (typeof signal?.addEventListener !== 'function') {
    return invalid(`signal must be an AbortSignal, not ${show(signal)}`)
  }
  if (!signal.aborted) return undefined
  const message = 'the signal was aborted before the call'
  return new SillokError('ABORTED', message, { outcome: 'not-applied', cause: signal.reason })
}

/** INVALID for what is no object of options, and for one that has another name than the allowed ones. */
export function unknownOption(options: unknown, allowed: OptionNames): SillokError | undefined {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return invalid(`options must be an object, not ${show(options)}`)
  }
  for (const name in options) {
    if (allowed.has(name)) continue
    return invalid(`unknown option ${show(name)}; allowed are ${[...allowed].join(', ')}`)
  }
  return undefined
}

/** Throws as `callRefusal` says. */
export function checkCall(options: CallOptions, allowed: OptionNames): void {
  const refusal = callRefusal(options, allowed)
  if (refusal !== undefined) throw refusal
}

/** Throws ABORTED (not applied) once the signal says stop: between the rows of what is read. */
export function checkSignal({ signal }: CallOptions, what: string): void {
  if (!signal?.aborted) return
  const message = `the signal stopped ${what}`
  throw new SillokError('ABORTED', message, { outcome: 'not-applied', cause: signal.reason })
}

/** Throws INVALID for what is no deadline. */
export function checkDeadline(deadlineMs: unknown): void {
  const refused = deadlineRefusal(deadlineMs)
  if (refused !== undefined) throw refused
}

function deadlineRefusal(ms: unknown): SillokError | undefined {
  if (ms === undefined || (typeof ms === 'number' && Number.isFinite(ms) && ms > 0)) return undefined
  return invalid(`deadlineMs must be a positive number of milliseconds, not ${show(ms)}`)
}

/** Throws INVALID for a level that does not exist, or as `callRefusal` says. */
export function checkRead(options: ReadOptions, allowed = optionNames.read): void {
  checkCall(options, allowed)
  const { level } = options
  if (level !== undefined && !levels.includes(level)) {
    throw invalid(`level must be one of ${levels.join(', ')}, not ${show(level)}`)
  }
}

/** Throws INVALID unless limit, reverse and prefix are what their types say; as `checkRead` for the rest. */
export function checkScan(options: ScanOptions): void {
  checkRead(options, optionNames.scan)
  const { limit, reverse, prefix, gte, gt, lt, lte } = options
  for (const [name, bound] of Object.entries({ gte, gt, lt, lte })) {
    if (bound === null) throw invalid(`${name} is null; leave it out`)
  }
  const whole = limit === Number.POSITIVE_INFINITY || Number.isInteger(limit)
  if (limit !== undefined && !(whole && limit >= 0)) {
    throw invalid(`limit must be a whole number from 0, not ${show(limit)}`)
  }
  if (reverse !== undefined && typeof reverse !== 'boolean') {
    throw invalid(`reverse must be true or false, not ${show(reverse)}`)
  }
  if (prefix !== undefined && typeof prefix !== 'string') {
    throw invalid(`prefix must be a text, not ${show(prefix)}`)
  }
}

/** Throws INVALID unless `onBehind` is what its type says; as `checkRead` for the rest. */
export function checkFind(options: FindOptions, allowed = optionNames.find): void {
  checkRead(options, allowed)
  const { onBehind } = options
  if (onBehind !== undefined && onBehind !== 'wait' && onBehind !== 'error') {
    throw invalid(`onBehind must be 'wait' or 'error', not ${show(onBehind)}`)
  }
}

/** Throws INVALID unless limit and cursor are what their types say; as `checkFind` for the rest. */
export function checkPage(options: PageOptions): void {
  checkFind(options, optionNames.page)
  const { limit, cursor } = options
  // One more is asked for than a page holds.
  const isPage = Number.isSafeInteger(limit) && limit !== Number.MAX_SAFE_INTEGER
  if (limit !== undefined && !(isPage && limit >= 1)) {
    const allowed = `a whole number from 1 to ${Number.MAX_SAFE_INTEGER - 1}`
    throw invalid(`findPage: limit must be ${allowed}, not ${show(limit)}`)
  }
  checkCursor(cursor)
}

/** Throws INVALID unless limit and cursor are what their types say; as `checkFind` for the rest. */
export function checkSearch(options: SearchOptions): void {
  checkFind(options, optionNames.search)
  const { limit, cursor } = options
  const most = limits.searchHitsMax
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1 && limit <= most)) {
    throw invalid(`search: limit must be a whole number from 1 to ${most}, not ${show(limit)}`)
  }
  checkCursor(cursor)
}

function checkCursor(cursor: unknown): void {
  if (cursor === undefined || typeof cursor === 'string') return
  throw invalid(`cursor must be the text that the page before gave, not ${show(cursor)}`)
}

/** Throws INVALID unless limit and after are what their types say; as `checkRead` for the rest. */
export function checkViolations(options: ViolationsOptions): void {
  checkRead(options, optionNames.violations)
  const { limit, after } = options
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1)) {
    throw invalid(`limit must be a whole number from 1, not ${show(limit)}`)
  }
  if (after !== undefined && typeof after !== 'string') {
    throw invalid(`after must be the text that the page before gave, not ${show(after)}`)
  }
}

/** Throws INVALID unless the options of a feed are what their types say. An aborted signal may be given. */
export function checkChanges(options: ChangesOptions): void {
  const unknown = unknownOption(options, optionNames.changes)
  if (unknown !== undefined) throw unknown
  const { from, follow, name, signal } = options
  if (from !== undefined && typeof from !== 'string') {
    throw invalid(`from must be now, start, or a position, not ${show(from)}`)
  }
  if (follow !== undefined && typeof follow !== 'boolean') {
    throw invalid(`follow must be true or false, not ${show(follow)}`)
  }
  if (name !== undefined) checkFeedName(name)
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw invalid(`signal must be an AbortSignal, not ${show(signal)}`)
  }
}

/** Throws INVALID for what is no name of a feed. */
export function checkFeedName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || name === '' || !isWellFormed(name)) {
    throw invalid(`the name of a feed must be a non-empty, well-formed text, not ${show(name)}`)
  }
  const bytes = Buffer.byteLength(name)
  const allowed = limits.subscriptionNameBytesMax
  if (bytes > allowed) throw invalid(`the name of a feed has ${bytes} bytes, ${allowed} allowed`)
}

/** Throws INVALID unless `drop` is what its type says; as `callRefusal` for the rest. */
export function checkDefine(options: DefineOptions): void {
  checkCall(options, optionNames.define)
  const { drop } = options
  if (drop !== undefined && typeof drop !== 'boolean') {
    throw invalid(`drop must be true or false, not ${show(drop)}`)
  }
}

/** Throws INVALID or TOO_LARGE for what no session can be opened with; as `callRefusal` for the rest. */
export function checkSession(options: SessionOptions & CallOptions): void {
  checkCall(options, optionNames.session)
  const { name, numbering, input } = options
  if (name !== undefined && (typeof name !== 'string' || name === '')) {
    throw invalid(`the name of a session is a non-empty string, not ${show(name)}`)
  }
  if (name !== undefined && !isWellFormed(name)) {
    throw invalid('the name of a session must be well-formed text')
  }
  if (name !== undefined && Buffer.byteLength(name) > limits.sessionNameBytesMax) {
    throw tooLarge(`the name of a session has at most ${limits.sessionNameBytesMax} bytes`)
  }
  if (numbering !== undefined && numbering !== 'library' && numbering !== 'caller') {
    throw invalid(`numbering is 'library' or 'caller', not ${show(numbering)}`)
  }
  if (input !== undefined && (typeof input !== 'string' || numbering !== 'caller')) {
    throw invalid('input: a string, for a caller-numbered session')
  }
  if (input !== undefined && Buffer.byteLength(input) > limits.sessionInputBytesMax) {
    throw tooLarge(`input: at most ${limits.sessionInputBytesMax} bytes, a digest of the input`)
  }
}

/** The schema in the options of a collection, if there is one. Throws INVALID for what is no such options. */
export function checkCollection<S>(options: Partial<CollectionOptions<S>> | undefined): S | undefined {
  if (options === undefined) return undefined
  const unknown = unknownOption(options, optionNames.collection)
  if (unknown !== undefined) throw unknown
  return options.validate
}

/** Throws INVALID for what can be the name of no collection. */
export function checkCollectionName(name: unknown): void {
  if (typeof name !== 'string' || name === '') {
    throw invalid(`the name of a collection is a non-empty string, not ${show(name)}`)
  }
}

/** Throws INVALID for what can be the name of no index. */
export function checkIndexName(name: unknown): void {
  if (typeof name === 'string' && name !== '') return
  throw invalid(`the name of an index is a non-empty string, not ${show(name)}`)
}

/** A value as a message names it: text in quotes, nothing that is long. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

/** INVALID with that message. */
export function invalid(message: string): SillokError {
  return new SillokError('INVALID', message)
}

function tooLarge(message: string): SillokError {
  return new SillokError('TOO_LARGE', message)
}
