/**
 * The feed of changes: every change of every document, in the order in which the log has them, from any place
 * in the log on.
 *
 * A reader keeps the position of the last change that it has dealt with, and goes on behind it: no gap, no
 * change twice. A named feed leaves that to the store: what its holder acknowledged is never told again,
 * what it did not acknowledge is, also after a crash. It has one holder: whoever begins to read it last.
 */
import { createHash } from 'node:crypto'
import { SillokError } from '../base/errors.js'
import type { CollectionId } from '../base/ids.js'
import { decodeKey } from '../base/tuple.js'
import { decodeDocument } from '../codec/document.js'
import type { FeedPosition } from '../machine/command.js'
import { subscriptionKey } from '../machine/keys.js'
import type { Done } from '../machine/reply.js'
import type { CollectionSchema } from '../machine/schema.js'
import { decodeSubscription } from '../machine/subscriptions.js'
import type { ChangeFeed, DocumentChange } from '../replica/change-feed.js'
import type { Host } from '../replica/host.js'
import { wasCutShort } from '../replica/replaced.js'
import type { Asking } from './asking.js'
import {
  checkCall,
  checkChanges,
  checkSignal,
  invalid,
  noOptions,
  optionNames,
  show,
} from './check-options.js'
import type { CallOptions, Change, ChangesOptions } from './options.js'
import { piecesUntilAborted } from './until-aborted.js'
import { onAbort } from './wait.js'

/** What a feed reads from. */
export interface ChangesParts {
  readonly host: Host
  readonly asking: Asking
  readonly schemas: () => Iterable<CollectionSchema>
}

/** Store, entry, and changes of it. */
const positionForm = /^([0-9a-f]{12})\.(\d{1,15})\.(\d{1,9})$/

/**
 * The changes that were asked for. Read them once, by `for await` or by `batches`. The log is read piece by
 * piece as they are asked for: a slow reader costs no memory, and is LOG_TRUNCATED if the log was trimmed
 * where it would go on.
 */
export class Changes<T = Record<string, unknown>> implements AsyncIterable<Change<T>> {
  readonly #parts: ChangesParts
  readonly #options: ChangesOptions
  readonly #store: string
  readonly #start: FeedPosition
  readonly #sender = {}
  readonly #names = new Map<CollectionId, string>()
  #epoch: number | undefined
  #begun = false

  /**
   * Use `store.changes()`.
   * @internal
   */
  constructor(parts: ChangesParts, options: ChangesOptions) {
    checkChanges(options)
    this.#parts = parts
    this.#options = { ...options }
    this.#store = createHash('sha256').update(parts.host.origin).digest('hex').slice(0, 12)
    this.#start = this.#startOf(options.from ?? 'now')
    if (options.collection !== undefined) this.#collectionId(options.collection)
  }

