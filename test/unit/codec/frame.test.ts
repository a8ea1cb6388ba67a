/** Laws of the frame: whole or refused, however the stream is cut. */
import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import { decodeFrame, encodeFrame, FrameReader, frameHead, frameHeadBytes } from '../../../src/codec/frame.js'
import { seedNumber as seed } from '../../seed.js'

t.comment(`SEED=${seed}`)

const frames = fc.array(
  fc.record({
    kind: fc.integer({ min: 0, max: 0xffff }),
    stream: fc.integer({ min: 0, max: 0xffffffff }),
    body: fc.uint8Array({ maxLength: 60 }).map(bytes => Buffer.from(bytes)),
  }),
  { maxLength: 8 },
)

t.test('the layout is as documented', async t => {
  const bytes = encodeFrame(7, 9, Buffer.from('abc'))
  t.equal(bytes.toString('hex'), '736607000300000009000000c24124354b5a8a7d616263')
  t.equal(frameHead(7, 9, Buffer.from('a'), Buffer.from('bc')).toString('hex'), bytes.toString('hex', 0, 20))
  t.equal(frameHead(7, 9, Buffer.from('abc')).toString('hex'), bytes.toString('hex', 0, 20))
  t.same(decodeFrame(encodeFrame(1, 2, Buffer.alloc(0))), { kind: 1, stream: 2, body: Buffer.alloc(0) })
})

t.test('frames come out of a stream as they went in, however it is cut', async t => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (frames, cuts) => {
      const stream = Buffer.concat(frames.map(({ kind, stream, body }) => encodeFrame(kind, stream, body)))
      const reader = new FrameReader(60)
      const found = []
      for (let at = 0, i = 0; at < stream.length; i++) {
        const length = cuts[i % cuts.length] ?? 1
        reader.push(stream.subarray(at, at + length))
        at += length
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) found.push(frame)
        if (reader.pendingBytes > frameHeadBytes + 60) return false
      }
      reader.end()
      return (
        found.length === frames.length &&
        found.every((frame, i) => {
          const made = frames[i]
          return frame.kind === made?.kind && frame.stream === made.stream && frame.body.equals(made.body)
        })
      )
    }),
    { seed, numRuns: 2000 },
  )
  t.pass()
})

t.test('no flipped bit passes', async t => {
  const whole = encodeFrame(3, 4, Buffer.from('a body of some bytes'))
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const bytes = Buffer.from(whole)
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    t.throws(() => decodeFrame(bytes), { code: 'DAMAGED' })
    const reader = new FrameReader()
    reader.push(bytes)
    t.throws(() => reader.next(), { code: 'DAMAGED' })
    t.throws(() => reader.next(), { code: 'DAMAGED' }, 'and the reader stays failed')
  }
  t.throws(() => decodeFrame(Buffer.alloc(64)), { code: 'DAMAGED', message: /no frame begins/ })
})

t.test('a frame cut short, or followed by more, is damaged', async t => {
  const whole = encodeFrame(3, 4, Buffer.from('body'))
  for (let length = 0; length < whole.length; length++) {
    t.throws(() => decodeFrame(whole.subarray(0, length)), { code: 'DAMAGED' })
    const reader = new FrameReader()
    reader.push(whole.subarray(0, length))
    t.equal(reader.next(), undefined)
    if (length > 0) t.throws(() => reader.end(), { code: 'DAMAGED' })
  }
  t.throws(() => decodeFrame(Buffer.concat([whole, Buffer.of(0)])), { code: 'DAMAGED' })
})

t.test('a body over the maximum is refused before it is waited for', async t => {
  const bytes = encodeFrame(0, 0, Buffer.alloc(100))
  t.equal(decodeFrame(bytes, 100).body.length, 100)
  const details = { bytes: 100, limit: 99 }
  t.throws(() => decodeFrame(bytes, 99), { code: 'TOO_LARGE', details })
  const reader = new FrameReader(99)
  reader.push(bytes.subarray(0, frameHeadBytes))
  t.throws(() => reader.next(), { code: 'TOO_LARGE', details })
  t.equal(reader.pendingBytes, 0)
  t.throws(() => encodeFrame(0, 0, Buffer.alloc(limits.walBatchBytesMax + 1)), { name: 'InvariantError' })
  t.equal(
    encodeFrame(0, 0, Buffer.alloc(limits.walBatchBytesMax)).length,
    limits.walBatchBytesMax + frameHeadBytes,
  )
})

t.test('a large frame in small pieces is joined once', async t => {
  const body = new Random(seed).bytes(1 << 20)
  const bytes = encodeFrame(1, 1, body)
  const reader = new FrameReader()
  let found: Buffer | undefined
  for (let at = 0; at < bytes.length; at += 512) {
    reader.push(bytes.subarray(at, at + 512))
    found ??= reader.next()?.body
  }
  t.ok(found?.equals(body))
})
