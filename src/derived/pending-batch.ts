/**
 * One batch of changes on its way into an index: which of them are new to it, what the index does about them,
 * and what is then written.
 *
 * Nothing is written here; what is collected goes into one batch of the key-value store afterwards.
 */
import { assert } from '../base/assert.js'
import { SillokError } from '../base/errors.js'
import type { LogIndex, Version } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import { type DocumentKey, decodeKey } from '../base/tuple.js'
import type { Document } from '../codec/document.js'
import type { IndexChange, IndexOps } from './contract.js'
import type { DocumentChange } from './document-change.js'
import { type ParkedChange, parkedKey, sealParked } from './parked.js'
import {
  checkedValue,
  noBytes,
  type StoredNote,
  sealNote,
  sealValue,
  spaceKey,
  spaces,
} from './stored-value.js'

/** A change that the index did not take. */
export interface Refused {
  readonly as: 'parked' | 'skipped'
  readonly message: string
}

/** A change that is new to the index, with the note that its document will have. */
export class PendingChange implements IndexChange {
  readonly noteKey: Buffer
  readonly keyBytes: Buffer
  readonly version: Version
  readonly document: Document | undefined
  readonly note: Buffer | undefined
  /** The note that the document has afterwards. */
  left: Buffer | undefined
  /** The index holds something of the document. */
  readonly isHeld: boolean
  /** It was left out before this change. */
  readonly wasSkipped: boolean
  /** Its row, if it was parked before this change. */
  readonly parked: ParkedChange | undefined
  #refused: Refused | undefined
  #key: DocumentKey | undefined

  constructor(
    change: DocumentChange,
    noteKey: Buffer,
    known: StoredNote | undefined,
    parked: ParkedChange | undefined,
  ) {
    this.noteKey = noteKey
    this.version = change.version
    this.document = change.document
    this.note = known?.note
    this.left = known?.note
    this.isHeld = known !== undefined && !known.isGone && !known.isSkipped
    this.wasSkipped = known?.isSkipped === true
    this.parked = parked
    this.keyBytes = change.keyBytes
  }

  /** False for the deletion of a document of which the index holds nothing. */
  get isTold(): boolean {
    return this.document !== undefined || this.isHeld
  }

  /** Why the index did not take it, and what becomes of it. */
  get refused(): Refused | undefined {
    return this.#refused
  }

  /** It is told to the index, perhaps again: what came of it before is forgotten. */
  begin(): void {
    this.left = this.note
  }

  /** The index did not take it. */
  refuse(as: Refused['as'], message: string): void {
    this.#refused = { as, message }
  }

  /** The same document, as if it was deleted by this change. */
  asGone(): PendingChange {
    const { keyBytes, version, note } = this
    const known = { version, isGone: false, isSkipped: false, note }
    return new PendingChange({ keyBytes, version, document: undefined }, this.noteKey, known, undefined)
  }

  get key(): DocumentKey {
    this.#key ??= decodeKey(this.keyBytes)
    return this.#key
  }
}

/** Rows to write: puts and deletes in order; of several for one key the last holds. */
export class PendingBatch implements IndexOps {
  readonly keys: Buffer[] = []
  /** By place in `keys`; undefined: the row goes. */
  readonly values: (Buffer | undefined)[] = []
  /** Keys and values so far. */
  bytes = 0
  readonly #limits: Limits
  #applied = false

  constructor(limits: Limits) {
    this.#limits = limits
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#check(key, 'key', this.#limits.indexKeyBytesMax, key)
    this.#check(value, 'value', this.#limits.indexValueBytesMax, key)
    const name = spaceKey(spaces.row, key)
    this.add(name, sealValue(name, value))
  }

  delete(key: Uint8Array): void {
    this.#check(key, 'key', this.#limits.indexKeyBytesMax, key)
    this.add(spaceKey(spaces.row, key), undefined)
  }

  note(change: IndexChange, note: Uint8Array | undefined): void {
    assert(!this.#applied, 'an index writes after it has returned')
    assert(change instanceof PendingChange, 'a note for something that is no change of this batch')
    if (note !== undefined) this.#check(note, 'note', this.#limits.indexValueBytesMax, change.noteKey)
    change.left = note === undefined ? undefined : Buffer.from(note)
  }

  /** `apply` has returned: later calls are refused. */
  end(): void {
    this.#applied = true
  }

  /**
   * Notes what is known of the changed documents from now on. A deleted one leaves nothing, or, during a
   * build, a note that it is gone, so that the build does not bring back an older form of it. One that was
   * not taken is parked, in a batch of that position, or its note says that it was skipped.
   */
  leaveNotes(changes: readonly PendingChange[], building: boolean, position: LogIndex): void {
    for (const change of changes) {
      const { noteKey, version, document, left, refused, parked } = change
      if (refused?.as === 'parked') {
        this.#park(change, refused.message, position)
        continue
      }
      if (parked !== undefined) this.add(parkedKey(change.keyBytes), undefined)
      if (refused !== undefined) {
        this.add(noteKey, sealNote(noteKey, { version, isGone: false, isSkipped: true, note: undefined }))
      } else if (document !== undefined) {
        this.add(noteKey, sealNote(noteKey, { version, isGone: false, note: left }))
      } else if (building) {
        this.add(noteKey, sealNote(noteKey, { version, isGone: true, note: undefined }))
        const goneKey = spaceKey(spaces.gone, noteKey.subarray(1))
        this.add(goneKey, sealValue(goneKey, noBytes))
      } else {
        this.add(noteKey, undefined)
      }
    }
  }

  #park({ keyBytes, version, document, parked }: PendingChange, message: string, position: LogIndex): void {
    const key = parkedKey(keyBytes)
    const since = parked?.since ?? position
    this.add(key, sealParked(key, { version, since, isGone: document === undefined, message }))
  }

  /** What it does about rows of the index, in order: their keys, and values unless they go. */
  *rows(): Generator<readonly [key: Buffer, value: Buffer | undefined]> {
    for (const [at, key] of this.keys.entries()) {
      if (key[0] !== spaces.row) continue
      const stored = this.values[at]
      yield [key.subarray(1), stored && checkedValue(key, stored)]
    }
  }

  /** All that the other one does, after what is here. */
  take(other: PendingBatch): void {
    for (const [at, key] of other.keys.entries()) this.add(key, other.values[at])
  }

  /** One row of any space. */
  add(key: Buffer, stored: Buffer | undefined): void {
    this.keys.push(key)
    this.values.push(stored)
    this.bytes += key.length + (stored?.length ?? 0)
  }

  #check(bytes: Uint8Array, what: string, limit: number, key: Uint8Array): void {
    assert(!this.#applied, 'an index writes after it has returned')
    if (bytes.length <= limit) return
    const name = Buffer.from(key.subarray(0, 40)).toString('hex')
    const message = `a ${what} of ${bytes.length} bytes in an index, key ${name}…; at most ${limit}`
    throw new SillokError('INVALID', message, { details: { what, key: name, bytes: bytes.length, limit } })
  }
}
