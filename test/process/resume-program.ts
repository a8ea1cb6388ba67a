/**
 * The child of the resume test: imports rows in a caller-numbered named session and writes documents in a
 * library-numbered one, until it is killed. `resume-program.js <options>`
 */
import { isSillokError, open } from '../../src/index.js'
import { type Item, itemDefinition, itemOf, type Row, rowDefinition, rowOf } from './items.js'
import { type RowAnswer, runChild, tell } from './protocol.js'

/** What the parent asks of a child. */
export interface ResumeOptions {
  readonly folder: string
  /** The first number of this life's documents. */
  readonly firstWrite: number
}

const rowsInFlight = 100
const writesInFlight = 20

async function work({ folder, firstWrite }: ResumeOptions): Promise<void> {
  tell({ type: 'opening' })
  const store = await open({ dir: folder })
  await store.define('items', itemDefinition)
  await store.define('rows', rowDefinition)
  const importing = await store.session({ name: 'import', numbering: 'caller', input: 'digest' })
  const writing = await store.session({ name: 'writer' })
  tell({ type: 'figure', name: 'importEpoch', value: importing.epoch })
  tell({ type: 'figure', name: 'writerEpoch', value: writing.epoch })
  tell({ type: 'checked' })
  let nextRow = importing.lowWater
  let released = nextRow - 1
  const answered = new Set<number>()
  const answer = (row: number, got: RowAnswer): void => {
    tell({ type: 'rowAnswered', row, answer: got })
    answered.add(row)
    while (answered.delete(released + 1)) released += 1
    // In steps: what was released can no longer be asked for.
    if (released < importing.lowWater + 300) return
    tell({ type: 'released', row: released })
    importing.release(released)
  }
  const importRows = async (): Promise<void> => {
    for (;;) {
      const row = nextRow++
      tell({ type: 'rowSent', row })
      try {
        const { version } = await importing.collection<Row>('rows').insert(rowOf(row), { sequence: row })
        answer(row, version)
      } catch (error) {
        if (!isSillokError(error, 'UNIQUE_TAKEN')) throw error
        answer(row, error.code)
      }
    }
  }
  // In a library-numbered session the n-th call has number n: `operation` counts from firstWrite alike.
  let operation = firstWrite
  const write = async (): Promise<void> => {
    for (;;) {
      const own = operation++
      tell({ type: 'sent', operation: own, changes: [[`i${own}`, own]] })
      try {
        const { version } = await writing.collection<Item>('items').insert(itemOf(`i${own}`, own))
        tell({ type: 'applied', operation: own, version })
      } catch (error) {
        if (!isSillokError(error, 'UNIQUE_TAKEN')) throw error
        tell({ type: 'refused', operation: own })
      }
    }
  }
  const running = Array.from({ length: rowsInFlight }, importRows)
  for (let n = 0; n < writesInFlight; n++) running.push(write())
  await Promise.all(running)
}

runChild(() => work(JSON.parse(process.argv[2] ?? '') as ResumeOptions))
