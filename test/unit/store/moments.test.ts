/** What is read together is of one moment, also where some rows are in memory and some on disk. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { open } from '../../../src/index.js'

t.setTimeout(60_000)

interface Half {
  readonly id: string
  readonly n: number
}

t.test('getMany shows all its documents as of one moment, while batches change them', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'sillok-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const pairs = Array.from({ length: 800 }, (_, i) => [`a${i}`, `b${i}`] as const)
  const before = await open({ dir })
  await before.define('halves', { key: 'id' })
  await before.collection<Half>('halves').insertMany(pairs.flat().map(id => ({ id, n: 50 })))
  await before.close()
  const store = await open({ dir })
  t.teardown(() => store.close())
  const halves = store.collection<Half>('halves')
  // One of each pair is in memory from now on, the other is not.
  await Promise.all(pairs.map(([id]) => halves.put({ id, n: 50 })))
  let isOver = false
  const writing = (async () => {
    for (let at = 0; at < pairs.length; at += 20) {
      const batches = pairs.slice(at, at + 20).map(([a, b]) =>
        store.batch([
          { put: { id: a, n: 30 }, in: 'halves' },
          { put: { id: b, n: 70 }, in: 'halves' },
        ]),
      )
      await Promise.all(batches)
    }
    isOver = true
  })()
  for (let round = 0; !isOver; round++) {
    const level = round % 2 === 0 ? 'stale' : 'linearizable'
    const found = await halves.getMany(pairs.flat(), { level })
    const torn = pairs.filter((_, i) => (found[2 * i]?.n ?? 0) + (found[2 * i + 1]?.n ?? 0) !== 100)
    t.strictSame(torn, [], 'no half of a batch is seen')
  }
  await writing
  const moved = (await halves.getMany(pairs.flat())).filter(half => half?.n === 70)
  t.equal(moved.length, pairs.length)
  t.strictSame(await halves.getMany([]), [])
})
