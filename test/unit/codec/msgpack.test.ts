/** Laws of the strict MessagePack: what goes in, what comes out, and what bytes of others can do. */
import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import t from 'tap'
import { isSillokError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import { decodeDocument, encodeDocument } from '../../../src/codec/document.js'
import { packStrict, unpackStrict } from '../../../src/codec/msgpack.js'
import type { ValueLimits } from '../../../src/codec/value.js'
import { seedNumber as seed } from '../../seed.js'
import { anyCodePoint } from '../code-point.js'

t.comment(`SEED=${seed}`)

const depth = limits.documentDepthMax
const elements = limits.documentElementsMax
const small: ValueLimits = { depthMax: 8, elementsMax: 200, bytesMax: 4096 }

const fieldName = fc
  .oneof(
    fc.string({ unit: 'grapheme', maxLength: 8 }),
    fc.constantFrom(
      'constructor',
      'prototype',
      'toString',
      'toJSON',
      'length',
      '',
      '0',
      '17',
      'x'.repeat(40),
    ),
  )
  .filter(name => name !== '__proto__')
const { value } = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom(
      null,
      true,
      false,
      0,
      -0,
      127,
      128,
      255,
      256,
      65535,
      65536,
      2 ** 32,
      -1,
      -32,
      -33,
      -128,
      -129,
    ),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: anyCodePoint, maxLength: 70 }),
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.string({ minLength: 28, maxLength: 300 }),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fieldName, tie('value'), { maxKeys: 20, noNullPrototype: true }),
  ),
}))
const document = fc.dictionary(fieldName, value, { maxKeys: 20, noNullPrototype: true })

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)])

t.test('every accepted document comes back deep-equal, byte for byte the same each time', async t => {
  fc.assert(
    fc.property(document, input => {
      const bytes = encodeDocument(input)
      deepStrictEqual(decodeDocument(bytes), input)
      deepStrictEqual(unpackStrict(bytes), input)
      return encodeDocument(unpackStrict(bytes)).equals(bytes)
    }),
    { seed, numRuns: 4000 },
  )
  t.pass()
})

t.test('a date keeps its milliseconds over the whole range', async t => {
  const edges = [
    0,
    1,
    -1,
    999,
    -999,
    1000,
    -1000,
    8.64e15,
    -8.64e15,
    2 ** 32 * 1000 - 1,
    2 ** 32 * 1000,
    2 ** 34 * 1000,
  ]
  const ms = fc.oneof(fc.integer({ min: -8.64e15, max: 8.64e15 }), fc.integer(), fc.constantFrom(...edges))
  fc.assert(
    fc.property(ms, ms => {
      const bytes = packStrict(new Date(ms))
      return (unpackStrict(bytes) as Date).getTime() === ms
    }),
    { seed, numRuns: 5000, examples: edges.map(edge => [edge] as [number]) },
  )
  t.pass()
})

t.test('bytes come back as a Uint8Array of its own memory, also out of a Buffer', async t => {
  const bytes = packStrict({ blob: Buffer.from('abc') })
  const { blob } = unpackStrict(bytes) as { blob: Uint8Array }
  t.equal(Object.getPrototypeOf(blob), Uint8Array.prototype)
  bytes.fill(0)
  t.same([...blob], [97, 98, 99])
  t.same(Object.keys(bytes).length, bytes.length, 'nothing is hung onto the bytes')
})

t.test('the bytes are the shortest plain MessagePack, readable by any library', async t => {
  const input = {
    id: 'u1',
    age: 33,
    tags: ['a', null, true],
    at: new Date(1000),
    score: 0.5,
    minus: -0,
    c: { d: {} },
  }
  const bytes = packStrict(input)
  const hex = '87a26964a27531a361676521a47461677393a161c0c3a26174d6ff00000001a573636f7265cb3fe0000000000000'
  t.equal(bytes.toString('hex'), `${hex}a56d696e7573cb8000000000000000a16381a16480`)
  t.same(new Packr({ useRecords: false }).unpack(bytes), input)
  t.not(packStrict({ a: 1, b: 2 }).equals(packStrict({ b: 2, a: 1 })), 'the order of fields is kept')
})

t.test('large documents come back whole, whatever they are full of', async t => {
  const many = 5_000
  const fills: unknown[] = [
    -0,
    0.5,
    new Date(-1),
    'text of some length',
    '한글',
    Buffer.alloc(20, 7),
    { a: [-0] },
    null,
  ]
  for (const fill of fills) {
    const input = { first: 1, all: new Array<unknown>(many).fill(fill), last: -0 }
    const { all, ...rest } = unpackStrict(encodeDocument(input)) as typeof input
    deepStrictEqual(rest, { first: 1, last: -0 })
    deepStrictEqual(all.length, many)
    for (const one of all) deepStrictEqual(one, fill instanceof Buffer ? new Uint8Array(fill) : fill)
  }
  t.pass()
})

class Point {
  x = 1
}

