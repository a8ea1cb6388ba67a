/** Options and arguments: what is unknown, misplaced or of the wrong type is refused, and nothing is done. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { type OpenOptions, open } from '../../../src/index.js'
import { words } from './own-index.js'
import { refused } from './refused.js'

interface Thing {
  readonly id: string
  readonly n?: number
}

const store = await open({ memory: true, indexTypes: [words] })
t.teardown(() => store.close())
await store.define('things', {
  key: 'id',
  unique: { n: { fields: ['n'] } },
  indexes: { byN: { type: 'secondary', fields: ['n'] }, words: { type: 'words', field: 'id' } },
})
const things = store.collection<Thing>('things')
const loose = things as unknown as Record<string, (...args: unknown[]) => unknown>
const looseStore = store as unknown as Record<string, (...args: unknown[]) => unknown>
const library = await store.session()
const caller = await store.session({ numbering: 'caller' })

/** The method, with these arguments: an async iterable is begun. */
async function calls(target: Record<string, unknown>, name: string, args: readonly unknown[]): Promise<void> {
  const result = (target[name] as (...all: unknown[]) => unknown).apply(target, [...args])
  if (typeof (result as AsyncGenerator).next === 'function') await (result as AsyncGenerator).next()
  else await result
}

t.test(
  'an option that a call does not know is refused, and the message names those that it takes',
  async t => {
    const document = { id: 'o' }
    const tries: [string, readonly unknown[], RegExp][] = [
      [
        'put',
        [document, { ifversion: 9 }],
        /option "ifversion"; allowed are deadlineMs, signal, ifVersion, seq/,
      ],
      [
        'insert',
        [document, { ifVersion: 7 }],
        /option "ifVersion"; allowed are deadlineMs, signal, sequence/,
      ],
      ['delete', ['o', { ifversion: 9 }], /option "ifversion"/],
      ['insertMany', [[document], { ifVersion: null }], /option "ifVersion"/],
      [
        'update',
        ['o', () => document, { ifVersion: 1 }],
        /option "ifVersion"; allowed are deadlineMs, signal/,
      ],
      ['get', ['o', { levle: 'stale' }], /option "levle"; allowed are deadlineMs, signal, level/],
      ['getVersioned', ['o', { ifVersion: 1 }], /option "ifVersion"/],
      ['getMany', [['o'], { limit: 1 }], /option "limit"/],
      ['has', ['o', { deadline: 5 }], /option "deadline"/],
      ['getBy', ['n', 1, { limit: 1 }], /option "limit"/],
      ['scan', [{ limt: 1 }], /option "limt"; allowed are .*reverse, limit/],
      ['count', [{ eq: 1 }], /option "eq"/],
      ['find', ['byN', {}, { limit: 0 }], /option "limit"; allowed are deadlineMs, signal, level, onBehind/],
      ['findPage', ['byN', {}, { reverse: true }], /option "reverse"; allowed are .*limit, cursor/],
      ['findPage', ['byN', { limit: 1 }], /limit stands in the options, not in the query/],
      ['findPage', ['byN', { after: Buffer.of(1) }, { cursor: 'x' }], /cursor or after, not both/],
      ['query', ['words', {}, { from: 'a' }], /option "from"/],
    ]
    for (const [name, args, message] of tries) {
      await refused(t, () => calls(loose, name, args), 'INVALID', message, `${name} ${JSON.stringify(args)}`)
    }
    const storeTries: [string, readonly unknown[], RegExp][] = [
      ['define', ['d', { key: 'id' }, { drp: true }], /option "drp"; allowed are deadlineMs, signal, drop/],
      ['session', [{ nam: 'x' }], /option "nam"; allowed are deadlineMs, signal, name, numbering, input/],
      ['batch', [[{ put: document, in: 'things' }], { ifVersion: 1 }], /option "ifVersion"/],
    ]
    for (const [name, args, message] of storeTries) {
      await refused(t, () => calls(looseStore, name, args), 'INVALID', message, name)
    }
    const own = caller.collection<Thing>('things')
    const numbered = { sequence: 1, ifversion: 1 } as never
    await refused(t, () => own.put(document, numbered), 'INVALID', /"ifversion"/, 'numbered', 'unknown')
    const inherited = Object.create({ ifversion: 1 }) as object
    await refused(
      t,
      () => things.put(document, inherited),
      'INVALID',
      /"ifversion"/,
      'also one that is inherited',
    )
    t.equal(await things.count(), 0, 'nothing was written')
    t.strictSame(store.status().collections, ['things'])
  },
)

