/** Definitions and the register of sessions, decided in meta. */
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import type { Command, Decision, Register } from '../../../src/machine/command.js'
import { counterKey, schemaKey } from '../../../src/machine/keys.js'
import { encodeCounters } from '../../../src/machine/registry.js'
import { checkDefinition, type Definition, decodeSchema } from '../../../src/machine/schema.js'
import { Rows } from './rows.js'

function reply(decision: Decision): unknown {
  if (decision.type !== 'entry' && decision.type !== 'answer') return decision.type
  const { reply } = decision
  return reply.ok ? [decision.type, reply.value] : [decision.type, reply.code]
}

/** Decides with no row in memory first: the answer must be the same. */
function run(rows: Rows, command: Command): unknown {
  const { decision } = rows.decideInRounds(command, () => true)
  const all = rows.run(command)
  if (JSON.stringify(decision) !== JSON.stringify(all))
    throw new Error('another decision when rows are loaded')
  return reply(all)
}

function define(rows: Rows, name: string, definition: Definition, drop = false): unknown {
  return run(rows, { type: 'define', name, definition: checkDefinition(name, definition), drop })
}

t.test('a definition is logged once; only one that says the same is accepted again', async t => {
  const rows = new Rows()
  const users: Definition = {
    key: 'id',
    unique: { email: { fields: ['email'], normalize: ['trim', 'fold'] }, pair: { fields: ['a', 'b'] } },
  }
  t.strictSame(define(rows, 'users', users), ['entry', { collection: 1 }])
  t.strictSame(define(rows, 'users', users), ['answer', { collection: 1 }])
  const same: Definition = {
    unique: {
      pair: { fields: [{ field: 'a', normalize: [] }, { field: 'b' }] },
      email: { fields: [{ field: 'email', normalize: ['trim', 'fold'] }] },
    },
    key: 'id',
  }
  t.strictSame(define(rows, 'users', same), ['answer', { collection: 1 }], 'in other words, in another order')
  const others: Definition[] = [
    { ...users, key: 'key' },
    { key: 'id' },
    {
      key: 'id',
      unique: { mail: { fields: ['email'], normalize: ['trim', 'fold'] }, pair: { fields: ['a', 'b'] } },
    },
  ]
  for (const other of others)
    t.strictSame(define(rows, 'users', other), ['answer', 'INVALID'], JSON.stringify(other))
  t.strictSame(define(rows, 'more', { key: 'id', unique: { u: { fields: ['a'] } } }), [
    'entry',
    { collection: 2 },
  ])
  t.strictSame(define(rows, 'users', users), ['answer', { collection: 1 }], 'ids are counters, not names')
})

t.test('another rule gets a number of its own; the oldest of its name stays until it is retired', async t => {
  const rows = new Rows()
  const email = { fields: ['email'], normalize: ['trim', 'fold'] } as const
  const ruled = (unique: Definition['unique'], drop = false): unknown => {
    const [kind, said] = define(rows, 'users', { key: 'id', ...(unique && { unique }) }, drop) as unknown[]
    return kind === 'entry' ? inForce() : said
  }
  const inForce = (): string => {
    const row = rows.rows.get(schemaKey(1))
    const { unique } = decodeSchema(row?.value ?? Buffer.alloc(0))
    return unique.map(({ id, name, online }) => `${id}${name}${online === true ? '*' : ''}`).join(' ')
  }
  const retire = (by: number): unknown => {
    run(rows, { type: 'retireConstraint', collection: 1, by })
    return inForce()
  }
  t.equal(ruled({ e: email }), '1e')
  t.equal(ruled({ e: email, m: { fields: ['x'] } }), '1e 2m*', 'a new one is built online')
  t.equal(ruled({ e: { fields: ['email'] }, m: { fields: ['x'] } }), '1e 2m* 3e*')
  t.equal(ruled({ e: { ...email, nulls: 'equal' }, m: { fields: ['x'] } }), '1e 2m* 4e*')
  t.equal(retire(3), '1e 2m* 4e*', 'the one that was enforced is gone: nothing retires')
  t.equal(ruled({ e: { ...email, where: { on: true, off: 0 } }, m: { fields: ['x'] } }), '1e 2m* 5e*')
  const again = { e: { ...email, where: { off: -0, on: true } }, m: { fields: ['x'] } }
  t.strictSame(ruled(again), { collection: 1 }, 'the same conditions in another order')
  t.equal(retire(5), '2m* 5e*')
  t.equal(ruled({ e: { ...email, each: 'email' }, m: { fields: ['x'] } }), '2m* 5e* 6e*')
  t.equal(ruled({ e: { ...email, where: { off: 0, on: true } }, m: { fields: ['x'] } }), '2m* 5e*', 'back')
  t.equal(ruled({ e: email }), 'INVALID', 'what is no longer named needs drop')
  t.equal(ruled({ e: { ...email, where: { off: 0, on: true } } }, true), '5e*')
  t.equal(ruled(undefined, true), '')
  t.equal(ruled({ e: email }), '7e*', 'a number is never used again')
})