t.test('a refusal names the path and what to do', async t => {
  const loop: { inner?: unknown } = {}
  loop.inner = [{ loop }]
  const named = Object.assign([1, 2], { index: 0 })
  const cases: [string, unknown, RegExp][] = [
    ['$.address.tags[3]', { address: { tags: [1, 2, 3, undefined] } }, /leave the field out/],
    ['$.list[1]', { list: new Array(2).fill(1, 0, 1) }, /undefined/],
    ['$.f', { f: () => 1 }, /function/],
    ['$.s', { s: Symbol('s') }, /symbol/],
    ['$.big', { big: 10n }, /bigint/],
    ['$.n', { n: Number.NaN }, /NaN/],
    ['$.n', { n: -1 / 0 }, /-Infinity/],
    ['$["odd name"].p', { 'odd name': { p: new Point() } }, /an instance of Point/],
    ['$.m', { m: new Map() }, /an instance of Map/],
    ['$.a', { a: new (class Row extends Array {})() }, /derived from Array/],
    ['$.a', { a: named }, /named fields/],
    ['$.d', { d: new Date(Number.NaN) }, /invalid date/],
    ['$.d', { d: new (class Day extends Date {})() }, /an instance of Day/],
    ['$.b', { b: new Uint16Array(2) }, /Uint16Array/],
    ['$.t', { t: 'a\ud800' }, /ill-formed text/],
    ['$["\\udc00"]', { '\udc00': 1 }, /ill-formed field name/],
    ['$.o.__proto__', JSON.parse('{"o":{"__proto__":1}}'), /no field may be named __proto__/],
    ['$', { [Symbol('s')]: 1 }, /symbol/],
    ['$.inner[0].loop', loop, /contains itself/],
    [`$.a${'[0]'.repeat(depth - 1)}`, { a: nested(depth) }, new RegExp(`deeper than ${depth} levels`)],
    ['$.길이', { 길이: undefined }, /undefined/],
  ]
  for (const [path, input, message] of cases) {
    t.throws(
      () => encodeDocument(input),
      { code: 'INVALID', outcome: 'not-applied', details: { path }, message },
      path,
    )
  }
  for (const wrong of [null, undefined, 1, 'text', [], new Point(), new Date(0), () => 1]) {
    t.throws(() => encodeDocument(wrong), { code: 'INVALID', message: /a document is a plain object/ })
  }
})

t.test('objects without prototype and shared parts are plain enough', async t => {
  const part = { x: 1 }
  const input = Object.assign(Object.create(null) as object, { a: part, b: part, constructor: 'c' })
  t.same(decodeDocument(encodeDocument(input)), { a: { x: 1 }, b: { x: 1 }, constructor: 'c' })
  t.equal(({} as { polluted?: unknown }).polluted, undefined)
})

t.test('each budget holds at the limit and refuses one more', async t => {
  t.same(unpackStrict(packStrict(nested(depth))), nested(depth))
  t.throws(() => packStrict(nested(depth + 1)), { code: 'INVALID' })
  const deeper = packStrict(nested(depth + 1), { ...small, depthMax: depth + 1 })
  t.throws(() => unpackStrict(deeper), { code: 'INVALID', message: /deeper than 64 levels/ })

  const most = new Array(elements - 1).fill(0)
  t.equal((unpackStrict(packStrict(most)) as unknown[]).length, elements - 1)
  t.throws(() => packStrict([...most, 0]), { code: 'INVALID', message: /more than 100000 values/ })
  const more = packStrict([...most, 0], { depthMax: 1, elementsMax: elements + 1, bytesMax: 1 << 20 })
  t.throws(() => unpackStrict(more), { code: 'INVALID', message: /more than 100000 values/ })

  const empty = encodeDocument({ t: 'x'.repeat(100_000) }).length - 100_000
  const full = { t: 'x'.repeat(limits.documentBytesMax - empty) }
  const bytes = encodeDocument(full)
  t.equal(bytes.length, limits.documentBytesMax)
  t.same(unpackStrict(bytes), full)
  const measured = { bytes: limits.documentBytesMax + 1, limit: limits.documentBytesMax }
  t.throws(() => encodeDocument({ t: `${full.t}x` }), { code: 'TOO_LARGE', details: measured })
  t.throws(() => unpackStrict(Buffer.concat([bytes, Buffer.of(0)])), { code: 'TOO_LARGE', details: measured })
  t.throws(() => encodeDocument({ t: 'x'.repeat(1 << 26) }), { code: 'TOO_LARGE' }, 'without encoding it')
})