t.test('an option of the wrong type is refused, with what it is', async t => {
  const tries: [string, readonly unknown[], RegExp][] = [
    ['put', [{ id: 'o' }, { ifVersion: '3' }], /ifVersion must be a version or null, not "3"/],
    ['put', [{ id: 'o' }, { deadlineMs: '5' }], /deadlineMs must be .* not "5"/],
    ['put', [{ id: 'o' }, { signal: 'stop' }], /signal must be an AbortSignal, not "stop"/],
    ['find', ['byN', {}, { onBehind: 'nope' }], /onBehind must be 'wait' or 'error', not "nope"/],
    ['query', ['words', {}, { onBehind: 1 }], /onBehind must be 'wait' or 'error', not 1/],
    ['get', ['o', { level: null }], /level must be one of .* not null/],
    ['scan', [{ limit: '3' }], /limit must be a whole number from 0, not "3"/],
    ['scan', [{ gte: null }], /gte is null; leave it out/],
    ['findPage', ['byN', {}, { limit: '3' }], /limit must be a whole number .* not "3"/],
    ['findPage', ['byN', {}, { limit: 3n }], /limit must be a whole number .* not 3/],
    ['findPage', ['byN', {}, { cursor: 5 }], /cursor must be the text .* not 5/],
  ]
  for (const [name, args, message] of tries) {
    await refused(t, () => calls(loose, name, args), 'INVALID', message, `${name} ${message.source}`)
  }
  const define = (options: unknown) => () => calls(looseStore, 'define', ['d', { key: 'id' }, options])
  await refused(t, define({ drop: 'yes' }), 'INVALID', /drop must be true or false, not "yes"/, 'drop')
  t.throws(() => caller.release('3' as never), { code: 'INVALID', message: /not "3"/ })
})

t.test('options that are no object are refused by every call', async t => {
  const tries: [string, readonly unknown[]][] = [
    ['put', [{ id: 'o' }]],
    ['insert', [{ id: 'o' }]],
    ['delete', ['o']],
    ['insertMany', [[{ id: 'o' }]]],
    ['update', ['o', () => ({ id: 'o' })]],
    ['get', ['o']],
    ['getVersioned', ['o']],
    ['getMany', [['o']]],
    ['has', ['o']],
    ['getBy', ['n', 1]],
    ['scan', []],
    ['count', []],
    ['find', ['byN', {}]],
    ['findPage', ['byN', {}]],
    ['query', ['words', {}]],
  ]
  const storeTries: [string, readonly unknown[]][] = [
    ['define', ['d', { key: 'id' }]],
    ['session', []],
    ['batch', [[{ put: { id: 'o' }, in: 'things' }]]],
  ]
  for (const [options, told] of [
    [null, 'null'],
    [5, '5'],
    ['now', '"now"'],
    [[], 'a list'],
    [() => 1, 'a function'],
  ] as const) {
    const message = new RegExp(`options must be an object, not ${told}`)
    for (const [name, args] of tries) {
      await refused(t, () => calls(loose, name, [...args, options]), 'INVALID', message, `${name} ${told}`)
    }
    for (const [name, args] of storeTries) {
      await refused(
        t,
        () => calls(looseStore, name, [...args, options]),
        'INVALID',
        message,
        `${name} ${told}`,
      )
    }
    for (const session of [library, caller]) {
      const own = session.collection<Thing>('things')
      await refused(
        t,
        () => own.put({ id: 'o' }, options as never),
        'INVALID',
        message,
        `in a session ${told}`,
      )
    }
  }
  t.equal(await things.count(), 0)
})

