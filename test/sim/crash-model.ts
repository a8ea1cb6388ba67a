/**
 * What the store must show after a crash: for each document the states that it may be in.
 *
 * An acknowledged change leaves one possible state. One that was in flight at the crash leaves two: before
 * and after. Whatever the reopened store shows is then the only one.
 */
import { isDeepStrictEqual } from 'node:util'

export interface Seen {
  readonly document: object
  /** Undefined while the answer that would tell it was never seen. */
  readonly version: number | undefined
}

/** A document's state: what is stored, or undefined for none. */
export type Possible = Seen | undefined

export class CrashModel {
  readonly #states = new Map<string, readonly Possible[]>()

  /** Keys that were ever written. */
  get keys(): string[] {
    return [...this.#states.keys()]
  }

  /** The states that the document may be in. */
  possible(key: string): readonly Possible[] {
    return this.#states.get(key) ?? [undefined]
  }

  /** The one state of a document with nothing in flight. */
  certain(key: string): Possible {
    const states = this.possible(key)
    if (states.length !== 1) throw new Error(`${key} has ${states.length} possible states`)
    return states[0]
  }

  /** A change is sent: until its answer either state is possible. */
  sent(key: string, after: object | undefined): void {
    const change: Possible = after === undefined ? undefined : { document: after, version: undefined }
    this.#states.set(key, [...this.possible(key), change])
  }

  /** The answer: applied with that version, or refused. */
  answered(key: string, after: object | undefined, version: number | undefined, refused: boolean): void {
    const states = this.possible(key)
    if (refused) this.#states.set(key, [states[0]])
    else this.#states.set(key, [after === undefined ? undefined : { document: after, version }])
  }

  /** What the reopened store shows for the key. Returns what is wrong about it, if anything. */
  recovered(key: string, seen: { document: object; version: number } | undefined): string | undefined {
    const states = this.possible(key)
    const fits = states.some(state => {
      if (state === undefined || seen === undefined) return state === seen
      return (
        isDeepStrictEqual(state.document, seen.document) && (state.version ?? seen.version) === seen.version
      )
    })
    if (!fits) return `${key}: ${JSON.stringify(seen)} is none of ${JSON.stringify(states)}`
    this.#states.set(key, [seen])
    return undefined
  }
}
