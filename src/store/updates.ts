/**
 * Read, compute and put, if the document has not changed meanwhile.
 *
 * Between any two steps deadline or signal may end the wait: then nothing more is computed or sent. Updates
 * of one store to one key take turns, so they spend no tries on each other; one that nobody waits for any
 * more gives its turn away, for what it computes may never end.
 */
import { isSillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { RowKey } from '../codec/row.js'
import type { Operation, RequestMark } from '../machine/command.js'
import type { Asking, Waiting } from './asking.js'
import type { KeyLocks } from './key-locks.js'
import type { CallOptions, Versioned } from './options.js'
import type { Requests } from './requests.js'
import { type Writer, written } from './writer.js'

/** What `update` makes of a document of `T`; undefined: nothing is to be written. */
export type ChangeDocument<T, In = T> = (document: T | undefined) => In | undefined | Promise<In | undefined>

/** What updates go through. */
export interface UpdatesParts {
  readonly writer: Writer
  readonly asking: Asking
  readonly locks: KeyLocks
  readonly requests: Requests
}

/** One document, and how it is read and made anew. */
export interface Updated<T, In> {
  readonly rowKey: RowKey
  readonly change: ChangeDocument<T, In>
  readonly current: () => Promise<Versioned<T> | undefined>
  /** The new document as it is to be stored. */
  readonly passed: (document: In) => T | Promise<T>
  readonly operation: (document: T, was: Versioned<T> | undefined) => Operation
}

/** The options and arguments are checked. `request`: whatever comes of it is kept under its id. */
export async function update<T, In>(
  parts: UpdatesParts,
  document: Updated<T, In>,
  options: CallOptions,
  request: RequestMark | undefined,
): Promise<Versioned<T> | undefined> {
  const { asking, locks } = parts
  let giveUp = (): void => {}
  const givenUp = new Promise<void>(resolve => {
    giveUp = resolve
  })
  const work = (waiting: Waiting): Promise<Versioned<T> | undefined> => {
    const task = (): Promise<Versioned<T> | undefined> =>
      request === undefined
        ? updatePlainly(parts, document, options, waiting)
        : updateOnce(parts, document, options, waiting, request)
    return locks.run(document.rowKey, task, givenUp)
  }
  try {
    return await asking.until(work, options)
  } finally {
    giveUp()
  }
}

/** Ends early, with undefined, when nobody waits any more. */
async function updatePlainly<T, In>(
  { writer }: UpdatesParts,
  updated: Updated<T, In>,
  options: CallOptions,
  waiting: Waiting,
): Promise<Versioned<T> | undefined> {
  for (let tries = 1; !waiting.settled; tries++) {
    const was = await updated.current()
    if (waiting.settled) break
    const document = await changed(updated, was, waiting)
    if (document === undefined || waiting.settled) break
    try {
      const operation = updated.operation(document, was)
      const { version } = await writer.write([operation], options, written, undefined)
      return { document, version }
    } catch (error) {
      if (!isSillokError(error, 'CONFLICT') || tries === limits.updateTriesMax) throw error
    }
  }
  return undefined
}

/** The same for a request with an id: whatever comes of it is kept, also that nothing was to be written. */
async function updateOnce<T, In>(
  { writer, requests }: UpdatesParts,
  updated: Updated<T, In>,
  options: CallOptions,
  waiting: Waiting,
  request: RequestMark,
): Promise<Versioned<T> | undefined> {
  const { rowKey } = updated
  const kept = await requests.kept(request, writer, options)
  if (kept !== undefined) return await requests.updated<T>(rowKey, kept)
  for (let tries = 1; !waiting.settled; tries++) {
    const was = await updated.current()
    if (waiting.settled) break
    const document = await changed(updated, was, waiting)
    if (waiting.settled) break
    const operations = document === undefined ? [] : [updated.operation(document, was)]
    const isLast = tries === limits.updateTriesMax
    const mark = isLast ? request : { ...request, isRetriedOnConflict: true }
    try {
      // Another sender may have been first: what is answered is what was written then.
      return await requests.updated<T>(rowKey, await writer.write(operations, options, done => done, mark))
    } catch (error) {
      if (!isSillokError(error, 'CONFLICT') || isLast) throw error
    }
  }
  return undefined
}

/** What the change makes of the document, as it is to be stored; undefined: nothing. */
async function changed<T, In>(
  { change, passed }: Updated<T, In>,
  was: Versioned<T> | undefined,
  waiting: Waiting,
): Promise<T | undefined> {
  const document = await change(was?.document)
  if (document === undefined || waiting.settled) return undefined
  const stored = passed(document)
  return stored instanceof Promise ? await stored : stored
}
