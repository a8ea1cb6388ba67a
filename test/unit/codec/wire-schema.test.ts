/** Laws of shapes: a typed value or a refusal that names the path. */
import t from 'tap'
import {
  anything,
  boolean,
  bytes,
  dictionary,
  index,
  integer,
  list,
  literal,
  nullable,
  number,
  object,
  optional,
  parse,
  record,
  text,
  union,
} from '../../../src/codec/wire-schema.js'

const put = object({ op: literal('put'), in: text(128, 1), document: record(), ifVersion: optional(index()) })
const remove = object({ op: literal('delete'), in: text(128, 1), key: anything() })
const command = object({
  commands: list(union('op', { put, delete: remove }), 3),
  session: nullable(index()),
  labels: optional(dictionary(integer(0, 9), 2)),
})

t.test('what has the shape comes back typed', async t => {
  const input = {
    commands: [
      { op: 'put', in: 'users', document: { a: 1 }, ifVersion: 7 },
      { op: 'delete', in: 'users', key: null },
    ],
    session: null,
    labels: { a: 1, constructor: 2 },
  }
  const value = parse(command, input)
  t.same(value, input)
  const first = value.commands[0]
  const version: number | undefined = first?.op === 'put' ? first.ifVersion : undefined
  t.equal(version, 7)
  t.same(value.labels, input.labels)
})

t.test('a refusal names the path and what was expected', async t => {
  const wrong: [unknown, string, RegExp][] = [
    [1, '$', /an object/],
    [null, '$', /an object/],
    [[], '$', /an object/],
    [new (class Box {})(), '$', /an object/],
    [{ session: 1 }, '$.commands', /given/],
    [{ commands: {}, session: 1 }, '$.commands', /a list of at most 3/],
    [{ commands: [1, 2, 3, 4], session: 1 }, '$.commands', /a list of at most 3/],
    [{ commands: [1], session: 1 }, '$.commands[0]', /an object/],
    [{ commands: [{ op: 'drop' }], session: 1 }, '$.commands[0].op', /"put" or "delete"/],
    [{ commands: [{ op: 'toString' }], session: 1 }, '$.commands[0].op', /"put" or "delete"/],
    [{ commands: [{ op: 'put', in: '', document: {} }], session: 1 }, '$.commands[0].in', /text of 1 to 128/],
    [{ commands: [{ op: 'put', in: 'u', document: [] }], session: 1 }, '$.commands[0].document', /an object/],
    [{ commands: [], session: -1 }, '$.session', /whole number from 0/],
    [{ commands: [], session: 1.5 }, '$.session', /whole number/],
    [{ commands: [], session: 2 ** 53 }, '$.session', /whole number/],
    [{ commands: [], session: 1, labels: { 'a b': 10 } }, '$.labels["a b"]', /from 0 to 9/],
    [{ commands: [], session: 1, labels: { a: 1, b: 1, c: 1 } }, '$.labels', /at most 2 fields/],
    [{ commands: [], session: 1, labels: undefined }, '$.labels', /at most 2 fields/],
    [{ commands: [], session: 1, more: 1 }, '$.more', /a known field/],
    [JSON.parse('{"commands":[],"session":1,"__proto__":{}}'), '$.__proto__', /a known field/],
    [Object.create({ commands: [], session: 1 }), '$', /an object/],
  ]
  for (const [input, path, message] of wrong) {
    t.throws(() => parse(command, input, 'request'), { code: 'INVALID', details: { path }, message }, path)
  }
  t.throws(() => parse(index(), 'x', 'term'), { message: /^term: \$ is not a whole number/ })
})

t.test('each simple shape holds at its limit and refuses one more', async t => {
  t.equal(parse(text(3), '한'), '한')
  t.equal(parse(integer(-1, 1), -1), -1)
  t.equal(parse(index(), Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
  t.equal(parse(number(), -0.5), -0.5)
  t.equal(parse(boolean(), false), false)
  t.same(parse(bytes(2), Buffer.of(1, 2)), Buffer.of(1, 2))
  t.equal(parse(literal('a', 2, null), null), null)
  const wrong = [
    () => parse(text(3), '한a'),
    () => parse(text(3), 1),
    () => parse(integer(-1, 1), 2),
    () => parse(number(), Number.NaN),
    () => parse(number(), '1'),
    () => parse(boolean(), 0),
    () => parse(bytes(2), Buffer.alloc(3)),
    () => parse(bytes(2), [1]),
    () => parse(literal('a', 2), 'b'),
  ]
  for (const call of wrong) t.throws(call, { code: 'INVALID' })
})
