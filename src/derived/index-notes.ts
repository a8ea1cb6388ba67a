/**
 * What an index store knows of documents: which changes are new to it, and how deleted ones are cleared away.
 *
 * While the build goes on, a deleted document leaves a note that says so, and its key in a list of its own.
 * When the build is done, each batch removes some of them with their keys; a crash leaves the rest for
 * later.
 */
import type { Limits } from '../base/limits.js'
import type { KeyValueStore } from '../env/key-value.js'
import type { DocumentChange } from './document-change.js'
import { nameOf, type ParkedKeys } from './parked.js'
import { type PendingBatch, PendingChange } from './pending-batch.js'
import { openNote, spaceKey, spaces } from './stored-value.js'

/** What was found when the store was opened. */
export interface FoundNotes {
  /** No document with a greater encoded key has a note; undefined: none has. */
  readonly highestNote: Buffer | undefined
  /** Notes of deleted documents may be there. */
  readonly mayHaveGone: boolean
}

/** The notes of one open store. */
export class IndexNotes {
  readonly #store: KeyValueStore
  readonly #limits: Limits
  #highest: Buffer | undefined
  #mayHaveGone: boolean
  #sweptTo: Buffer = Buffer.from([spaces.gone])

  constructor(store: KeyValueStore, found: FoundNotes, limits: Limits) {
    this.#store = store
    this.#limits = limits
    this.#highest = found.highestNote
    this.#mayHaveGone = found.mayHaveGone
  }

  /**
   * Those of the changes, at most one per document, that are newer than what is known of their documents,
   * parked ones included; with `isRetry` those that are parked, in the very version that is.
   * Rejects with DAMAGED.
   */
  async news(
    changes: readonly DocumentChange[],
    parked: ParkedKeys,
    isRetry: boolean,
  ): Promise<PendingChange[]> {
    const noteKeys = changes.map(({ keyBytes }) => spaceKey(spaces.note, keyBytes))
    const asked = noteKeys.filter((_, at) => this.#mayBeKnown(changes[at]?.keyBytes))
    const found = asked.length === 0 ? [] : await this.#store.getMany(asked)
    const news: PendingChange[] = []
    let next = 0
    for (const [at, change] of changes.entries()) {
      const noteKey = noteKeys[at]
      if (noteKey === undefined) continue
      const stored = noteKey === asked[next] ? found[next++] : undefined
      const known = stored && openNote(noteKey, stored)
      const aside = parked.size === 0 ? undefined : parked.get(nameOf(change.keyBytes))
      const isNew = isRetry
        ? aside?.version === change.version
        : Math.max(known?.version ?? 0, aside?.version ?? 0) < change.version
      if (isNew) {
        news.push(new PendingChange(change, noteKey, known, aside))
      }
    }
    return news
  }

  /** The notes of these changes were written, while the build went on or after it. */
  left(news: readonly PendingChange[], building: boolean): void {
    for (const { noteKey, document, refused } of news) {
      if (refused?.as === 'parked') continue
      const keyBytes = noteKey.subarray(1)
      if (!this.#mayBeKnown(keyBytes)) this.#highest = keyBytes
      if (building && document === undefined) this.#mayHaveGone = true
    }
  }

  /** Clears away notes of deleted documents, `limits.indexSweepRows` at most. For a built index only. */
  async sweep(swept: PendingBatch): Promise<void> {
    if (!this.#mayHaveGone) return
    // Goes on after the last one: stepping over deleted rows is as slow as over others.
    const listed = this.#store.iterate({ gt: this.#sweptTo, lt: Buffer.from([spaces.gone + 1]) })
    try {
      const page = await listed.next(this.#limits.indexSweepRows)
      const noteKeys = page.map(([goneKey]) => spaceKey(spaces.note, goneKey.subarray(1)))
      const notes = page.length === 0 ? [] : await this.#store.getMany(noteKeys)
      for (const [at, [goneKey]] of page.entries()) {
        const [noteKey, stored] = [noteKeys[at], notes[at]]
        swept.add(goneKey, undefined)
        if (noteKey === undefined || stored === undefined) continue
        // The document may have come back since.
        if (openNote(noteKey, stored).isGone) swept.add(noteKey, undefined)
      }
      this.#sweptTo = page.at(-1)?.[0] ?? this.#sweptTo
      this.#mayHaveGone = page.length > 0
    } finally {
      await listed.close()
    }
  }

  /** The build gives new documents in the order of their keys: most need no look. */
  #mayBeKnown(keyBytes: Buffer | undefined): boolean {
    if (this.#highest === undefined || keyBytes === undefined) return false
    return Buffer.compare(keyBytes, this.#highest) <= 0
  }
}
