/**
 * An importer in a crash world: a caller-numbered named session that sends numbered rows, is cut off by
 * crashes, and on resuming sends everything again from lowWater. A row that was answered gets the same answer
 * again; a row that was not answered takes effect exactly once.
 */
import type { Random } from '../../src/base/random.js'
import { isSillokError, type Session, type Store } from '../../src/index.js'
import type { WorldReport } from './crash-world.js'

interface Row {
  readonly id: string
  readonly tag: string
}

/** How many rows are in flight. */
const windowRows = 8

export class ImportClient {
  readonly #random: Random
  readonly #report: WorldReport
  /** The answer to each row that was answered: its version, or the code of its refusal. */
  readonly #answers = new Map<number, number | string>()
  #highest = 0
  #released = 0
  #session: Session | undefined
  #next = 1

  constructor(random: Random, report: WorldReport) {
    this.#random = random
    this.#report = report
  }

  /** Resumes the session on a newly opened store, and sends again what may be sent again. */
  async resume(store: Store): Promise<void> {
    this.#session = await store.session({ name: 'import', numbering: 'caller', input: 'digest' })
    if (this.#session.lowWater > this.#released + 1) {
      throw new Error(`resumed at ${this.#session.lowWater}, released only ${this.#released}`)
    }
    this.#next = this.#session.lowWater
    while (this.#next <= this.#highest) await this.#sendSome()
  }

  /** Sends new rows. */
  async run(): Promise<void> {
    const rounds = this.#random.below(20)
    for (let round = 0; round < rounds; round++) await this.#sendSome()
  }

  async #sendSome(): Promise<void> {
    const rows: Promise<void>[] = []
    for (let i = this.#random.below(windowRows); i >= 0; i--) rows.push(this.#send(this.#next++))
    await Promise.all(rows)
    if (this.#random.chance(0.5)) {
      this.#released = Math.max(this.#released, this.#next - 1)
      this.#session?.release(this.#next - 1)
    }
  }

  async #send(row: number): Promise<void> {
    if (this.#session === undefined) throw new Error('not resumed')
    this.#highest = Math.max(this.#highest, row)
    const answer = await this.#insert(this.#session, row)
    const first = this.#answers.get(row)
    if (first !== undefined) {
      this.#report.replayed += 1
      if (first !== answer) throw new Error(`row ${row} was answered ${first}, and now ${answer}`)
    }
    this.#answers.set(row, answer)
  }

  async #insert(session: Session, row: number): Promise<number | string> {
    // Every fifth row asks for the value of the row before it, and is refused.
    const tag = `row ${row % 5 === 0 ? row - 1 : row}`
    try {
      const { version } = await session
        .collection<Row>('places')
        .insert({ id: `r${row}`, tag }, { sequence: row })
      this.#report.acknowledged += 1
      return version
    } catch (error) {
      if (!isSillokError(error, 'UNIQUE_TAKEN')) throw error
      this.#report.refused += 1
      return error.code
    }
  }
}
