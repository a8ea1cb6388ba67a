/** A node's hello says who speaks, or it is refused. */
import fc from 'fast-check'
import t from 'tap'
import { decodeFrame, encodeFrame } from '../../../src/codec/frame.js'
import { decodeHello, encodeHello, type Hello } from '../../../src/replica/hello.js'
import { seedNumber as seed } from '../../seed.js'
import { refusalBy } from '../refusal.js'

t.comment(`SEED=${seed}`)

const hello: Hello = {
  purpose: 'messages',
  address: 'a.example:7001',
  cluster: '왕조',
  run: 2 ** 40,
  number: 3,
}

const refusal = refusalBy(decodeHello)

function changed(
  change: (body: Buffer) => unknown,
  of: Hello = hello,
  kind = 0,
  stream = 0,
): string | undefined {
  const body = Buffer.from(decodeFrame(encodeHello(of)).body)
  const other = change(body)
  return refusal(encodeFrame(kind, stream, Buffer.isBuffer(other) ? other : body))
}

t.test('what was said comes back', async t => {
  fc.assert(
    fc.property(
      fc.constantFrom('messages', 'snapshot'),
      fc.domain(),
      fc.nat({ max: 65_535 }),
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      fc.maxSafeNat(),
      fc.maxSafeNat(),
      (purpose, host, port, cluster, run, number) => {
        const made: Hello = { purpose, address: `${host}:${port}`, cluster, run, number }
        t.same(decodeHello(encodeHello(made)), made)
      },
    ),
    { seed, numRuns: 200 },
  )
  t.same(decodeHello(encodeHello({ ...hello, address: '[::1]:1', cluster: '' })).address, '[::1]:1')
})

t.test('who calls says no address, and perhaps no cluster; nobody else may do so', async t => {
  const caller: Hello = { ...hello, purpose: 'calls', address: '', cluster: '' }
  t.same(decodeHello(encodeHello(caller)), caller)
  t.equal(refusal(encodeHello({ ...caller, address: 'a:1' })), 'INVALID')
  t.equal(refusal(encodeHello({ ...caller, purpose: 'messages' })), 'INVALID')
  t.equal(refusal(encodeHello({ ...caller, purpose: 'snapshot' })), 'INVALID')
})

t.test('the layout is as documented', async t => {
  const { kind, stream, body } = decodeFrame(encodeHello({ ...hello, address: 'a:1', cluster: 'c', run: 5 }))
  t.same([kind, stream], [0, 0])
  const texts = Buffer.from('a:1c').toString('hex')
  t.equal(body.toString('hex'), `73696c6c01000000050000000000000003000000000000000300${'0100'}${texts}`)
})

t.test('no flipped bit passes, no hello cut short or followed by more', async t => {
  const whole = encodeHello(hello)
  for (let bit = 0; bit < 8 * whole.length; bit++) {
    const bytes = Buffer.from(whole)
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    if (refusal(bytes) !== 'DAMAGED') t.fail(`bit ${bit}`)
  }
  for (let length = 0; length < whole.length; length++) t.equal(refusal(whole.subarray(0, length)), 'DAMAGED')
  t.equal(refusal(Buffer.concat([whole, Buffer.of(0)])), 'DAMAGED')
})

t.test('what is no hello of this version is refused', async t => {
  const set =
    (at: number, value: number) =>
    (body: Buffer): void => {
      body[at] = value
    }
  t.equal(
    changed(() => undefined),
    undefined,
  )
  t.equal(
    changed(() => undefined, hello, 1),
    'INVALID',
    'a message',
  )
  t.equal(
    changed(() => undefined, hello, 0, 1),
    'INVALID',
    'a stream',
  )
  t.equal(changed(set(0, 0)), 'INVALID', 'no magic')
  t.equal(changed(set(4, 2)), 'INVALID', 'another version')
  t.throws(() => decodeHello(encodeFrame(0, 0, Buffer.from('73696c6c0200', 'hex'))), /version 2, here is 1/)
  t.equal(changed(set(6, 2)), 'INVALID', 'another purpose')
  t.equal(changed(set(14, 0x20)), 'INVALID', 'a run of 2^53')
  t.equal(changed(set(22, 0x20)), 'INVALID', 'a number of 2^53')
  t.equal(changed(set(24, 13)), 'INVALID', 'an address that is shorter')
  t.equal(
    changed(body => body.subarray(0, -1)),
    'INVALID',
    'a byte less',
  )
  t.equal(
    changed(body => Buffer.concat([body, Buffer.of(0)])),
    'INVALID',
    'a byte more',
  )
  t.equal(changed(set(28, 0x20)), 'INVALID', 'no address')
  t.equal(changed(set(42, 0xff)), 'INVALID', 'no UTF-8')
  for (let length = 0; length < 28; length++)
    t.equal(
      changed(body => body.subarray(0, length)),
      'INVALID',
    )
  t.equal(refusal(encodeFrame(0, 0, Buffer.alloc(1000))), 'TOO_LARGE')
})

t.test('what cannot be said throws before it is', async t => {
  t.throws(() => encodeHello({ ...hello, address: `${'a'.repeat(300)}:1` }), { code: 'INVALID' })
  t.throws(() => encodeHello({ ...hello, cluster: 'a'.repeat(257) }), { code: 'INVALID' })
  const longest = { ...hello, address: `${'a'.repeat(294)}:65535`, cluster: 'a'.repeat(256) }
  t.same(decodeHello(encodeHello(longest)), longest)
})
