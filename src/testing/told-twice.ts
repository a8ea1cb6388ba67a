/** An index that is told of each batch several times, here and as in another process: it must do the same. */
import { deepEqual, fail } from 'node:assert/strict'
import { messageOf } from '../base/errors.js'
import type {
  DerivedIndex,
  IndexChange,
  IndexOps,
  IndexRange,
  IndexRow,
  IndexRows,
} from '../derived/contract.js'
import { elsewhere } from './elsewhere.js'
import type { Applying } from './index-copy.js'

/** Rows in memory: whoever reads them waits for nothing. */
class PlainRows implements IndexRows {
  readonly #rows: readonly IndexRow[]

  constructor(rows: readonly IndexRow[]) {
    this.#rows = rows
  }

  pause(): undefined {
    return undefined
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    const found = new Map(this.#rows.map(([key, value]) => [key.toString('latin1'), value]))
    return keys.map(key => copyOf(found.get(Buffer.from(key).toString('latin1'))))
  }

  async *scan(range: IndexRange, pageRows = 1000): AsyncGenerator<readonly IndexRow[]> {
    const { gte, gt, lt, lte, reverse = false } = range
    const within = this.#rows.filter(
      ([key]) =>
        (gte === undefined || Buffer.compare(key, gte) >= 0) &&
        (gt === undefined || Buffer.compare(key, gt) > 0) &&
        (lt === undefined || Buffer.compare(key, lt) < 0) &&
        (lte === undefined || Buffer.compare(key, lte) <= 0),
    )
    if (reverse) within.reverse()
    for (let at = 0; at < within.length; at += pageRows) {
      yield within
        .slice(at, at + pageRows)
        .map(([key, value]): IndexRow => [Buffer.from(key), Buffer.from(value)])
    }
  }
}

const copyOf = (bytes: Buffer | undefined): Buffer | undefined => bytes && Buffer.from(bytes)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** What an index did, to be compared and to be done. */
class Recorded implements IndexOps {
  readonly lines: string[] = []
  readonly #steps: ((ops: IndexOps) => void)[] = []

  put(key: Uint8Array, value: Uint8Array): void {
    const [ownKey, ownValue] = [Buffer.from(key), Buffer.from(value)]
    this.#add(`put ${hex(key)} ${hex(value)}`, ops => ops.put(ownKey, ownValue))
  }

  delete(key: Uint8Array): void {
    const own = Buffer.from(key)
    this.#add(`delete ${hex(key)}`, ops => ops.delete(own))
  }

  note(change: IndexChange, note: Uint8Array | undefined): void {
    const own = note && Buffer.from(note)
    const text = note === undefined ? 'none' : hex(note)
    this.#add(`note ${hex(change.keyBytes)} ${text}`, ops => ops.note(change, own))
  }

  /** Does the same to others. */
  replay(ops: IndexOps): void {
    for (const step of this.#steps) step(ops)
  }

  #add(line: string, step: (ops: IndexOps) => void): void {
    this.lines.push(line)
    this.#steps.push(step)
  }
}

/** The index around which it is told twice; `fresh` opens the same one anew. */
export function toldTwice(kept: DerivedIndex, fresh: () => DerivedIndex, isElsewhere: boolean): Applying {
  return {
    async apply(changes, rows, ops) {
      const all: IndexRow[] = []
      for await (const page of rows.scan({})) all.push(...page)
      const tell = async (index: Applying): Promise<Recorded> => {
        const recorded = new Recorded()
        await index.apply(changes, new PlainRows(all), recorded)
        return recorded
      }
      const once = await tell(kept)
      const telling = isElsewhere ? elsewhere(() => tell(kept)) : tell(fresh())
      const again = await telling.catch(error => fail(`the second time it throws: ${messageOf(error)}`))
      deepEqual(again.lines, once.lines, 'the operations of the second time are those of the first')
      once.replay(ops)
    },
  }
}
