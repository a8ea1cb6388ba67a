/** The indexes of a replica that is closed, or replaced, while its folders are looked through. */
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { BackgroundPace } from '../../../src/derived/background-pace.js'
import type { IndexType } from '../../../src/derived/contract.js'
import { secondary } from '../../../src/derived/secondary/secondary.js'
import type { IndexSource } from '../../../src/derived/source.js'
import type { Environment } from '../../../src/env/environment.js'
import { memoryEnvironment } from '../../../src/env/memory-environment.js'
import type { CollectionSchema } from '../../../src/machine/schema.js'
import { Indexes } from '../../../src/replica/indexes.js'
import { Gate } from '../../../src/state/gate.js'

const making = (id: number) => ({ id, type: 'secondary', config: secondary.configure({ fields: ['x'] }) })

const items = (index: object): CollectionSchema[] => [
  { id: 1, name: 'items', indexes: [{ name: 'by', ...index }] } as unknown as CollectionSchema,
]
const before = making(8)

/** What is asked of it is what was asked of the making before, so that one answers. */
const type = { ...secondary, sameQuestions: () => true } as unknown as IndexType

/** A replica without documents; these cannot be read if it is not `isReadable`, so nothing is built. */
const source = (isReadable: boolean): IndexSource => {
  const documents = async () => {
    if (!isReadable) throw new Error('not now')
    return { index: 0, documents: [], isLast: true }
  }
  return { firstIndex: 1, applied: 0, documents } as unknown as IndexSource
}

/**
 * Index 9 is to replace index 8, which is built; the folders of older ones are still there. And the rows that
 * are open, and that were ever opened.
 */
async function world() {
  const memory = memoryEnvironment()
  const [isOpen, wasOpened] = [new Set<string>(), new Set<string>()]
  const keyValue: Environment['keyValue'] = {
    open: async (folder, options) => {
      const store = await memory.keyValue.open(folder, options)
      const close = store.close.bind(store)
      isOpen.add(folder)
      wasOpened.add(folder)
      store.close = async () => {
        await close()
        isOpen.delete(folder)
      }
      return store
    },
  }
  const env: Environment = { ...memory, keyValue }
  for (const name of ['3', '7']) await env.disk.makeFolder(`indexes/${name}`)
  const open = (isReadable: boolean, schemas: CollectionSchema[]): Indexes => {
    const indexes = new Indexes({
      env,
      folder: 'indexes',
      origin: 'here',
      source: source(isReadable),
      types: new Map([['secondary', type]]),
      limits,
      gate: new Gate(1),
      pace: new BackgroundPace(env.clock, limits.sliceMs, () => 0),
    })
    indexes.update(schemas)
    return indexes
  }
  const first = open(true, items(before))
  while (first.status()[0]?.state !== 'live') await new Promise(resolve => setImmediate(resolve))
  await first.close()
  wasOpened.clear()
  const indexes = open(false, items({ ...making(9), before }))
  const settle = (): Promise<void> => new Promise(resolve => env.clock.after(50, resolve))
  return { env, indexes, isOpen, wasOpened, settle }
}

t.test('a sweep starts the making that answers, and removes what no schema names', async t => {
  const { env, indexes, isOpen, wasOpened, settle } = await world()
  await indexes.sweep()
  await settle()
  t.strictSame([...wasOpened].sort(), ['indexes/8/rows', 'indexes/9/rows'])
  t.notOk((await env.disk.list('indexes')).some(name => name === '3' || name === '7'))
  await indexes.close()
  t.strictSame([...isOpen], [])
})

t.test('a sweep that a close comes into begins nothing more, and the close waits for it', async t => {
  let cutCount = 0
  for (let turns = 0; turns < 50; turns++) {
    const { env, indexes, isOpen, wasOpened, settle } = await world()
    let isSwept = false
    const sweeping = indexes.sweep().then(() => {
      isSwept = true
    })
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    const isCut = !wasOpened.has('indexes/8/rows')
    await indexes.close()
    await Promise.resolve()
    t.ok(isSwept, `closed after ${turns} turns`)
    const left = await env.disk.list('indexes')
    await sweeping
    await settle()
    t.strictSame([...isOpen], [], 'no rows are open')
    t.strictSame(await env.disk.list('indexes'), left, 'and nothing is removed any more')
    if (isCut && !wasOpened.has('indexes/8/rows')) cutCount += 1
  }
  t.ok(cutCount > 0, `cut ${cutCount} times`)
})

t.test('closed indexes are not swept', async t => {
  const { indexes, wasOpened } = await world()
  await indexes.close()
  const opened = [...wasOpened]
  await indexes.sweep()
  t.strictSame([...wasOpened], opened)
})

t.test('who defines a collection is told of its own indexes that answer for others, and no more', async t => {
  const { indexes, settle } = await world()
  await indexes.sweep()
  await settle()
  t.strictSame(indexes.answeringMeanwhile('items'), [8])
  t.strictSame(indexes.answeringMeanwhile('others'), [])
  await indexes.close()
})