t.test('bytes that are not one plain value are refused', async t => {
  const cases: [string, RegExp][] = [
    ['', /cut short/],
    ['c1', /type byte 0xc1/],
    ['0000', /after the end/],
    ['a2ff', /cut short/],
    ['a1ff', /ill-formed UTF-8/],
    ['a3eda080', /ill-formed UTF-8/],
    ['c4', /cut short/],
    ['c6ffffffff00', /cut short/],
    ['dbffffffff61', /cut short/],
    ['ddffffffff00', /longer than the bytes/],
    ['dfffffffff00', /longer than the bytes/],
    ['91', /longer than the bytes/],
    ['81a16100a1', /after the end/],
    ['8101c0', /longer|not text/],
    ['810101', /not text/],
    ['81c0c0', /not text/],
    ['8190c0', /not text/],
    ['82a16101a16102', /given twice/],
    ['82a16101d9016102', /given twice/],
    ['81a95f5f70726f746f5f5f01', /__proto__/],
    ['cb7ff8000000000000', /NaN/],
    ['cbfff0000000000000', /infinity/],
    ['ca7f800000', /infinity/],
    ['cf0020000000000000', /beyond/],
    ['d3ffdfffffffffffff', /beyond/],
    ['d4ffff', /0xd4/],
    ['d472409161', /0xd4/],
    ['d57240', /0xd5/],
    ['d80000', /0xd8/],
    ['c80000', /0xc8/],
    ['c7050078', /not a timestamp/],
    ['c70078', /not a timestamp/],
    ['c704ff00000000', /not a timestamp/],
    ['d67f00000000', /not a timestamp/],
    ['d66200000000', /not a timestamp/],
    ['d7ffee6b280000000000', /milliseconds/],
    ['d7ff0000000400000000', /milliseconds/],
    ['c70cff000000000000084595161401', /out of range/],
  ]
  for (const [hex, message] of cases) {
    t.throws(() => unpackStrict(Buffer.from(hex, 'hex')), { code: 'INVALID', message }, hex)
  }
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${String(i).padStart(2, '0')}`, i]))
  const twice = packStrict(many)
  twice.write('k00', twice.indexOf('k39'))
  t.throws(() => unpackStrict(twice), { code: 'INVALID', message: /given twice/ })
  t.equal(unpackStrict(Buffer.from('cf001fffffffffffff', 'hex')), Number.MAX_SAFE_INTEGER)
  t.equal(unpackStrict(Buffer.from('d3ffe0000000000001', 'hex')), Number.MIN_SAFE_INTEGER)
  t.equal(unpackStrict(Buffer.from('ca3f000000', 'hex')), 0.5)
})

t.test('small bytes do not become much memory', async t => {
  const bombs: Buffer[] = [
    Buffer.concat([Buffer.from('dd000fff00', 'hex'), Buffer.alloc(0xfff00, 0x80)]),
    Buffer.concat([Buffer.from('dd000fff00', 'hex'), Buffer.alloc(0xfff00, 0x90)]),
    Buffer.concat([Buffer.from('dd000fff00', 'hex'), Buffer.alloc(0xfff00, 0xc0)]),
    Buffer.alloc(limits.documentBytesMax, 0x91),
    Buffer.alloc(limits.documentBytesMax, Buffer.from('dcffff', 'hex')),
    Buffer.alloc(limits.documentBytesMax, Buffer.from('81a0', 'hex')),
  ]
  const before = process.memoryUsage().heapUsed
  for (const bomb of bombs) t.throws(() => unpackStrict(bomb), { code: 'INVALID' })
  const grown = process.memoryUsage().heapUsed - before
  t.ok(grown < 8 << 20, `${grown} bytes for ${bombs.length} bombs`)
})

/** Random bytes, mostly of types that lead somewhere. */
function randomBytes(random: Random): Buffer {
  const bytes = random.bytes(random.below(60))
  const leading = [
    0x81, 0x82, 0x91, 0x93, 0xa1, 0xa3, 0xc4, 0xd6, 0xd7, 0xd9, 0xdc, 0xde, 0xcb, 0xc7, 0xff, 0, 1,
  ]
  for (let i = 0; i < bytes.length; i++) if (random.chance(0.6)) bytes[i] = random.pick(leading)
  return bytes
}

function mutated(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(
    bytes.subarray(0, random.chance(0.2) ? random.below(bytes.length + 1) : bytes.length),
  )
  for (let i = random.below(4); i > 0 && copy.length > 0; i--)
    copy[random.below(copy.length)] = random.below(256)
  return copy
}

t.test('random bytes are a plain value or a refusal, never anything else', async t => {
  const random = new Random(seed)
  const samples = fc.sample(document, { seed, numRuns: 200 }).map(input => encodeDocument(input))
  let read = 0
  for (let i = 0; i < 100_000; i++) {
    const bytes = random.chance(0.4) ? randomBytes(random) : mutated(random, random.pick(samples))
    try {
      const value = unpackStrict(bytes)
      read++
      if (i % 8 === 0) deepStrictEqual(unpackStrict(packStrict(value)), value)
    } catch (error) {
      if (!isSillokError(error, 'INVALID')) {
        t.fail(`SEED=${seed} case ${i}: ${bytes.toString('hex')}`, { found: String(error) })
        return
      }
    }
  }
  t.ok(read > 10_000, `${read} of 100,000 were values`)
  t.equal(({} as { polluted?: unknown }).polluted, undefined)
})
