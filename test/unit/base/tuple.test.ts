/** Laws of the ordered encoding, against a plain comparison of values. */
import fc from 'fast-check'
import t from 'tap'
import { isSillokError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import {
  decodeKey,
  decodeTuple,
  encodeKey,
  encodeTextPrefix,
  encodeTuple,
  type TupleValue,
  tuplePrefixEnd,
} from '../../../src/base/tuple.js'
import { seedNumber as seed } from '../../seed.js'
import { anyCodePoint } from '../code-point.js'

t.comment(`SEED=${seed}`)
const runs = { seed, numRuns: 2000 }

const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -0, 1, -1, 0.5, -0.5, 5e-324, -5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, 255, 256),
)
const text = fc.oneof(
  fc.string({ unit: anyCodePoint, maxLength: 6 }),
  fc.string({
    unit: fc.constantFrom('a', 'b', '\0', '\x01', 'ÿ', '가', '\uffff', '\u{10000}'),
    maxLength: 5,
  }),
)
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 6 }),
  fc.array(fc.constantFrom(0, 1, 254, 255), { maxLength: 5 }).map(list => Uint8Array.from(list)),
)
const { value } = fc.letrec<{ value: TupleValue }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    number,
    text,
    bytes,
    fc.date({ noInvalidDate: true }),
    fc.array(tie('value') as fc.Arbitrary<TupleValue>, { maxLength: 4 }),
  ),
}))
const tuple = fc.array(value, { maxLength: 4 })

function rank(value: TupleValue): number {
  if (value === null) return 0
  if (typeof value === 'boolean') return 1
  if (typeof value === 'number') return 2
  if (value instanceof Date) return 3
  if (typeof value === 'string') return 4
  return value instanceof Uint8Array ? 5 : 6
}

/** The documented order, said once more without bytes. */
function order(a: TupleValue, b: TupleValue): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b)
  if (typeof a === 'string' && typeof b === 'string') {
    return orderList([...a].map(codePoint), [...b].map(codePoint))
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) return orderList([...a], [...b])
  if (Array.isArray(a) && Array.isArray(b)) return orderList(a, b)
  return Math.sign(Number(a) - Number(b)) || (Number(a) < Number(b) ? -1 : Number(a) > Number(b) ? 1 : 0)
}

function codePoint(character: string): number {
  return character.codePointAt(0) ?? 0
}

function orderList(a: readonly TupleValue[], b: readonly TupleValue[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const by = order(a[i] as TupleValue, b[i] as TupleValue)
    if (by !== 0) return by
  }
  return a.length - b.length
}

/** What comes back: -0 as 0, everything else as it was. */
function plain(value: TupleValue): TupleValue {
  if (typeof value === 'number') return value + 0
  return Array.isArray(value) ? value.map(plain) : value
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  return bytes.subarray(0, prefix.length).equals(prefix)
}

t.test('bytes compare as the values do', async t => {
  const near = fc.tuple(tuple, tuple, value, value).map(
    ([head, , a, b]) =>
      [
        [...head, a],
        [...head, b],
      ] as const,
  )
  fc.assert(
    fc.property(fc.oneof(fc.tuple(tuple, tuple), near), ([a, b]) => {
      return Math.sign(Buffer.compare(encodeTuple(a), encodeTuple(b))) === Math.sign(orderList(a, b))
    }),
    { ...runs, numRuns: 20_000 },
  )
  fc.assert(
    fc.property(
      text,
      text,
      (a, b) => Math.sign(Buffer.compare(encodeTuple([a]), encodeTuple([b]))) === Math.sign(order(a, b)),
    ),
    runs,
  )
  fc.assert(
    fc.property(
      number,
      number,
      (a, b) => Math.sign(Buffer.compare(encodeTuple([a]), encodeTuple([b]))) === Math.sign(order(a, b)),
    ),
    runs,
  )
  t.pass()
})

