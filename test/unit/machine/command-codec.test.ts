/** A command comes back from its bytes as it was, and bytes that are none are refused. */
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { packStrict } from '../../../src/codec/msgpack.js'
import { keyText } from '../../../src/codec/row.js'
import type { Command } from '../../../src/machine/command.js'
import {
  type AskedCommand,
  askedTypes,
  decodeCommand,
  encodeCommand,
  isAsked,
} from '../../../src/machine/command-codec.js'
import { seedNumber as seed } from '../../seed.js'
import { refusalBy } from '../refusal.js'

t.comment(`SEED=${seed}`)

const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const index = fc.maxSafeNat()
const slot = fc.nat({ max: 255 })
const bytes = (most: number) => fc.uint8Array({ maxLength: most }).map(one => Buffer.from(one))
const hash = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(one => Buffer.from(one))
const name = fc.constantFrom('a', '왕조', 'x'.repeat(limits.nameBytesMax))
const numbering = fc.constantFrom('library' as const, 'caller' as const)
const position = fc.record({ index, count: index })
const answering = fc.array(id, { maxLength: 4 })
const pairs = fc.array(fc.tuple(index, index), { maxLength: 5 })

const operation = fc.record(
  {
    op: fc.constantFrom('insert' as const, 'put' as const, 'delete' as const, 'check' as const),
    collection: id,
    key: bytes(40).map(keyText),
    document: bytes(100),
    ifVersion: fc.option(index),
  },
  { requiredKeys: ['op', 'collection', 'key'] },
)
const mark = fc.record({ session: id, epoch: index, sequence: id, lowWater: index, numbering, slot, hash })
const request = fc.record(
  { id: name, slot, hash, isRetriedOnConflict: fc.boolean() },
  { requiredKeys: ['id', 'slot', 'hash'] },
)

const definition = {
  key: 'id',
  unique: { name: { fields: ['name'], normalize: ['trim', 'nfc', 'fold'] } },
  indexes: { byCity: { type: 'secondary', fields: ['city', 'age'] } },
} as const

const commands: { [Type in AskedCommand['type']]: fc.Arbitrary<Extract<AskedCommand, { type: Type }>> } = {
  write: fc.record(
    {
      type: fc.constant('write' as const),
      operations: fc.array(operation, { maxLength: 4 }),
      isEach: fc.boolean(),
      mark: fc.option(mark, { nil: undefined }),
      request,
    },
    { requiredKeys: ['type', 'operations', 'mark'] },
  ),
  outcome: fc.record(
    { type: fc.constant('outcome' as const), id: name, slot, hash, fence: fc.boolean() },
    { requiredKeys: ['type', 'id', 'slot', 'fence'] },
  ),
  subscribe: fc.record({ type: fc.constant('subscribe' as const), name, start: position }),
  acknowledge: fc.record({ type: fc.constant('acknowledge' as const), name, epoch: index, position }),
  unsubscribe: fc.record({ type: fc.constant('unsubscribe' as const), name }),
  define: fc.record(
    {
      type: fc.constant('define' as const),
      name,
      definition: fc.constant(definition),
      drop: fc.boolean(),
      answering,
    },
    { requiredKeys: ['type', 'name', 'definition', 'drop'] },
  ),
  rebuildIndex: fc.record({ type: fc.constant('rebuildIndex' as const), name, index: name, answering }),
  retireConstraint: fc.record({ type: fc.constant('retireConstraint' as const), collection: id, by: id }),
  register: fc.record({
    type: fc.constant('register' as const),
    nonce: name,
    name: fc.option(name, { nil: undefined }),
    numbering,
    input: fc.option(name, { nil: undefined }),
    issuedAt: index,
  }),
  keepAlive: fc.record({ type: fc.constant('keepAlive' as const), sessions: pairs }),
  openSession: fc.record({
    type: fc.constant('openSession' as const),
    session: id,
    epoch: index,
    numbering,
    metaIndex: index,
  }),
  endSessions: fc.record({
    type: fc.constant('endSessions' as const),
    sessions: pairs,
    closed: fc.boolean(),
  }),
  enterNode: fc.record({
    type: fc.constant('enterNode' as const),
    node: fc.integer({ min: 1, max: 65_535 }),
    address: name,
    incarnation: fc.string({ minLength: 1, maxLength: 64, unit: fc.constantFrom(...'0123456789abcdef') }),
    holds: fc.option(id, { nil: null }),
    role: fc.constantFrom('voter' as const, 'learner' as const),
  }),
  setNodeRole: fc.record({
    type: fc.constant('setNodeRole' as const),
    node: fc.integer({ min: 1, max: 65_535 }),
    role: fc.constantFrom('voter' as const, 'learner' as const, 'none' as const),
  }),
}
const anyCommand: fc.Arbitrary<AskedCommand> = fc.oneof(
  ...Object.values<fc.Arbitrary<AskedCommand>>(commands),
)

