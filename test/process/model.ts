/**
 * What the parent knows of a store whose processes it kills: everything that was acknowledged, and the writes
 * that were in flight. Each key has one write in flight at most.
 */
import type { Change, Known, Line, RowAnswer, Unknown } from './protocol.js'

/** The model as a child is given it. */
export interface Expected {
  readonly items: readonly Known[]
  readonly unknown: readonly Unknown[]
  readonly rows: {
    readonly highest: number
    readonly released: number
    readonly answers: readonly (readonly [number, RowAnswer])[]
  }
}

export class Model {
  readonly #items = new Map<string, { readonly write: number; readonly version: number }>()
  readonly #inFlight = new Map<number, readonly Change[]>()
  readonly #answers = new Map<number, RowAnswer>()
  #highestRow = 0
  #releasedRow = 0
  acknowledged = 0
  refused = 0
  replayed = 0
  /** Writes without an answer that were found done, and not done. */
  foundDone = 0
  foundAbsent = 0

  get inFlightCount(): number {
    return this.#inFlight.size
  }

  expected(): Expected {
    return {
      items: [...this.#items].map(([key, { write, version }]) => [key, write, version]),
      unknown: [...this.#inFlight].map(([operation, changes]) => ({ operation, changes })),
      rows: { highest: this.#highestRow, released: this.#releasedRow, answers: [...this.#answers] },
    }
  }

  /** Takes what a child told; throws when it contradicts what was known. */
  take(line: Line): void {
    switch (line.type) {
      case 'sent':
        this.#inFlight.set(line.operation, line.changes)
        break
      case 'applied':
        this.acknowledged += 1
        this.#apply(line.operation, line.version)
        break
      case 'refused':
        this.refused += 1
        this.#inFlight.delete(line.operation)
        break
      case 'resolved':
        if (line.applied) this.foundDone += 1
        else this.foundAbsent += 1
        if (line.applied) this.#apply(line.operation, line.version ?? 0)
        else this.#inFlight.delete(line.operation)
        break
      case 'rowSent':
        this.#highestRow = Math.max(this.#highestRow, line.row)
        break
      case 'rowAnswered':
        this.acknowledged += 1
        this.#answers.set(line.row, line.answer)
        break
      case 'rowReplayed':
        this.replayed += 1
        break
      case 'released':
        this.#releasedRow = Math.max(this.#releasedRow, line.row)
        break
      default:
        break
    }
  }

  #apply(operation: number, version: number): void {
    for (const [key, write] of this.#inFlight.get(operation) ?? []) {
      const before = this.#items.get(key)
      if (write === null) this.#items.delete(key)
      else {
        if (before !== undefined && version <= before.version) {
          throw new Error(`${key}: version ${version} after ${before.version}`)
        }
        this.#items.set(key, { write, version })
      }
    }
    this.#inFlight.delete(operation)
  }
}