t.test('what is wrong in a constraint is named', async t => {
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ fields: ['a'], each: 'b' }, /each must be one of the fields, named once: a/],
    [{ fields: ['a', 'a'], each: 'a' }, /named once/],
    [{ fields: ['a'], nulls: 'some' }, /nulls must be 'distinct' or 'equal'/],
    [{ fields: ['a'], where: {} }, /where names 1 to 32 fields, not 0/],
    [{ fields: ['a'], where: { b: null } }, /where.b must be text/],
    [{ fields: ['a'], where: { b: { exists: 1 } } }, /where.b must be text/],
    [{ fields: ['a'], where: { b: { exists: true, is: 1 } } }, /where.b must be text/],
    [{ fields: ['a'], where: { b: Number.NaN } }, /where.b must be text/],
    [{ fields: ['a'], where: ['b'] }, /where must be an object by field/],
    [{ fields: ['a'], if: true }, /unknown "if"; allowed: fields, normalize, each, where, nulls/],
  ]
  for (const [rule, message] of wrong) {
    t.throws(() => checkDefinition('x', { key: 'id', unique: { u: rule } }), { code: 'INVALID', message })
  }
})

t.test('collections are bounded', async t => {
  const rows = new Rows()
  define(rows, 'a', { key: 'id' })
  const full = encodeCounters({ collections: limits.collectionsMax, constraints: 0, indexes: 0, sessions: 0 })
  rows.take([{ op: 'put', key: counterKey, value: full, prev0: 0, prev1: 0 }])
  t.strictSame(define(rows, 'b', { key: 'id' }), ['answer', 'TOO_LARGE'])
})

function register(nonce: string, more: Partial<Register> = {}): Register {
  return {
    type: 'register',
    nonce,
    name: undefined,
    numbering: 'library',
    input: undefined,
    issuedAt: 1_000_000,
    ...more,
  }
}

t.test('a registration is idempotent by its nonce, and a resumed name gets the next epoch', async t => {
  const rows = new Rows()
  t.strictSame(run(rows, register('a')), ['entry', { session: 1, epoch: 1 }])
  t.strictSame(run(rows, register('a')), ['answer', { session: 1, epoch: 1 }])
  t.strictSame(run(rows, register('b')), ['entry', { session: 2, epoch: 1 }])
  t.strictSame(run(rows, register('c', { name: 'n' })), ['entry', { session: 3, epoch: 1 }])
  t.strictSame(run(rows, register('d', { name: 'n' })), ['entry', { session: 3, epoch: 2 }])
  t.strictSame(run(rows, register('d', { name: 'n' })), ['answer', { session: 3, epoch: 2 }])
  t.strictSame(run(rows, register('e', { name: 'n', numbering: 'caller' })), ['answer', 'INVALID'])
  const caller = { name: 'import', numbering: 'caller', input: 'x' } as const
  t.strictSame(run(rows, register('f', caller)), ['entry', { session: 5, epoch: 1 }])
  t.strictSame(run(rows, register('g', { ...caller, input: 'y' })), ['answer', 'SESSION_INPUT_CHANGED'])
  t.strictSame(run(rows, register('h', { ...caller, input: undefined })), ['answer', 'SESSION_INPUT_CHANGED'])
  t.strictSame(run(rows, register('i', caller)), ['entry', { session: 5, epoch: 2 }])
})

