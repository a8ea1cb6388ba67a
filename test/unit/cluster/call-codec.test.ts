/** Calls and answers come back as they were said, and nothing else is taken for one. */
import fc from 'fast-check'
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import {
  decodeCall,
  decodeCallAnswer,
  encodeCall,
  encodeCallAnswer,
} from '../../../src/cluster/call-codec.js'
import { decodeFrame, encodeFrame } from '../../../src/codec/frame.js'
import { packStrict } from '../../../src/codec/msgpack.js'
import { seedNumber as seed } from '../../seed.js'
import { refusalBy } from '../refusal.js'

t.comment(`SEED=${seed}`)

const value = fc.jsonValue({ maxDepth: 4 }).filter(one => !JSON.stringify(one).includes('__proto__'))

t.test('what was said comes back', async t => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.string({ minLength: 1, maxLength: 16 }),
      value,
      (number, method, argument) => {
        t.strictSame(decodeCall(encodeCall({ number, method, argument })), { number, method, argument })
        const answer = { number, result: { value: argument } }
        t.strictSame(decodeCallAnswer(encodeCallAnswer(answer)), answer)
      },
    ),
    { seed, numRuns: 200 },
  )
})

t.test('a failure comes with all that is known of it', async t => {
  const error = new SillokError('UNAVAILABLE', 'gone', { outcome: 'unknown', details: { node: 'a:1' } })
  const { number, result } = decodeCallAnswer(encodeCallAnswer({ number: 7, result: error }))
  t.equal(number, 7)
  t.match(result, { code: 'UNAVAILABLE', message: 'gone', outcome: 'unknown', details: { node: 'a:1' } })
})

t.test('of what no answer can hold the caller hears that it cannot', async t => {
  const told = (result: Parameters<typeof encodeCallAnswer>[0]['result']): unknown =>
    decodeCallAnswer(encodeCallAnswer({ number: 1, result })).result
  t.match(told({ value: Buffer.alloc(5 * 1024 * 1024) }), { code: 'TOO_LARGE' })
  t.match(told({ value: { f: () => 1 } }), { code: 'INVALID' })
  const odd = new SillokError('STOPPED', 'odd', { details: { f: (() => 1) as unknown as string } })
  t.match(told(odd), { code: 'STOPPED', outcome: 'unknown' })
})

t.test('no flipped bit passes, nor a frame of another kind, stream or form', async t => {
  const call = encodeCall({ number: 5, method: 'm', argument: { a: 1 } })
  const answer = encodeCallAnswer({ number: 5, result: { value: 1 } })
  for (const [bytes, refusal] of [
    [call, refusalBy(decodeCall)],
    [answer, refusalBy(decodeCallAnswer)],
  ] as const) {
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const other = Buffer.from(bytes)
      other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      t.ok(refusal(other), `bit ${bit}`)
    }
    const { kind, body } = decodeFrame(bytes)
    t.equal(refusal(encodeFrame(kind, 1, body)), 'INVALID')
    t.equal(refusal(encodeFrame(39, 0, body)), 'INVALID')
    t.equal(refusal(encodeFrame(kind, 0, body.subarray(0, 7))), 'INVALID')
    t.equal(refusal(encodeFrame(kind, 0, body.subarray(0, 8))), 'INVALID')
  }
  const refusal = refusalBy(decodeCall)
  const said = (what: unknown): Buffer =>
    encodeFrame(40, 0, Buffer.concat([Buffer.alloc(8), packStrict(what)]))
  for (const what of [1, 'm', [], ['m'.repeat(65), 1], ['', 1], [1, 1], ['m', 1, 2]]) {
    t.equal(refusal(said(what)), 'INVALID', JSON.stringify(what))
  }
})