t.test('arguments of the wrong type are refused by INVALID', async t => {
  const tries: [string, readonly unknown[], RegExp][] = [
    ['getMany', [null], /the keys must be a list, not null/],
    ['getMany', ['ab'], /the keys must be a list, not "ab"/],
    ['getMany', [[null]], /the key of a document of things is missing/],
    ['insertMany', [5], /the documents must be a list, or iterable, not 5/],
    ['insertMany', [undefined], /the documents must be a list, or iterable, not undefined/],
    ['insertMany', ['ab'], /the documents must be a list, or iterable, not "ab"/],
    ['update', ['k', 5], /change must be a function, not 5/],
    ['update', [undefined, () => ({ id: 'o' })], /the key of a document of things is missing/],
    ['get', [undefined], /the key of a document of things is missing: it is undefined/],
    ['get', [null], /the key of a document of things is missing: it is null/],
    ['has', [], /the key .* is missing/],
    ['delete', [], /the key .* is missing/],
    ['find', ['byN', 5], /a query is an object/],
    ['find', ['byN', null], /a query is an object/],
    ['find', ['byN', []], /a query is an object/],
    ['findPage', ['byN', 'x'], /a query is an object/],
    ['getBy', ['n', undefined], /no unique value|must be/],
  ]
  for (const [name, args, message] of tries) {
    await refused(t, () => calls(loose, name, args), 'INVALID', message, `${name} ${message.source}`)
  }
  for (const name of [undefined, null, 5, '', {}]) {
    t.throws(() => store.collection(name as never), { code: 'INVALID', message: /name of a collection/ })
    t.throws(() => library.collection(name as never), { code: 'INVALID', message: /name of a collection/ })
  }
})

t.test('what a store is opened with says one thing', async t => {
  const tries: [unknown, RegExp][] = [
    [
      { memory: true, typo: 1 },
      /option "typo"; allowed are dir, memory, node, retention, indexTypes, deadlineMs, logger, rebuilt/,
    ],
    [{ dir: './nowhere', memory: true }, /give memory or dir, not both/],
    [{ dir: './nowhere', memory: 'no' }, /memory must be true or false, not "no"/],
    [{ memory: 1 }, /memory must be true or false, not 1/],
    [{ dir: 5 }, /dir: folder.*dir is 5/],
    [null, /dir: folder.*not null/],
    [{ memory: true, indexTypes: words }, /indexTypes must be a list of index types, not an object/],
    [{ memory: true, indexTypes: [null] }, /indexTypes: null is no type/],
    [{ memory: true, indexTypes: [{ type: 'x', version: 1 }] }, /x needs the functions configure and open/],
    [{ memory: true, failed: 'x' }, /failed must be a function, not "x"/],
  ]
  for (const [options, message] of tries) {
    await refused(t, () => open(options as never), 'INVALID', message, message.source)
  }
})

