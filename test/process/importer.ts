/**
 * An importer in a process that may be killed: a caller-numbered named session. On resuming it sends
 * everything again from lowWater: what was answered gets the same answer again, the rest takes effect once.
 */

import type { Random } from '../../src/base/random.js'
import { isSillokError, type Session, type Store } from '../../src/index.js'
import { type Row, rowOf } from './items.js'
import type { Expected } from './model.js'
import { type RowAnswer, tell } from './protocol.js'

/** Rows in flight. */
const windowRows = 16

export class Importer {
  readonly #session: Session
  readonly #random: Random
  readonly #answers: Map<number, RowAnswer>
  #next: number

  private constructor(session: Session, random: Random, expected: Expected['rows']) {
    this.#session = session
    this.#random = random
    this.#answers = new Map(expected.answers)
    this.#next = session.lowWater
  }

  /** Resumes the session and sends again what may be sent again. */
  static async resume(store: Store, random: Random, expected: Expected['rows']): Promise<Importer> {
    const session = await store.session({ name: 'import', numbering: 'caller', input: 'digest' })
    if (session.lowWater > expected.released + 1) {
      throw new Error(`resumed at ${session.lowWater}, released ${expected.released}`)
    }
    const importer = new Importer(session, random, expected)
    while (importer.#next <= expected.highest) await importer.#sendSome()
    return importer
  }

  /** Sends new rows until told to stop. */
  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) await this.#sendSome()
  }

  async #sendSome(): Promise<void> {
    const rows: Promise<void>[] = []
    for (let left = this.#random.below(windowRows); left >= 0; left--) rows.push(this.#send(this.#next++))
    await Promise.all(rows)
    if (this.#random.chance(0.2)) {
      tell({ type: 'released', row: this.#next - 1 })
      this.#session.release(this.#next - 1)
    }
  }

  async #send(row: number): Promise<void> {
    tell({ type: 'rowSent', row })
    const answer = await this.#insert(row)
    const first = this.#answers.get(row)
    if (first === undefined) {
      this.#answers.set(row, answer)
      tell({ type: 'rowAnswered', row, answer })
    } else {
      if (first !== answer) throw new Error(`row ${row} was answered ${first}, and now ${answer}`)
      tell({ type: 'rowReplayed' })
    }
  }

  async #insert(row: number): Promise<RowAnswer> {
    try {
      return (await this.#session.collection<Row>('rows').insert(rowOf(row), { sequence: row })).version
    } catch (error) {
      if (!isSillokError(error, 'UNIQUE_TAKEN')) throw error
      return error.code
    }
  }
}