/** Its objects made as those of the decoder are. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]))
}

const refusal = refusalBy(decodeCommand)

t.test('each command comes back as it was', async t => {
  t.strictSame(Object.keys(commands).sort(), [...askedTypes].sort())
  for (const [type, arbitrary] of Object.entries<fc.Arbitrary<AskedCommand>>(commands)) {
    fc.assert(
      fc.property(arbitrary, command =>
        isDeepStrictEqual(decodeCommand(encodeCommand(command)), plain(command)),
      ),
      { seed, numRuns: 100 },
    )
    t.pass(type)
  }
})

t.test('what a document claims is computed anew where the command is decided', async t => {
  const key = keyText(Buffer.from('key'))
  const made = { schema: {} as never, claims: [] }
  const command: Command = {
    type: 'write',
    mark: undefined,
    operations: [{ op: 'put', collection: 1, key, made }],
  }
  t.ok(isAsked(command))
  const decoded = isAsked(command) ? decodeCommand(encodeCommand(command)) : undefined
  const [operation] = decoded?.type === 'write' ? decoded.operations : []
  t.strictSame(operation, { op: 'put', collection: 1, key })
})

t.test('changed and cut bytes are taken as another command or refused, never more', async () => {
  fc.assert(
    fc.property(anyCommand, fc.nat(), fc.nat(), (command, at, length) => {
      const whole = encodeCommand(command)
      const changed = Buffer.from(whole)
      const place = (at >> 3) % whole.length
      changed[place] = (changed[place] ?? 0) ^ (1 << (at & 7))
      refusal(changed)
      return refusal(whole.subarray(0, length % whole.length)) === 'INVALID'
    }),
    { seed, numRuns: 500 },
  )
})

t.test('what is no command is refused', async t => {
  const refused: Record<string, unknown> = {
    'a number': 1,
    'no type': {},
    'a command that only a leader comes upon': { type: 'judge', constraint: 1 },
    'an unknown field': { type: 'unsubscribe', name: 'a', more: 1 },
    'a field too few': { type: 'subscribe', name: 'a' },
    'a name that is too long': { type: 'unsubscribe', name: 'x'.repeat(300) },
    'a hash of 15 bytes': { type: 'outcome', id: 'a', slot: 1, fence: true, hash: Buffer.alloc(15) },
    'slot 256': { type: 'outcome', id: 'a', slot: 256, fence: true },
    'a definition without a key': { type: 'define', name: 'a', definition: {}, drop: false },
    'a definition that names nothing': { type: 'define', name: '', definition: { key: 'id' }, drop: false },
    'three numbers for a session': { type: 'keepAlive', sessions: [[1, 2, 3]] },
    'a key that is text': { type: 'write', operations: [{ op: 'put', collection: 1, key: 'a' }] },
    'an operation that is none': {
      type: 'write',
      operations: [{ op: 'drop', collection: 1, key: Buffer.alloc(1) }],
    },
    'too long a key': { type: 'write', operations: [{ op: 'put', collection: 1, key: Buffer.alloc(2000) }] },
  }
  for (const [what, value] of Object.entries(refused)) t.equal(refusal(packStrict(value)), 'INVALID', what)
})

t.test('the largest batch fits', async t => {
  const key = keyText(Buffer.alloc(20, 1))
  const document = Buffer.alloc(Math.floor(limits.batchCommandBytesMax / limits.batchCommandsMax) - 40, 2)
  const operations = Array.from({ length: limits.batchCommandsMax }, () => {
    return { op: 'put' as const, collection: 1, key, document, ifVersion: 2 ** 40 }
  })
  const command: AskedCommand = { type: 'write', operations, mark: undefined }
  t.ok(isDeepStrictEqual(decodeCommand(encodeCommand(command)), command))
})

t.test('what a definition names and does not give is left out', t => {
  const unique = { name: { fields: ['name'], where: undefined } }
  const given = { type: 'define', name: 'a', drop: false, answering: [] } as const
  const asked = { ...given, definition: { key: 'id', unique, indexes: undefined } } as unknown as AskedCommand
  t.strictSame(decodeCommand(encodeCommand(asked)), {
    ...given,
    definition: { key: 'id', unique: { name: { fields: ['name'] } } },
  })
  t.end()
})