t.test('a delayed copy of a registration makes nothing, and fences nobody', async t => {
  const rows = new Rows()
  run(rows, register('a', { name: 'n' }))
  run(rows, register('b', { name: 'n' }))
  rows.time += limits.registerAgeMsMax + 1
  t.strictSame(run(rows, register('x')), ['answer', 'REGISTER_TOO_OLD'])
  t.strictSame(
    run(rows, register('a', { name: 'n' })),
    ['answer', 'REGISTER_TOO_OLD'],
    'the older holder comes late',
  )
  t.strictSame(
    run(rows, register('b', { name: 'n' })),
    ['answer', { session: 1, epoch: 2 }],
    'the newest is known',
  )
  t.strictSame(run(rows, register('y', { issuedAt: rows.time })), ['entry', { session: 3, epoch: 1 }])
})

t.test('live sessions are bounded; none that lives is ended for another', async t => {
  const rows = new Rows()
  run(rows, register('a', { name: 'n' }))
  const full = encodeCounters({ collections: 0, constraints: 0, indexes: 0, sessions: limits.sessionsMax })
  rows.take([{ op: 'put', key: counterKey, value: full, prev0: 0, prev1: 0 }])
  t.strictSame(run(rows, register('b')), ['answer', 'TOO_MANY_SESSIONS'])
  t.strictSame(
    run(rows, register('c', { name: 'n' })),
    ['entry', { session: 1, epoch: 2 }],
    'resuming takes no room',
  )
  run(rows, { type: 'endSessions', sessions: [[1, 2]], closed: true })
  t.strictSame(run(rows, register('d')), ['entry', { session: 5, epoch: 1 }])
})

t.test('a session ends when it is idle or closed, under its present epoch only', async t => {
  const rows = new Rows()
  run(rows, register('a'))
  run(rows, register('b', { name: 'n' }))
  const end = (closed: boolean, ...sessions: [number, number][]): unknown =>
    run(rows, { type: 'endSessions', sessions, closed })
  t.strictSame(end(false, [1, 1], [2, 1]), ['answer', null], 'neither is idle')
  rows.time += limits.sessionIdleMs
  t.strictSame(end(false, [1, 1]), ['answer', null], 'not before its time')
  run(rows, {
    type: 'keepAlive',
    sessions: [
      [1, 1],
      [2, 9],
      [77, 1],
    ],
  })
  rows.time += limits.sessionIdleMs
  t.strictSame(end(false, [1, 1]), ['answer', null], 'it was kept alive')
  rows.time += 1
  t.strictSame(end(false, [1, 1], [2, 1]), ['entry', null])
  t.strictSame(end(false, [1, 1]), ['answer', null], 'once')
  t.strictSame(run(rows, register('c', { name: 'n', issuedAt: rows.time })), [
    'entry',
    { session: 2, epoch: 2 },
  ])
  t.strictSame(end(true, [2, 1]), ['answer', null], 'an older holder closes nothing')
  t.strictSame(end(true, [2, 2]), ['entry', null])
  const again = run(rows, register('d', { name: 'n', issuedAt: rows.time }))
  t.strictSame(again, ['entry', { session: rows.index, epoch: 1 }], 'the name is free; the number is new')
})