t.test('an option that is given as undefined is not given', async t => {
  const memory = await open({ memory: true, dir: undefined, indexTypes: undefined, failed: undefined })
  const each = { each: undefined, sparse: undefined }
  await memory.define('own', { key: 'id', indexes: { byN: { type: 'secondary', fields: ['n'], ...each } } })
  const own = memory.collection<Thing>('own')
  const call = { deadlineMs: undefined, signal: undefined }
  await own.insert({ id: 'a', n: 1 }, { ...call, sequence: undefined })
  await own.put({ id: 'b', n: 2 }, { ...call, ifVersion: undefined, sequence: undefined })
  await memory.batch([{ put: { id: 'c', n: 3 }, in: 'own', ifVersion: undefined }], call)
  await own.delete('c', { ...call, ifVersion: undefined })
  const read = { ...call, level: undefined }
  t.strictSame(await own.get('a', read), { id: 'a', n: 1 })
  const bounds = { gte: undefined, gt: undefined, lt: undefined, lte: undefined, prefix: undefined }
  t.equal(await own.count({ ...read, ...bounds, reverse: undefined, limit: undefined }), 2)
  const query = { ...bounds, eq: undefined, reverse: undefined, after: undefined, limit: undefined }
  const first = await own.findPage('byN', query, {
    ...read,
    limit: 1,
    onBehind: undefined,
    cursor: undefined,
  })
  t.strictSame(first.documents, [{ id: 'a', n: 1 }])
  const rest = await own.findPage('byN', query, { limit: undefined, cursor: first.cursor })
  t.strictSame([rest.documents, rest.cursor], [[{ id: 'b', n: 2 }], undefined])
  const users = { key: 'id', indexes: { byN: { type: 'secondary', fields: ['n'] } } } as const
  const typed = memory.collection<Thing, typeof users>('own')
  const page = await typed.findPage('byN', { eq: undefined, gte: undefined, lt: 2, prefix: undefined })
  t.equal(page.documents.length, 1)
  const session = await memory.session({ ...call, name: undefined, numbering: undefined, input: undefined })
  t.equal(session.numbering, 'library')
  await session.collection<Thing>('own').put({ id: 'd' }, { sequence: undefined })
  await memory.define('own', { key: 'id' }, { ...call, drop: true })
  await memory.define('own', { key: 'id' }, { ...call, drop: undefined })
  await memory.close()
})

t.test('a node that cannot be one is refused before anything is made', async t => {
  const node = { id: 1, listen: '127.0.0.1:7001' }
  const tries: [Record<string, unknown>, RegExp][] = [
    [{ memory: true, node }, /a node of a cluster needs a folder/],
    [{ node: 7 }, /node must be \{ id, listen, join \}, not 7/],
    [{ node: { ...node, name: 'a' } }, /option "name"; allowed are id, listen, join, init, role, insecure/],
    [{ node: { ...node, id: 0 } }, /node\.id must be a whole number from 1 to 65535, not 0/],
    [{ node: { ...node, id: '1' } }, /node\.id must be/],
    [{ node: { id: 1 } }, /node\.listen must be host:port, not undefined/],
    [{ node: { ...node, listen: 'here' } }, /node\.listen must be host:port, not "here"/],
    [{ node: { ...node, listen: '127.0.0.1:0' } }, /node\.listen needs a port/],
    [{ node: { ...node, listen: '0.0.0.0:7001' } }, /0\.0\.0\.0 is not an address of this machine alone/],
    [{ node: { ...node, listen: '127.evil.example:7001' } }, /not an address of this machine alone/],
    [{ node: { ...node, listen: `${'a'.repeat(300)}:1` } }, /node\.listen must be host:port: 302 characters/],
    [{ node: { ...node, join: '127.0.0.1:7002' } }, /node\.join must be a list of addresses/],
    [{ node: { ...node, join: ['x'] } }, /node\.join must be host:port, not "x"/],
    [{ node: { ...node, init: 1 } }, /node\.init must be true or false, not 1/],
    [{ node: { ...node, role: 'leader' } }, /node\.role must be voter or learner, not "leader"/],
    [{ node }, /is empty: say which cluster node 1 joins, or begins/],
    [{ node: { ...node, init: true, join: ['127.0.0.1:7002'] } }, /give init or join, not both/],
  ]
  const dir = path.join(mkdtempSync(path.join(tmpdir(), 'sillok-node-')), 'store')
  t.teardown(() => rmSync(path.dirname(dir), { recursive: true, force: true }))
  for (const [options, message] of tries) {
    const given = { ...(options['memory'] !== true && { dir }), ...options }
    await t.rejects(open(given as unknown as OpenOptions), { code: 'INVALID', message })
  }
  t.strictSame(readdirSync(dir), [], 'the folder is as it was')
})
