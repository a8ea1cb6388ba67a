/**
 * What is known of one document that a single client writes, each time on condition of the version that it
 * knows: which values were acknowledged, which may have been written, which never were.
 */
import { assert } from '../../../src/base/assert.js'
import { decodeDocument } from '../../../src/codec/document.js'
import type { Row } from '../../../src/codec/row.js'
import { documentBytes } from '../../../src/machine/documents.js'

export interface Known {
  readonly version: number
  readonly value: number
}

export class Register {
  readonly key: string
  /** The newest form that somebody has seen, or that was acknowledged; undefined: none was. */
  known: Known | undefined
  #attempts = 0
  /** Values whose outcome nobody knows. */
  readonly #unknown = new Set<number>()
  readonly #never = new Set<number>()
  #isKnown = true
  /** A conflict was told of this version: a newer one is there. */
  #superseded = -1

  constructor(key: string) {
    this.key = key
  }

  /** False while an earlier write may or may not have been done: who writes now may meet it. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  /** The value of the next write. */
  attempt(): number {
    this.#attempts += 1
    return this.#attempts
  }

  written(value: number, version: number): void {
    const isNewer = this.known === undefined || version > this.known.version || this.known.value === value
    assert(
      isNewer,
      () => `${this.key}: ${value} is acknowledged with ${version}, behind ${this.known?.version}`,
    )
    this.known = { version, value }
  }

  unknown(value: number): void {
    this.#unknown.add(value)
    this.#isKnown = false
  }

  never(value: number): void {
    this.#never.add(value)
  }

  /** A refusal is an answer of the state: another form is there, or another document has the tag. */
  refused(value: number, code: string, base: Known | undefined): void {
    assert(code === 'CONFLICT' || code === 'UNIQUE_TAKEN', () => `${this.key}: refused with ${code}`)
    if (code === 'CONFLICT') this.#superseded = base?.version ?? 0
    assert(
      code !== 'CONFLICT' || this.#unknown.size > 0,
      () => `${this.key}: a conflict, and nobody else writes it`,
    )
    if (code === 'CONFLICT') this.#isKnown = false
    this.never(value)
  }

  /** Somebody read this, linearizably, after `floor` had been known. */
  seen(row: Row | null, floor: Known | undefined): void {
    const version = row?.version ?? 0
    assert(
      version >= (floor?.version ?? 0),
      () => `${this.key}: a read shows version ${version}, ${floor?.version} was known before`,
    )
    assert(version > this.#superseded, () => `${this.key}: version ${version} is there, and made no conflict`)
    if (row !== null) {
      const value = decodeDocument(documentBytes(row.value))['value'] as number
      assert(!this.#never.has(value), () => `${this.key}: ${value} was refused, and is there`)
      const isSame = floor !== undefined && floor.version === version
      assert(!isSame || floor.value === value, () => `${this.key}: version ${version} changed its value`)
      if (version > (this.known?.version ?? 0)) {
        assert(
          this.#unknown.has(value) || value === this.#attempts,
          () => `${this.key}: ${value} from nowhere`,
        )
        this.known = { version, value }
      }
    }
    this.#isKnown = true
  }
}
