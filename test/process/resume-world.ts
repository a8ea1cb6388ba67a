/**
 * A process with named sessions is killed with writes in flight; another resumes them. Copies of the first
 * one's requests that arrive late are answered as before, or fenced; what is sent again takes effect once.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Random } from '../../src/base/random.js'
import { realEnvironment } from '../../src/env/real-environment.js'
import { isSillokError, open, Session } from '../../src/index.js'
import { Host } from '../../src/replica/host.js'
import type { SessionHandle } from '../../src/replica/session-directory.js'
import { Asking } from '../../src/store/asking.js'
import { type AnyCollection, Collection } from '../../src/store/collection.js'
import { Deadlines } from '../../src/store/deadlines.js'
import { IndexTypes } from '../../src/store/index-types.js'
import { KeyLocks } from '../../src/store/key-locks.js'
import { Operations } from '../../src/store/operations.js'
import { Reader } from '../../src/store/reader.js'
import type { Writer } from '../../src/store/writer.js'
import { type Item, itemOf, type Row, rowOf } from './items.js'
import { live } from './life.js'
import type { Line, RowAnswer } from './protocol.js'
import type { ResumeOptions } from './resume-program.js'

export interface ResumeReport {
  resumed: number
  /** Requests in flight at the kills. */
  inFlight: number
  /** Late copies of the old holder: fenced, and answered from a kept reply. */
  fenced: number
  replayed: number
  /** Requests that were sent again by the new holder. */
  again: number
  rows: number
}

/** The session as its older holder has it: its requests carry the old epoch. */
type OldSession = <T extends object>(name: string) => Collection<T>

