/**
 * An import in a world that may end after any step: a session with a durable log and a report on a disk that
 * forgets what was not synced. Nothing moves after the end; `recover` is what the next process finds.
 */
import { SillokError } from '../../../src/base/errors.js'
import type { Random } from '../../../src/base/random.js'
import { Importer, type ImportSession } from '../../../src/cli/import/importer.js'
import { keptLines, type Rejection, type Report } from '../../../src/cli/import/rejection-report.js'
import { readRow } from '../../../src/cli/import/row-document.js'
import { type RawRow, rowSplitter } from '../../../src/cli/import/row-splitter.js'

/** What a world does wrong on purpose. */
export interface Mutant {
  readonly skipsSync?: true
  readonly skipsCut?: true
}

const never = new Promise<never>(() => {})

/** Every 7th row is refused by the session, every 11th is no JSON. */
export function inputOf(rows: number): Buffer {
  const lines = Array.from({ length: rows }, (_, i) =>
    (i + 1) % 11 === 0 ? `{bad ${i + 1}` : `{"id":${i + 1}}`,
  )
  return Buffer.from(lines.map(line => `${line}\n`).join(''))
}

export function batchesOf(bytes: Buffer): AsyncIterable<readonly RawRow[]> {
  const splitter = rowSplitter()
  return (async function* () {
    for (let at = 0; at < bytes.length; at += 97) yield splitter.push(bytes.subarray(at, at + 97))
    yield splitter.end()
  })()
}

export class ImportWorld {
  /** How often each row took effect; its answer is kept for ever here. */
  readonly executed = new Map<number, number>()
  /** What was sent under each number that was executed. */
  readonly #kept = new Map<number, string>()
  readonly #random: Random
  readonly #mutant: Mutant
  #lowWater = 1
  #durable: Buffer = Buffer.alloc(0)
  #written: Buffer = Buffer.alloc(0)
  #steps = 0
  #endsAt = Number.POSITIVE_INFINITY
  #end: () => void = () => {}
  #life = 0

  constructor(random: Random, mutant: Mutant = {}) {
    this.#random = random
    this.#mutant = mutant
  }

  get report(): string {
    return this.#written.toString('utf8')
  }

  get lowWater(): number {
    return this.#lowWater
  }

  /** Runs an import until it is done, or the world ends after so many steps: false. */
  async run(rows: number, steps: number): Promise<boolean> {
    this.#steps = 0
    this.#endsAt = steps
    this.#life += 1
    const ended = new Promise<false>(resolve => {
      this.#end = () => {
        this.#life += 1
        resolve(false)
      }
    })
    const importer = new Importer({
      session: this.#session(),
      report: this.#openReport(),
      read: raw => readRow(raw, 'line'),
      concurrency: 8,
      groups: { rowsMax: 3, bytesMax: 40 },
    })
    return Promise.race([importer.run(batchesOf(inputOf(rows))), ended])
  }

  /** What was not synced is gone, or a part of it is there, or zeros. */
  recover(): void {
    const torn = this.#written.subarray(this.#durable.length)
    const there = torn.subarray(0, this.#random.below(torn.length + 1))
    const zeros = Buffer.alloc(this.#random.chance(0.3) ? this.#random.below(20) : 0)
    this.#durable = Buffer.concat([this.#durable, there, zeros])
    this.#written = this.#durable
  }

  /** One step of the life that began with this run; of an ended life nothing goes on. */
  async #step(life: number): Promise<void> {
    // The log, the report and the answers are of any speed.
    for (let turns = this.#random.below(4); turns > 0; turns--) await new Promise(setImmediate)
    if (life !== this.#life) await never
    if (this.#steps >= this.#endsAt) {
      this.#end()
      await never
    }
    this.#steps += 1
  }

  #openReport(): Report {
    const life = this.#life
    if (this.#mutant.skipsCut !== true) {
      const { bytes } = keptLines(this.#written, this.#lowWater, 'report', 'own')
      this.#written = this.#written.subarray(0, bytes)
      this.#durable = this.#written
    }
    return {
      counts: { refused: 0, unreadable: 0 },
      append: async (rejections: readonly Rejection[]) => {
        await this.#step(life)
        const bytes = Buffer.from(
          rejections.map(line => `${JSON.stringify({ ...line, import: 'own' })}\n`).join(''),
        )
        this.#written = Buffer.concat([this.#written, bytes])
        await this.#step(life)
        if (this.#mutant.skipsSync !== true) this.#durable = this.#written
        await this.#step(life)
      },
    }
  }

  async #commit(
    life: number,
    sequence: number,
    rows: readonly number[],
    sentLowWater: number,
  ): Promise<void> {
    await this.#step(life)
    const kept = this.#kept.get(sequence)
    if (kept !== undefined && kept !== rows.join()) throw new SillokError('SEQUENCE_REUSED', `${sequence}`)
    if (kept !== undefined && sequence >= this.#lowWater) return
    if (sequence < this.#lowWater) throw new SillokError('ALREADY_ACKNOWLEDGED', `${sequence}`)
    this.#kept.set(sequence, rows.join())
    for (const row of rows) this.executed.set(row, (this.executed.get(row) ?? 0) + 1)
    this.#lowWater = Math.max(this.#lowWater, sentLowWater)
  }

  #session(): ImportSession {
    let lowWater = this.#lowWater
    const life = this.#life
    // Entries become durable in the order in which they were sent.
    let log: Promise<void> = Promise.resolve()
    return {
      get lowWater() {
        return lowWater
      },
      release: through => {
        lowWater = through + 1
      },
      insert: async (documents, sequence) => {
        const sentLowWater = lowWater
        const rows = (documents as readonly { id: number }[]).map(({ id }) => id)
        log = log.then(() => this.#commit(life, sequence, rows, sentLowWater))
        await log
        await this.#step(life)
        return rows.map(row => {
          if (row % 7 !== 0) return { ok: true, version: 1 }
          const details = { holder: row - 1 }
          return { ok: false, error: new SillokError('UNIQUE_TAKEN', 'held', { details }) }
        })
      },
    }
  }
}

/** The report of an import of so many rows that nothing disturbed. */
export function expectedReport(rows: number): string[] {
  const raws = [...rowSplitter().push(inputOf(rows))]
  return raws.filter(({ row }) => row % 7 === 0 || row % 11 === 0).map(({ row }) => `${row}`)
}
