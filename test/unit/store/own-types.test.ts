/** What an author of index types has: keys in the order of values, hits, and limits that are told. */
import t from 'tap'
import {
  decodeTuple,
  encodeKey,
  encodeTuple,
  type IndexType,
  limits,
  open,
  type SecondaryHit,
  type TupleValue,
} from '../../../src/index.js'
import { codeOf } from './code-of.js'

interface Event {
  readonly id: string
  readonly at: Date
}

async function all<T>(hits: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const hit of hits) list.push(hit)
  return list
}

/** Documents in the order of a date, with nothing but the public face. */
const timeline: IndexType<object, { readonly from?: Date; readonly to?: Date }, readonly TupleValue[]> = {
  type: 'timeline',
  version: 1,
  configure: () => ({}),
  open: () => ({
    apply(changes, _rows, ops) {
      for (const change of changes) {
        if (change.note !== undefined) ops.delete(change.note)
        const at = change.document?.['at'] as Date | undefined
        const row = at && encodeTuple([at, change.key])
        if (row !== undefined) ops.put(row, Buffer.alloc(0))
        ops.note(change, row)
      }
    },
    async *query({ from, to }, rows) {
      const gte = from && encodeTuple([from])
      for await (const page of rows.scan({ gte, lt: to && encodeTuple([to]) })) {
        yield page.map(([key]) => decodeTuple(key))
      }
    },
  }),
}

const day = (n: number): Date => new Date(Date.UTC(2026, 0, n))

t.test('keys of tuples stand in the order of their values', async t => {
  const store = await open({ memory: true, indexTypes: [timeline as IndexType] })
  t.teardown(() => store.close())
  await store.define('events', { key: 'id', indexes: { line: { type: 'timeline' } } })
  const events = store.collection<Event>('events')
  for (const n of [3, 1, -5, 2, 1e6]) await events.put({ id: `e${n}`, at: day(n) })
  await events.put({ id: 'e2', at: day(-9) })
  await events.delete('e3')
  const ids = async (query: object) =>
    (await all(events.query<TupleValue[]>('line', query))).map(([, id]) => id)
  t.strictSame(await ids({}), ['e2', 'e-5', 'e1', 'e1000000'])
  t.strictSame(await ids({ from: day(-5), to: day(4) }), ['e-5', 'e1'])
  t.strictSame(decodeTuple(encodeKey('e1')), ['e1'])
  for (const wrong of [5, 'ab', undefined, [undefined], [{}]]) {
    t.throws(() => encodeTuple(wrong as never), { code: 'INVALID' })
  }
})

t.test('a query to a secondary index gives hits, and goes on behind one', async t => {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('users', { key: 'id', indexes: { byAge: { type: 'secondary', fields: ['age'] } } })
  const users = store.collection('users')
  for (let age = 0; age < 9; age++) await users.put({ id: `u${age}`, age })
  const hits = await all(users.query<SecondaryHit>('byAge', { gte: 3, limit: 2 }))
  t.strictSame(
    hits.map(({ key, exact }) => [key, exact]),
    [
      ['u3', true],
      ['u4', true],
    ],
  )
  const after = hits.at(-1)?.row
  const rest = await all(users.query<SecondaryHit>('byAge', { gte: 3, limit: 2, after }))
  t.strictSame(
    rest.map(({ key }) => key),
    ['u5', 'u6'],
  )
  const found = await all(users.find('byAge', { gte: 3, limit: 2, after }))
  t.strictSame(
    found.map(({ id }) => id),
    ['u5', 'u6'],
  )
})

t.test('a row or note over its limit fails the index, which says so', async t => {
  const { indexKeyBytesMax, indexValueBytesMax } = limits
  const sizes = [
    ['key', indexKeyBytesMax],
    ['value', indexValueBytesMax],
    ['note', indexValueBytesMax],
  ] as const
  for (const [what, max] of sizes) {
    let bytes = max
    const big: IndexType = {
      type: 'big',
      version: 1,
      configure: () => ({}),
      open: () => ({
        apply(changes, _rows, ops) {
          const long = Buffer.alloc(bytes)
          const short = Buffer.of(1)
          for (const change of changes) {
            if (what === 'note') ops.note(change, long)
            else ops.put(what === 'key' ? long : short, what === 'value' ? long : short)
          }
        },
        async *query() {},
      }),
    }
    const store = await open({ memory: true, indexTypes: [big] })
    await store.define('c', { key: 'id', indexes: { b: { type: 'big' } } })
    const c = store.collection('c')
    await c.put({ id: 1 })
    t.equal(await codeOf(all(c.query('b', {}))), 'done', `${what}: ${max} bytes`)
    bytes += 1
    await c.put({ id: 1 })
    t.equal(await codeOf(all(c.query('b', {}))), 'INDEX_FAILED', `${what}: one more`)
    t.match(store.status().indexes[0]?.reason, new RegExp(`a ${what} of ${bytes} bytes .* at most ${max}`))
    await store.close()
  }
})