  /** Change by change. See `batches`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Change<T>, void> {
    for await (const batch of this.batches()) yield* batch
  }

  /**
   * The changes in pieces, none of them empty; waits for more at the end. Ends by leaving the loop. Rejects
   * with ABORTED (the signal), CLOSED (the store), FENCED (another holder of the name), LOG_TRUNCATED
   * (also if a snapshot of another node replaced the log where it would go on).
   */
  async *batches(): AsyncGenerator<readonly Change<T>[], void> {
    if (this.#begun) throw invalid('a feed is read once: ask for another one')
    this.#begun = true
    const { collection, follow, signal } = this.#options
    const only = collection === undefined ? undefined : this.#collectionId(collection)
    const feed = this.#parts.host.changes(await this.#begin())
    // Of its own: many feeds may have one signal, which complains of many listeners.
    const stop = new AbortController()
    const unlisten = signal && onAbort(signal, reason => stop.abort(reason))
    try {
      for (;;) {
        for await (const piece of this.#applied(feed)) {
          this.#checkHolder()
          const changes = piece.filter(one => only === undefined || one.collection === only)
          if (changes.length > 0) yield changes.map(change => this.#change(change))
          checkSignal(this.#options, 'the reading')
        }
        if (follow === false) return
        await feed.more(stop.signal)
        this.#checkHolder()
      }
    } finally {
      unlisten?.()
    }
  }

  /**
   * For a named feed: everything up to this position is dealt with. When it resolves, no holder of the name
   * will be told of it again. Rejects with FENCED if another holder has taken over, INVALID without a name or
   * before the reading began.
   */
  async acknowledge(position: string, options: CallOptions = noOptions): Promise<void> {
    const { name } = this.#options
    if (name === undefined) throw invalid('acknowledge: this feed has no name')
    if (this.#epoch === undefined) throw invalid('acknowledge: the feed has not begun')
    checkCall(options, optionNames.call)
    const command = {
      type: 'acknowledge',
      name,
      epoch: this.#epoch,
      position: this.#decode(position),
    } as const
    await this.#parts.asking.ask(command, 256, { sender: this.#sender, finish: () => {} }, options)
  }

  /** What is applied now. In the log that takes the place of this one it is read on where it ended here. */
  async *#applied(feed: ChangeFeed): AsyncGenerator<readonly DocumentChange[], void> {
    const { signal } = this.#options
    const { asking, host } = this.#parts
    for (;;) {
      const { replica } = host.data
      try {
        yield* piecesUntilAborted(() => feed.pieces(), { signal }, 'the reading')
        return
      } catch (error) {
        if (!wasCutShort(error, host.data, replica)) throw error
      }
      await asking.until(() => host.data.readable(), { signal }, false)
    }
  }

  /** Where to begin; for a named feed, once it is held. */
  async #begin(): Promise<FeedPosition> {
    const { name, from = 'now', signal } = this.#options
    const { asking, host } = this.#parts
    checkSignal({ signal }, 'the reading')
    if (host.isMember) {
      // What another node told may not have come here yet.
      await asking.until(() => host.data.readable(), { signal }, false)
      if (from !== 'now' && from !== 'start') this.#checkThere(this.#start)
    }
    // The log may have been trimmed since the call.
    const start = from === 'start' ? this.#startOf(from) : this.#start
    if (name === undefined) return start
    const command = { type: 'subscribe', name, start } as const
    const finish = ({ value }: Done): FeedPosition & { epoch: number } => {
      return value as FeedPosition & { epoch: number }
    }
    const { epoch, index, count } = await asking.ask(
      command,
      256,
      { sender: this.#sender, finish },
      { signal },
    )
    this.#epoch = epoch
    return { index, count }
  }

  #startOf(from: string): FeedPosition {
    const { host } = this.#parts
    if (from === 'start') return { index: host.data.firstIndex, count: 0 }
    if (from === 'now') return { index: host.data.applied + 1, count: 0 }
    return this.#decode(from)
  }

  /** Throws NOT_FOUND, or FENCED, once the name is no longer held. */
  #checkHolder(): void {
    const { name } = this.#options
    if (name === undefined || this.#epoch === undefined) return
    const { host } = this.#parts
    // Another node may have answered: this one says nothing of the feed before it shows that entry.
    if (host.data.versionAt(host.data.applied) < this.#epoch) return
    const row = host.data.state.lookup(subscriptionKey(name))
    if (!row) throw new SillokError('NOT_FOUND', `the named feed ${name} was forgotten`)
    if (decodeSubscription(row.value).epoch === this.#epoch) return
    throw new SillokError('FENCED', `the named feed ${name} was taken over by another holder`)
  }

  #change({ collection, keyBytes, version, existed, document, position }: DocumentChange): Change<T> {
    return {
      position: `${this.#store}.${position.index}.${position.count}`,
      collection: this.#name(collection),
      key: decodeKey(keyBytes),
      op: document === undefined ? 'delete' : 'put',
      existed,
      version,
      document: document === undefined ? undefined : (decodeDocument(document) as T),
    }
  }

  #name(collection: CollectionId): string {
    if (!this.#names.has(collection)) {
      for (const { id, name } of this.#parts.schemas()) this.#names.set(id, name)
    }
    return this.#names.get(collection) ?? `collection ${collection}`
  }

  #collectionId(name: string): CollectionId {
    for (const schema of this.#parts.schemas()) if (schema.name === name) return schema.id
    throw new SillokError('NOT_FOUND', `collection ${JSON.stringify(name)} is not defined`)
  }

  #decode(position: string): FeedPosition {
    const found = typeof position === 'string' ? positionForm.exec(position) : null
    if (found === null) throw invalid(`not a position of a feed: ${show(position)}`)
    if (found[1] !== this.#store) throw epochChanged(`the position ${position} is of another store`)
    const decoded = { index: Number(found[2]), count: Number(found[3]) }
    if (!this.#parts.host.isMember) this.#checkThere(decoded)
    return decoded
  }

  /** What was told is in the log, which ends at that entry or behind it. */
  #checkThere({ index, count }: FeedPosition): void {
    const { applied } = this.#parts.host.data
    if (index <= applied) return
    throw epochChanged(`position ${index}.${count} says nothing here: the log ends at entry ${applied}`)
  }
}

function epochChanged(message: string): SillokError {
  return new SillokError('EPOCH_CHANGED', message)
}
