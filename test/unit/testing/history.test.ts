/** Histories as text, what is refused of them, and the recorder. */
import t from 'tap'
import { InvariantError } from '../../../src/base/assert.js'
import type { SillokError } from '../../../src/base/errors.js'
import { Random } from '../../../src/base/random.js'
import { checkHistory, formatHistory, parseHistory } from '../../../src/testing/history.js'
import { HistoryRecorder } from '../../../src/testing/recorder.js'
import { textOf } from '../../../src/testing/value-text.js'
import { seed } from '../../seed.js'
import { carryOut, plan } from './atomic-world.js'
import { fail, info, ok, readAt } from './operations.js'

t.comment(`SEED=${seed}`)

t.test('a history is the same after it was written and read', async t => {
  const ops = ['put', 'get', 'cas', 'insert', 'delete', 'incr', 'append'] as const
  for (const [i, op] of ops.entries()) {
    const random = new Random(`${seed}/${i}`)
    const { history } = carryOut(
      plan({ random, operations: 50, keys: 3, clients: 4, ops: [op], unknown: 0.3 }),
    )
    t.strictSame(parseHistory(formatHistory(history)), history, op)
  }
  const others = [fail(1, 2, ['c1', 'put', 'k', { a: ['가'] }]), readAt('stale', [3, 4], 'c2', null)]
  t.strictSame(parseHistory(formatHistory(others)), others)
  t.equal(
    formatHistory([info(7, ['c1', 'incr', 'k', 2])]),
    '{"client":"c1","op":"incr","key":"k","in":2,"out":null,"call":7,"return":null,"status":"info"}\n',
  )
  t.strictSame(parseHistory(''), [])
})

t.test('what no client can have seen is refused, with line and field', async t => {
  const good = { client: 'c1', op: 'put', key: 'k', in: 5, out: null, call: 1, return: 2, status: 'ok' }
  const { in: _in, ...withoutIn } = good
  const bad: [object | string, string][] = [
    ['{', ''],
    ['', ''],
    [[], ''],
    [withoutIn, 'in'],
    [{ ...good, extra: 1 }, 'extra'],
    [{ ...good, level: 'stale' }, 'level'],
    [{ ...good, op: 'get', in: null, level: 'fresh' }, 'level'],
    [{ ...good, op: 'toString' }, 'op'],
    [{ ...good, client: 1 }, 'client'],
    [{ ...good, key: '' }, 'key'],
    [{ ...good, in: null }, 'in'],
    [{ ...good, out: 5 }, 'out'],
    [{ ...good, call: -1 }, 'call'],
    [{ ...good, call: 2 ** 53 }, 'call'],
    [{ ...good, call: 0.5 }, 'call'],
    [{ ...good, return: null }, 'return'],
    [{ ...good, return: 0 }, 'return'],
    [{ ...good, status: 'lost' }, 'status'],
    [{ ...good, status: 'info' }, 'return'],
    [{ ...good, op: 'get', in: 5 }, 'in'],
    [{ ...good, op: 'cas', out: true }, 'in'],
    [{ ...good, op: 'cas', in: { from: 1, to: null }, out: true }, 'in'],
    [{ ...good, op: 'cas', in: { from: 1, to: 2 } }, 'out'],
    [{ ...good, op: 'cas', in: { from: 1, to: 2 }, out: true, status: 'fail' }, 'out'],
    [{ ...good, op: 'incr', in: '1' }, 'in'],
    [{ ...good, op: 'append', out: 5 }, 'out'],
  ]
  const first = `${JSON.stringify(good)}\n`
  for (const [line, field] of bad) {
    const text = typeof line === 'string' ? line : JSON.stringify(line)
    const expected = { code: 'INVALID', details: { line: 2, field } }
    t.throws(() => parseHistory(`${first}${text}\n${first}`), expected as unknown as SillokError, text)
  }
  const message = 'history, line 2, field "return": is before the call'
  t.throws(() => parseHistory(`${first}${JSON.stringify({ ...good, return: 0 })}`), { message })
  const place = { details: { operation: 2, field: 'out' } } as unknown as SillokError
  t.throws(() => checkHistory([good, { ...good, out: undefined }]), place)
})

t.test('values are equal whatever the order of their fields', async t => {
  t.equal(textOf({ b: [1, { d: null, c: '"' }], a: true }), textOf({ a: true, b: [1, { c: '"', d: null }] }))
  t.not(textOf({ a: 1 }), textOf({ a: '1' }))
  t.not(textOf(['a,b']), textOf(['a', 'b']))
})

t.test('a recorder keeps what clients were told, in the order of the calls', async t => {
  let now = 100
  const recorder = new HistoryRecorder(() => now)
  const put = recorder.begin({ client: 'c1', op: 'put', key: 'k', in: 5 })
  now = 200
  const get = recorder.begin({ client: 'c2', op: 'get', key: 'k', in: null, level: 'session' })
  const lost = recorder.begin({ client: 'c3', op: 'incr', key: 'n', in: 1 })
  const refused = recorder.begin({ client: 'c4', op: 'append', key: 'l', in: 'a' })
  recorder.begin({ client: 'c5', op: 'delete', key: 'k', in: null })
  get.ok(5)
  put.ok(null)
  refused.fail()
  lost.info()
  t.strictSame(recorder.history, [
    ok(100, 205, ['c1', 'put', 'k', 5]),
    readAt('session', [200, 204], 'c2', 5),
    info(201, ['c3', 'incr', 'n', 1]),
    fail(202, 206, ['c4', 'append', 'l', 'a']),
    info(203, ['c5', 'delete', 'k']),
  ])
  t.throws(() => put.fail(), InvariantError, 'an outcome is told once')
  t.throws(() => recorder.begin({ client: 'c1', op: 'incr', key: 'n', in: 0.5 }), { code: 'INVALID' })
  t.throws(() => recorder.begin({ client: 'c1', op: 'get', key: 'n', in: null }).ok(undefined as never))
  checkHistory(recorder.history)
})

t.test('no two moments of a recorder are the same, though its clock stands still', async t => {
  const recorder = new HistoryRecorder(() => 5)
  for (let i = 0; i < 3; i++) recorder.begin({ client: 'c1', op: 'put', key: 'k', in: i }).ok(null)
  t.strictSame(
    recorder.history.flatMap(one => [one.call, one.return]),
    [5, 6, 7, 8, 9, 10],
  )
})