t.test('every step of the documented order is a step of the bytes', async t => {
  const ladder: TupleValue[] = [
    ...[null, false, true],
    ...[-Number.MAX_VALUE, -(2 ** 53) - 2, -(2 ** 53), 1 - 2 ** 53, -256, -255, -1.5, -1, -0.5],
    ...[-(2 ** -1022), -5e-324, 0, 5e-324, 2 ** -1022, 0.5, 1, 255, 256, 2 ** 31, 2 ** 32],
    ...[2 ** 53 - 1, 2 ** 53, 2 ** 53 + 2, Number.MAX_VALUE],
    ...[-8.64e15, -1, 0, 1, 8.64e15].map(ms => new Date(ms)),
    // UTF-16 units would put U+10000, which begins with D800, before U+FFFF.
    ...[
      '',
      '\0',
      '\0\0',
      '\0\x01',
      '\0a',
      '\x01',
      'a',
      'a\0',
      'a\0\0',
      'a\0b',
      'a\x01',
      'aa',
      'b',
      '\x7f',
      '\x80',
    ],
    ...['ÿ', '가', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'],
    ...['', '00', '0000', '0001', '00ff', '01', 'ff', 'ff00', 'ffff'].map(hex => Buffer.from(hex, 'hex')),
    ...[[], [null], [null, null], [1], [1, 1], ['a'], ['a', ''], ['a', [1]], ['a\0'], ['a\0b'], ['b']],
    ...[[Buffer.of(0)], [Buffer.of(0), null], [Buffer.of(0, 0)], [[]], [[], null], [[null]], [[[]]]],
  ]
  for (let i = 0; i < ladder.length; i++) {
    for (let j = 0; j < ladder.length; j++) {
      const [a, b] = [ladder[i] as TupleValue, ladder[j] as TupleValue]
      // As a whole tuple, and with more behind it, which must not weigh.
      const alone = Math.sign(Buffer.compare(encodeTuple([a]), encodeTuple([b])))
      const behind = Math.sign(Buffer.compare(encodeTuple([a, [[]]]), encodeTuple([b, null])))
      if (alone !== Math.sign(i - j)) t.fail(`${i}, ${j}: ${JSON.stringify([a, b])}`)
      if (behind !== (i === j ? 1 : alone)) t.fail(`${i}, ${j} with more behind: ${JSON.stringify([a, b])}`)
    }
  }
  t.pass()
})

t.test('a tuple comes back as it was, -0 as 0', async t => {
  fc.assert(
    fc.property(tuple, values => {
      t.strictSame(decodeTuple(encodeTuple(values)), values.map(plain))
    }),
    { ...runs, numRuns: 500 },
  )
  t.equal(Object.is(decodeTuple(encodeTuple([-0]))[0], 0), true)
})

t.test('a prefix range holds exactly what begins with it', async t => {
  fc.assert(
    fc.property(tuple, tuple, text, text, (head, rest, begin, more) => {
      const start = encodeTuple(head)
      const stop = tuplePrefixEnd(start)
      const inside = encodeTuple([...head, ...rest])
      if (Buffer.compare(start, inside) > 0 || Buffer.compare(inside, stop) >= 0) return false
      const other = encodeTuple(rest)
      const within = Buffer.compare(start, other) <= 0 && Buffer.compare(other, stop) < 0
      if (within !== startsWith(other, start)) return false
      const from = encodeTextPrefix(head, begin)
      const to = tuplePrefixEnd(from)
      const hit = encodeTuple([...head, more, ...rest])
      const hits = Buffer.compare(from, hit) <= 0 && Buffer.compare(hit, to) < 0
      return hits === more.startsWith(begin)
    }),
    { ...runs, numRuns: 5000 },
  )
  t.same([...tuplePrefixEnd(Buffer.of(1, 255, 255))], [2])
  t.same([...tuplePrefixEnd(Buffer.of())], [255])
})

t.test('a key is a text or a safe integer, within its limit', async t => {
  const keys = fc.oneof(
    text.filter(key => key.length > 0),
    fc.maxSafeInteger(),
    fc.string({ minLength: 1, maxLength: 80 }),
  )
  fc.assert(
    fc.property(
      keys,
      key =>
        decodeKey(encodeKey(key)) === (typeof key === 'number' ? key + 0 : key) &&
        encodeKey(key).equals(encodeTuple([key])),
    ),
    runs,
  )
  t.notSame(encodeKey('0'), encodeKey(0))
  t.ok(encodeKey(-0).equals(encodeKey(0)))
  t.equal(encodeKey('x'.repeat(limits.keyBytesMax - 2)).length, limits.keyBytesMax)
  t.equal(encodeKey('한'.repeat(340)).length, 1022)
  for (const long of [
    'x'.repeat(limits.keyBytesMax - 1),
    '\0'.repeat(512),
    '한'.repeat(341),
    'x'.repeat(1 << 20),
  ]) {
    t.throws(() => encodeKey(long), { code: 'TOO_LARGE', details: { limit: limits.keyBytesMax } })
  }
  for (const wrong of [
    '',
    '\ud800',
    'a\udc00b',
    1.5,
    Number.NaN,
    2 ** 53,
    null,
    undefined,
    {},
    true,
    1n,
    Symbol('s'),
  ]) {
    t.throws(() => encodeKey(wrong as string), { code: 'INVALID' }, typeof wrong)
  }
})

t.test('what has no place in the order is refused', async t => {
  const deep = (depth: number): TupleValue => (depth === 0 ? 1 : [deep(depth - 1)])
  t.doesNotThrow(() => encodeTuple([deep(limits.documentDepthMax)]))
  const wrong = [
    Number.NaN,
    1 / 0,
    -1 / 0,
    new Date(Number.NaN),
    undefined,
    {},
    1n,
    '\udfff',
    [[undefined]],
    deep(65),
  ]
  for (const value of wrong) t.throws(() => encodeTuple([value as TupleValue]), { code: 'INVALID' })
  t.throws(() => encodeTextPrefix([], '\ud83d'), { code: 'INVALID' })
  t.same(decodeTuple(encodeTuple(['ok'])), ['ok'], 'a refusal leaves nothing behind')
})

t.test('other bytes are refused, and only what encodes to itself is read', async t => {
  let read = 0
  const candidate = fc.oneof(
    fc.uint8Array({ maxLength: 24 }),
    fc
      .array(fc.constantFrom(0, 1, 3, 0x20, 0x30, 0x40, 0x50, 0x60, 0x61, 0xff, 0x80), { maxLength: 14 })
      .map(list => Uint8Array.from(list)),
  )
  fc.assert(
    fc.property(candidate, bytes => {
      try {
        const values = decodeTuple(bytes)
        read++
        return Buffer.compare(encodeTuple(values), bytes) === 0
      } catch (error) {
        return isSillokError(error, 'DAMAGED')
      }
    }),
    { ...runs, numRuns: 20_000 },
  )
  t.ok(read > 100, `${read} were tuples`)
  const bombs = [
    Buffer.alloc(1 << 20, 0x60),
    Buffer.from('40c080' + '00', 'hex'),
    Buffer.from('20' + '7fffffffffffffff', 'hex'),
  ]
  for (const bomb of bombs) t.throws(() => decodeTuple(bomb), { code: 'DAMAGED' })
  for (const wrong of [[], ['a', 'b'], [''], [1.5], [null], [2 ** 60]]) {
    t.throws(() => decodeKey(encodeTuple(wrong)), { code: 'DAMAGED' })
  }
})

t.test('a large tuple leaves no large buffer behind and comes back', async t => {
  const large = ['x'.repeat(200_000), Buffer.alloc(100_000), '\0'.repeat(50_000)]
  const [a, b, c] = decodeTuple(encodeTuple(large))
  t.ok(a === large[0] && c === large[2] && Buffer.compare(b as Uint8Array, large[1] as Buffer) === 0)
})
