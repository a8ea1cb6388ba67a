/** A request and its answer come back from their bytes; what is none is refused. */
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { errorTable, SillokError } from '../../../src/base/errors.js'
import { encodeFrame } from '../../../src/codec/frame.js'
import { packStrict } from '../../../src/codec/msgpack.js'
import type { Reply } from '../../../src/machine/reply.js'
import { decodeAsk, encodeAnswer, encodeAsk, isAskFrame } from '../../../src/replica/ask-codec.js'
import { encodePeerMessage } from '../../../src/replica/message-codec.js'
import { seedNumber as seed } from '../../seed.js'
import { refusalBy } from '../refusal.js'
import { numbered } from './transport-world.js'

t.comment(`SEED=${seed}`)

const request = { run: 2 ** 31, number: 2 ** 40 }
const command = { type: 'unsubscribe', name: '왕조' } as const
const ask = encodeAsk({ partition: 7, request, lane: 3, command })

const refusal = refusalBy(decodeAsk)

t.test('a request comes back with its name and its lane', async t => {
  const { bytes, ...rest } = decodeAsk(ask) as { bytes: number }
  t.strictSame(rest, { type: 'ask', partition: 7, request, lane: 3, command })
  t.equal(bytes, packStrict(command).length)
  t.ok(isAskFrame(ask))
  t.notOk(isAskFrame(encodePeerMessage(1, numbered(1, 1))))
  t.notOk(isAskFrame(Buffer.alloc(3)))
})

t.test('answers come back: what took effect, what was refused, what failed with its outcome', async t => {
  const replies: Reply[] = [
    { ok: true, version: 2 ** 40 + 5, value: { existed: [true, false] } },
    { ok: true, version: 0, value: null },
    {
      ok: false,
      code: 'UNIQUE_TAKEN',
      message: 'taken',
      details: { constraint: 'name', key: 'k', version: 3 },
    },
  ]
  for (const reply of replies) {
    t.strictSame(decodeAsk(encodeAnswer(1, request, reply)), { type: 'answer', request, result: reply })
  }
  for (const code of Object.keys(errorTable) as (keyof typeof errorTable)[]) {
    for (const outcome of ['not-applied', 'unknown'] as const) {
      const error = new SillokError(code, `한 ${code}`, { outcome, details: { leader: 3 } })
      const { result } = decodeAsk(encodeAnswer(1, request, error)) as { result: SillokError }
      t.ok(result instanceof SillokError)
      t.strictSame(
        [result.code, result.outcome, result.message, result.details],
        [code, outcome, `한 ${code}`, { leader: 3 }],
      )
    }
  }
})

t.test('of an error that cannot be sent whole code and outcome arrive', async t => {
  const odd = new SillokError('DAMAGED', 'x', {
    outcome: 'unknown',
    details: { at: undefined, map: new Map() },
  })
  const { result } = decodeAsk(encodeAnswer(1, request, odd)) as { result: SillokError }
  t.strictSame([result.code, result.outcome], ['DAMAGED', 'unknown'])
})

t.test('changed, cut and other frames are refused', async t => {
  const answer = encodeAnswer(1, request, { ok: true, version: 1, value: { existed: [true] } })
  for (const whole of [ask, answer]) {
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      const bytes = Buffer.from(whole)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      if (!['DAMAGED', 'TOO_LARGE'].includes(refusal(bytes) ?? '')) t.fail(`bit ${bit}`)
    }
    for (let length = 0; length < whole.length; length++)
      t.equal(refusal(whole.subarray(0, length)), 'DAMAGED')
  }
  fc.assert(
    fc.property(fc.constantFrom(30, 31), fc.uint8Array({ maxLength: 60 }), (kind, body) => {
      const code = refusal(encodeFrame(kind, 1, body))
      return code === undefined || code === 'INVALID'
    }),
    { seed, numRuns: 500 },
  )
  const named = (value: unknown): Buffer => Buffer.concat([Buffer.alloc(16), packStrict(value)])
  const answers = [
    {},
    { v: -1, value: null },
    { v: 1 },
    { v: 1, value: null, more: 1 },
    { c: 'NO_SUCH_CODE', m: '', d: {} },
    { c: 'CLOSED', m: 1, d: {} },
    { c: 'CLOSED', m: '', d: [] },
    { c: 'CLOSED', m: '', d: {}, o: 'perhaps' },
  ]
  for (const value of answers)
    t.equal(refusal(encodeFrame(31, 1, named(value))), 'INVALID', JSON.stringify(value))
  t.equal(refusal(encodeFrame(32, 1, named({ v: 1, value: null }))), 'INVALID')
  t.ok(isDeepStrictEqual(decodeAsk(ask), decodeAsk(Buffer.from(ask))))
})