export class ResumeWorld {
  readonly report: ResumeReport = { resumed: 0, inFlight: 0, fenced: 0, replayed: 0, again: 0, rows: 0 }
  readonly #random: Random
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'sillok-resume-'))
  readonly #answers = new Map<number, RowAnswer>()
  readonly #applied = new Map<number, number>()
  readonly #refused = new Set<number>()
  #sentRow = 0
  #released = 0
  #firstWrite = 1
  #sentWrite = 0

  constructor(seed: string) {
    this.#random = new Random(seed)
  }

  async run(times: number): Promise<ResumeReport> {
    for (let time = 0; time < times; time++) {
      const epochs = await this.#killOne()
      const absent = await this.#lateCopies(epochs)
      await this.#resume(absent)
      this.report.resumed += 1
    }
    rmSync(this.#folder, { recursive: true })
    return { ...this.report, rows: this.#sentRow }
  }

  async #killOne(): Promise<Map<string, number>> {
    const epochs = new Map<string, number>()
    this.#firstWrite = this.#sentWrite + 1
    const options: ResumeOptions = { folder: this.#folder, firstWrite: this.#firstWrite }
    const moment = { after: 'checked', delayMs: 20 + this.#random.below(500) } as const
    const take = (line: Line): void => {
      if (line.type === 'figure') epochs.set(line.name, line.value)
      if (line.type === 'rowSent') this.#sentRow = Math.max(this.#sentRow, line.row)
      if (line.type === 'rowAnswered') this.#note(line.row, line.answer)
      if (line.type === 'released') this.#released = Math.max(this.#released, line.row)
      if (line.type === 'sent') this.#sentWrite = Math.max(this.#sentWrite, line.operation)
      if (line.type === 'applied') this.#applied.set(line.operation, line.version)
      if (line.type === 'refused') this.#refused.add(line.operation)
    }
    await live('resume-program', JSON.stringify(options), moment, take)
    for (let row = this.#released + 1; row <= this.#sentRow; row++)
      if (!this.#answers.has(row)) this.report.inFlight += 1
    return epochs
  }

  #note(row: number, answer: RowAnswer): void {
    const first = this.#answers.get(row)
    if (first !== undefined) assert.equal(answer, first, `row ${row} gets its first answer`)
    this.#answers.set(row, answer)
  }

  /** What the killed holder had in flight arrives after a new one has come: it must not take effect. */
  async #lateCopies(epochs: ReadonlyMap<string, number>): Promise<Set<string>> {
    const env = realEnvironment()
    const host = await Host.open({ env, folder: this.#folder })
    const absent = new Set<string>()
    try {
      const importing = await oldSession(host, env, 'import', epochs.get('importEpoch'), this.#released + 1)
      const writing = await oldSession(host, env, 'writer', epochs.get('writerEpoch'), 1)
      for (let row = this.#released + 1; row <= this.#sentRow; row++)
        await this.#lateRow(importing, row, absent)
      // The library numbers from 1 in each epoch: the copies are made in the order of the first calls.
      for (let write = this.#firstWrite; write <= this.#sentWrite; write++) {
        const copy = writing<Item>('items').insert(itemOf(`i${write}`, write))
        await assert.rejects(copy, { code: 'FENCED' })
        this.report.fenced += 1
      }
    } finally {
      await host.close()
      await env.disk.close()
    }
    return absent
  }

  async #lateRow(importing: OldSession, row: number, absent: Set<string>): Promise<void> {
    let answer: RowAnswer
    try {
      answer = (await importing<Row>('rows').insert(rowOf(row), { sequence: row })).version
    } catch (error) {
      if (!isSillokError(error)) throw error
      answer = error.code
    }
    const first = this.#answers.get(row)
    if (answer === 'FENCED') {
      assert(first === undefined, `row ${row} was answered ${first}, and is not known any more`)
      absent.add(rowOf(row).id)
      this.report.fenced += 1
    } else {
      this.#note(row, answer)
      this.report.replayed += 1
    }
  }

  /** The new holder: what was fenced is not there; everything is sent again, and is there once. */
  async #resume(absent: ReadonlySet<string>): Promise<void> {
    const store = await open({ dir: this.#folder })
    try {
      const rows = store.collection<Row>('rows')
      for (const id of absent) assert(!(await rows.has(id)), `${id} was made by a fenced request`)
      await this.#checkItems(await collect(store.collection<Item>('items').scan()))
      const session = await store.session({ name: 'import', numbering: 'caller', input: 'digest' })
      for (let row = session.lowWater; row <= this.#sentRow; row++) {
        let answer: RowAnswer
        try {
          answer = (await session.collection<Row>('rows').insert(rowOf(row), { sequence: row })).version
        } catch (error) {
          if (!isSillokError(error, 'UNIQUE_TAKEN')) throw error
          answer = error.code
        }
        this.#note(row, answer)
        this.report.again += 1
      }
      const found = await collect(rows.scan())
      const made = [...this.#answers].filter(([, answer]) => typeof answer === 'number')
      assert.equal(found.length, made.length, 'every row is there once')
      for (const [row, answer] of made) assert.equal((await rows.getVersioned(`r${row}`))?.version, answer)
      assert.deepEqual(await store.scrub(), [])
    } finally {
      await store.close()
    }
  }

  /** Documents of the library-numbered session: those that were answered, and some of those in flight. */
  async #checkItems(items: readonly Item[]): Promise<void> {
    const found = new Set(items.map(({ write }) => write))
    for (const write of this.#applied.keys()) assert(found.has(write), `document ${write} is lost`)
    for (const write of this.#refused) assert(!found.has(write), `document ${write} was refused`)
    for (const item of items) assert.deepEqual(item, itemOf(`i${item.write}`, item.write))
    assert.equal(found.size, items.length)
  }
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

/** Resumes the name as a new holder does, and hands back the collections of the holder before it. */
async function oldSession(
  host: Host,
  env: ReturnType<typeof realEnvironment>,
  name: string,
  epoch: number | undefined,
  lowWater: number,
): Promise<OldSession> {
  const numbering = name === 'import' ? 'caller' : 'library'
  const input = name === 'import' ? 'digest' : undefined
  const nonce = env.random.bytes(16).toString('hex')
  const newer = await host.sessions.register({ nonce, name, numbering, input })
  await host.sessions.open(host.data, newer.session)
  assert(epoch !== undefined && newer.epoch > epoch, `epoch ${newer.epoch} after ${epoch}`)
  const handle: SessionHandle = { session: newer.session, epoch }
  const schemas = new Map(host.schemas().map(schema => [schema.name, schema]))
  const asking = new Asking(host.data, new Deadlines(env.clock, 30_000))
  const collection = (collectionName: string, _options: unknown, writer: Writer): AnyCollection =>
    new Collection(collectionName, {
      schema: () => {
        const schema = schemas.get(collectionName)
        assert(schema !== undefined)
        return schema
      },
      operations: new Operations(new IndexTypes()),
      writer,
      reader: new Reader(env.clock, host.data, asking),
      searchReader: undefined as never,
      indexReader: undefined as never,
      asking,
      state: host.data.state,
      locks: new KeyLocks(),
      requests: undefined as never,
      clock: env.clock,
    })
  const own = { batches: undefined as never, closed: () => {} }
  const parts = { asking, directory: host.sessions, handle, lowWater, collection, ...own }
  const session = new Session({ name, numbering, ...(input !== undefined && { input }) }, parts)
  return <T extends object>(collectionName: string) => session.collection<T>(collectionName)
}
