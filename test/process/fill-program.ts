/** The child of the open-time test: writes entries with fresh keys until it is killed. */
import { open } from '../../src/index.js'
import { runChild, tell } from './protocol.js'

/** What the parent asks of a child. */
export interface FillOptions {
  readonly folder: string
  readonly from: number
  readonly count: number
}

const inFlight = 1024

async function fill({ folder, from, count }: FillOptions): Promise<void> {
  tell({ type: 'opening' })
  const store = await open({ dir: folder })
  await store.define('items', { key: 'id' })
  tell({ type: 'checked' })
  const items = store.collection<object>('items')
  let next = from
  let acknowledged = from
  const write = async (): Promise<void> => {
    for (;;) {
      const id = next++
      await items.put({ id, city: 'Seoul', value: `value of ${id}`.padEnd(100, '.') })
      acknowledged += 1
      if (acknowledged % 10_000 === 0) tell({ type: 'figure', name: 'acknowledged', value: acknowledged })
      if (acknowledged === from + count) tell({ type: 'closing' })
    }
  }
  await Promise.all(Array.from({ length: inFlight }, write))
}

runChild(() => fill(JSON.parse(process.argv[2] ?? '') as FillOptions))
