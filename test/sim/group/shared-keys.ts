/**
 * Clients that write and read the same keys at once, by whichever node, and write down what they asked and
 * what they were told: in the end there must be one order of all of it that explains every answer.
 */
import { assert } from '../../../src/base/assert.js'
import { SillokError } from '../../../src/base/errors.js'
import type { Random } from '../../../src/base/random.js'
import { decodeDocument, encodeDocument } from '../../../src/codec/document.js'
import type { Row } from '../../../src/codec/row.js'
import type { Operation } from '../../../src/machine/command.js'
import type { AskedCommand } from '../../../src/machine/command-codec.js'
import { documentBytes } from '../../../src/machine/documents.js'
import { documentKey } from '../../../src/machine/keys.js'
import type { Reply } from '../../../src/machine/reply.js'
import { checkLinearizability } from '../../../src/testing/linearizability.js'
import { register } from '../../../src/testing/models.js'
import { HistoryRecorder } from '../../../src/testing/recorder.js'

/** The group as these clients have it. */
export interface Served {
  readonly nowMs: () => number
  /** What was answered in time. */
  readonly ask: (command: AskedCommand) => Promise<Reply | SillokError | 'silence'>
  /** A linearizable read at any node; undefined: it was not answered. */
  readonly read: (key: string) => Promise<Row | null | undefined>
}

const keys = ['s0', 's1', 's2']

/** The clients of one world. */
export class SharedKeys {
  readonly #served: Served
  readonly #recorder: HistoryRecorder
  #values = 0

  constructor(served: Served) {
    this.#served = served
    this.#recorder = new HistoryRecorder(() => Math.round(served.nowMs() * 1e6))
  }

  /** One operation of that client. */
  async step(client: string, random: Random): Promise<void> {
    const key = random.pick(keys)
    const before = await this.#read(client, key)
    if (before === undefined || random.chance(0.3)) return
    const to = ++this.#values
    const document = encodeDocument({ id: key, value: to })
    const put: Operation = { op: 'put', collection: 1, key: documentKey(1, key), document }
    if (random.chance(0.3)) {
      const pending = this.#recorder.begin({ client, op: 'put', key, in: to })
      const answer = await this.#write(put)
      if (answer === 'done') pending.ok(null)
      else if (answer === 'unknown') pending.info()
      else pending.fail()
      return
    }
    const from = before === null ? null : valueIn(before)
    const pending = this.#recorder.begin({ client, op: 'cas', key, in: { from, to } })
    const answer = await this.#write({ ...put, ifVersion: before === null ? null : before.version })
    if (answer === 'done') pending.ok(true)
    else if (answer === 'conflict') pending.ok(false)
    else if (answer === 'unknown') pending.info()
    else pending.fail()
  }

  /** Throws, with what no order explains. Answers how many operations there were. */
  check(): number {
    const { history } = this.#recorder
    const verdict = checkLinearizability(history, register)
    if (verdict.verdict !== 'ok') assert(false, `${verdict.verdict}: ${verdict.explanation}`)
    return history.length
  }

  async #read(client: string, key: string): Promise<Row | null | undefined> {
    const pending = this.#recorder.begin({ client, op: 'get', key, in: null })
    const row = await this.#served.read(key)
    if (row === undefined) pending.fail()
    else pending.ok(row === null ? null : valueIn(row))
    return row
  }

  async #write(operation: Operation): Promise<'done' | 'conflict' | 'unknown' | 'refused'> {
    const answer = await this.#served.ask({ type: 'write', operations: [operation], mark: undefined })
    if (answer === 'silence') return 'unknown'
    if (answer instanceof SillokError) return answer.outcome === 'unknown' ? 'unknown' : 'refused'
    if (answer.ok) return 'done'
    return answer.code === 'CONFLICT' ? 'conflict' : 'refused'
  }
}

function valueIn(row: Row): number {
  return decodeDocument(documentBytes(row.value))['value'] as number
}
