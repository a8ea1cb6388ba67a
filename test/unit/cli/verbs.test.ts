/** The verbs of a store, in this process: what they print, what they refuse, and with which exit code. */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import { runLoad } from '../../../src/cli/bench/closed-loop.js'
import { Latencies } from '../../../src/cli/bench/latencies.js'
import { settledStatus } from '../../../src/cli/settled-status.js'
import { userFileError } from '../../../src/cli/user-file.js'
import type { Clock } from '../../../src/env/clock.js'
import { RealClock } from '../../../src/env/real-clock.js'
import { open } from '../../../src/index.js'
import type { StoreStatus } from '../../../src/store/store-status.js'
import { shell } from './shell.js'

const users = '{"key":"id","unique":{"email":{"fields":["email"],"normalize":["trim","fold"]}}}'

t.test('documents are written, read, scanned and deleted', async t => {
  const { sillok, folder } = shell(t)
  t.match(await sillok('define', 'users', '--json', users), { exit: 0, out: '{"defined":"users"}\n' })
  writeFileSync(path.join(folder, 'users.json'), users)
  t.match(await sillok('define', 'users', path.join(folder, 'users.json')), { exit: 0 }, 'the same again')
  const put = await sillok('put', 'users', '{"id":"u1","email":"Kim@example.com"}')
  t.match(put, { exit: 0, out: /^\{"version":\d+,"existed":false\}\n$/ })
  t.match(await sillok('put', 'users', '{"id":"007","n":1}', '--insert'), { exit: 0 })
  t.match(await sillok('put', 'users', '{"id":7,"n":2}'), { exit: 0 })
  t.match(await sillok('put', 'users', '{"id":8,"n":9007199254740992,"t":"9007199254740993"}'), { exit: 0 })
  t.match(await sillok('delete', 'users', '8', '--number'), { exit: 0 }, 'exact numbers, and texts of digits')
  t.match(await sillok('get', 'users', 'u1'), { exit: 0, out: '{"id":"u1","email":"Kim@example.com"}\n' })
  t.match(await sillok('get', 'users', '007'), { out: '{"id":"007","n":1}\n' }, 'a key of digits is text')
  t.match(await sillok('get', 'users', '7', '--number'), { out: '{"id":7,"n":2}\n' })
  t.match(await sillok('get', 'users', '--by', 'email', ' kim@EXAMPLE.com '), { exit: 0, out: /"u1"/ })
  const { version } = JSON.parse(put.out) as { version: number }
  t.match(await sillok('get', 'users', 'u1', '--with-version'), {
    out: new RegExp(`^\\{"version":${version},`),
  })
  const second = await sillok(
    'put',
    'users',
    '{"id":"u1","email":"k@example.com"}',
    '--if-version',
    `${version}`,
  )
  t.match(second, { exit: 0, out: /"existed":true/ })
  t.match((await sillok('scan', 'users')).out.match(/"id":("?\w+"?)/g), ['"id":7', '"id":"007"', '"id":"u1"'])
  t.match(await sillok('scan', 'users', '--prefix', '00'), { out: '{"id":"007","n":1}\n' })
  t.match(await sillok('scan', 'users', '--gte', '0', '--reverse', '--limit', '1'), {
    out: /^\{"id":"u1".*\}\n$/,
  })
  t.match(await sillok('scan', 'users', '--gt', 'x', '-o', 'json'), { exit: 0, out: '[]\n' })
  t.match(await sillok('scan', 'users', '--lt', '8', '--number', '-o', 'table'), {
    out: /^id {2}n\n 7 {2}2\n$/,
  })
  t.match(await sillok('delete', 'users', 'u1'), { exit: 0, out: /"existed":true/ })
  t.match(await sillok('delete', 'users', 'u1'), { exit: 0, out: /"existed":false/ })
  const status = JSON.parse((await sillok('status', '-o', 'json')).out) as Record<string, unknown>
  t.match(status, { state: 'open', collections: ['users'] })
  t.match(await sillok('status', '-o', 'table'), { exit: 0, out: /collections +users\n/ })
})

t.test('a refusal has its code, its details and its exit code', async t => {
  const { sillok } = shell(t)
  await sillok('define', 'users', '--json', users)
  await sillok('put', 'users', '{"id":"u1","email":"kim@example.com"}')
  const cases: [string[], number, RegExp][] = [
    [['put', 'users', '{"id":"u2","email":"KIM@example.com"}'], 4, /^UNIQUE_TAKEN: .*\n.*\n.*holder u1/],
    [['put', 'users', '{"id":"u1"}', '--insert'], 4, /^EXISTS: /],
    [['put', 'users', '{"id":"u1"}', '--if-version', '1'], 4, /^CONFLICT: /],
    [['delete', 'users', 'u1', '--if-version', '1'], 4, /^CONFLICT: /],
    [['put', 'users', '{"id":"u3",'], 1, /^INVALID: the document: not JSON: /],
    [
      ['put', 'users', '{"id":"u3","n":9007199254740993}'],
      1,
      /document: 9007199254740993 cannot .* 9007199254740991 /,
    ],
    [
      ['put', 'users', '{"id":-12345678901234567890}'],
      1,
      /^INVALID: the document: -12345678901234567890 cannot/,
    ],
    [['put', 'users', '7'], 1, /^INVALID: /],
    [['put', 'users', '[]'], 1, /^INVALID: /],
    [['put', 'users', '{"email":"x"}'], 1, /^INVALID: .* key /],
    [['put', 'users', '{"id":"u3","__proto__":{"admin":true}}'], 1, /^INVALID: .*__proto__/],
    [['put', 'nobody', '{"id":1}'], 5, /^NOT_FOUND: collection "nobody" .*: sillok define makes it\n/],
    [['get', 'users', 'u9'], 5, /^NOT_FOUND: no document users u9/],
    [['get', 'users', '--by', 'email', 'x'], 5, /^NOT_FOUND: /],
    [['get', 'users', '--by', 'phone', 'x'], 5, /^NOT_FOUND: .*phone/],
    [['define', 'users', '--json', '{"key":"other"}'], 1, /^INVALID: /],
    [['define', 'a', '--json', '{"kez":"id"}'], 1, /^INVALID: .*kez/],
    [['import', 'nobody', 'package.json'], 5, /^NOT_FOUND: collection "nobody" .*: sillok define makes it\n/],
    [['import', 'users', '/no/such/file'], 5, /^NOT_FOUND: no file/],
    [['import', 'users', '.'], 1, /^INVALID: .*no regular file/],
  ]
  for (const [words, exit, err] of cases) {
    t.match(await sillok(...words), { exit, err, out: '' }, words.join(' '))
  }
  const json = await sillok('get', 'users', 'u9', '-o', 'json')
  t.match(JSON.parse(json.err), { code: 'NOT_FOUND', exit: 5, outcome: 'not-applied' })
})

t.test('constraints says what is shared, page by page, and define changes and drops', async t => {
  const { sillok } = shell(t)
  await sillok('define', 'users', '--json', '{"key":"id"}')
  for (const id of ['a', 'b']) await sillok('put', 'users', `{"id":"${id}","email":"Kim"}`)
  t.match(await sillok('define', 'users', '--json', users), { exit: 0 })
  const waited = await sillok('constraints', 'users', '--wait')
  t.match(JSON.parse(waited.out), { collection: 'users', name: 'email', state: 'violated', violations: 1 })
  const listed = (await sillok('constraints', '--violations')).out.trim().split('\n')
  const parsed = listed.map(line => JSON.parse(line) as object)
  const one = { collection: 'users', constraint: 'email', values: ['Kim'], holder: 'a' }
  t.same(parsed, [{ ...one, key: 'b' }])
  t.match(await sillok('status', '-o', 'table'), { out: /constraint users.email 1 +violated, 1 violating/ })
  await sillok('delete', 'users', 'a')
  t.match(await sillok('constraints'), { out: /"state":"enforced"/ })
  t.match(await sillok('constraints', 'nobody'), { exit: 5, err: /not defined/ })
  t.match(await sillok('define', 'users', '--json', '{"key":"id"}'), { exit: 1, err: /drop/ })
  t.match(await sillok('define', 'users', '--json', '{"key":"id"}', '--drop'), { exit: 0 })
  t.match(await sillok('constraints', '--wait'), { exit: 0, out: '' })
  t.match(await sillok('verify'), { exit: 0 })
})

t.test('status and indexes say how far an index is, once that is known', async t => {
  const { sillok } = shell(t)
  const indexes = '"indexes":{"byName":{"type":"secondary","fields":["name"]}}'
  await sillok('define', 'people', '--json', `{"key":"id",${indexes}}`)
  await sillok('put', 'people', '{"id":1,"name":"Kim"}')
  t.match(await sillok('find', 'people', 'byName', '--eq', 'Kim'), { exit: 0, out: /"id":1,/ })
  const listed = JSON.parse((await sillok('indexes')).out) as { position: number }
  t.match(listed, { collection: 'people', name: 'byName', state: 'live', lag: 0, rebuilds: 0 })
  t.ok(listed.position > 0)
  const status = JSON.parse((await sillok('status')).out) as Record<string, unknown>
  t.match(status, { state: 'open', indexes: [{ name: 'byName', state: 'live', lag: 0 }] })
  t.notOk('sessions' in status, 'what this process has open says nothing')
  const table = (await sillok('status', '-o', 'table')).out
  t.match(table, /\nindex people.byName +live, at entry \d+, 0 behind\n/)
  t.match(table, /\nwal sync p50Ms +[\d.]+\n/)
  t.notMatch(table, /\d\.\d{4}|…|\{/, 'what is printed is whole, and no longer than it is exact')
  t.notMatch(JSON.stringify(status), /\d\.\d{4}/)
})

t.test('an index is made again, and what it put aside is listed', async t => {
  const { sillok } = shell(t)
  await sillok('define', 'people', '--json', '{"key":"id"}')
  const many = 'many'.repeat(100)
  const tags = Array.from({ length: 10_000 }, (_, n) => `t${n}`)
  await sillok('put', 'people', JSON.stringify({ id: many, tags }))
  await sillok('put', 'people', '{"id":"few","tags":["a"]}')
  const byTag = { type: 'secondary', fields: ['tags'], each: 'tags', onError: 'park' }
  await sillok('define', 'people', '--json', JSON.stringify({ key: 'id', indexes: { byTag } }))
  t.match(await sillok('find', 'people', 'byTag', '--eq', 'a'), { exit: 0, out: /"few"/ })
  t.match(JSON.parse((await sillok('indexes')).out), {
    parked: 1,
    skipped: 0,
    onError: 'park',
    state: 'live',
  })
  const parked = JSON.parse((await sillok('indexes', '--parked')).out) as object
  t.match(parked, { collection: 'people', index: 'byTag', key: many, message: /10000 rows in one index/ })
  t.match(await sillok('indexes', '-o', 'table'), { exit: 0, out: /people +byTag +secondary +live/ })
  t.match(JSON.parse((await sillok('rebuild', 'people', 'byTag')).out), {
    rebuilt: 'byTag',
    documents: 2,
    parked: 1,
  })
  t.match(await sillok('find', 'people', 'byTag', '--eq', 'a'), { exit: 0, out: /"few"/ })
  t.match(await sillok('rebuild', 'people', 'none'), { exit: 5, err: /has no index none; it has byTag/ })
  const stops = { key: 'id', indexes: { byTag: { ...byTag, onError: 'stop' } } }
  await sillok('define', 'people', '--json', JSON.stringify(stops))
  const stopped = await sillok('rebuild', 'people', 'byTag')
  t.match(stopped, { exit: 3, err: /^INDEX_FAILED: .*10000 rows/ })
})

t.test('the status of an index that never opens is told after ten seconds', async t => {
  let nowMs = 0
  const clock: Clock = {
    monotonicMs: () => nowMs,
    wallMs: () => 0,
    soon: call => setImmediate(call),
    after: (ms, call) => {
      nowMs += ms
      setImmediate(call)
      return { stop: () => {} }
    },
  }
  const states = ['opening', 'building', 'live', 'failing', 'unknown'] as const
  for (const state of states) {
    nowMs = 0
    const index = { collection: 'c', name: 'i', type: 'secondary', state, position: 3, lag: 1 }
    const store = { status: () => ({ indexes: [index] }) as unknown as StoreStatus }
    t.match(await settledStatus(store, clock), { indexes: [{ state }] })
    t.equal(nowMs, state === 'opening' || state === 'live' ? 10_000 : 0, state)
  }
})

t.test('documents are counted, all or in a range, and a digest changes with what a store holds', async t => {
  const { sillok, folder } = shell(t)
  await sillok('define', 'users', '--json', users)
  const empty = await sillok('digest')
  for (const document of ['{"id":1}', '{"id":2}', '{"id":"a1"}', '{"id":"a2"}', '{"id":"b"}'])
    await sillok('put', 'users', document)
  const counts: [string[], number][] = [
    [[], 5],
    [['--prefix', 'a'], 2],
    [['--gt', '1', '--number'], 4],
    [['--gte', 'a2', '--lt', 'b'], 1],
    [['--lte', 'A'], 2],
    [['--gt', 'b'], 0],
  ]
  for (const [words, documents] of counts) {
    const out = `{"collection":"users","documents":${documents}}\n`
    t.same(await sillok('count', 'users', ...words), { exit: 0, out, err: '' }, words.join(' '))
  }
  t.match(await sillok('count', 'nobody'), { exit: 5 })
  t.match(await sillok('count', 'users', '--limit', '1'), { exit: 2 })
  const full = await sillok('digest')
  t.match(full, { exit: 0, out: /^\{"digest":"[0-9a-f]{64}"\}\n$/ })
  t.not(full.out, empty.out)
  t.equal((await sillok('digest')).out, full.out, 'opening changes nothing')
  const store = await open({ dir: path.join(folder, 'store') })
  const text = store.digest()
  await store.close()
  t.match(full.out, createHash('sha256').update(text).digest('hex'))
})

t.test('a value that is looked up is JSON, and text if it is none', async t => {
  const { sillok } = shell(t)
  await sillok('define', 'books', '--json', '{"key":"id","unique":{"edition":{"fields":["title","year"]}}}')
  await sillok('put', 'books', '{"id":1,"title":"Emma","year":1815}')
  await sillok('put', 'books', '{"id":2,"title":"1984","year":"1949"}')
  const look = (...values: string[]) => sillok('get', 'books', '--by', 'edition', ...values)
  t.match(await look('Emma', '1815'), { exit: 0, out: /"id":1,/ })
  t.match(await look('"1984"', '"1949"'), { exit: 0, out: /"id":2,/ })
  t.match(await look('Emma', '"1815"'), {
    exit: 5,
    err: /^NOT_FOUND: no document books by edition Emma "1815"/,
  })
  t.match(await look('Emma'), { exit: 1, err: /^INVALID: edition takes 2 values: title, year/ })
  t.match(await look('Emma', '9007199254740993'), {
    exit: 1,
    err: /^INVALID: a value: 9007199254740993 cannot/,
  })
  t.match(await look('Emma', '1815', '--number'), { exit: 2 })
})

t.test('what is defined is printed, and is a definition again', async t => {
  const { sillok } = shell(t)
  const text = '{"key":"id","unique":{"name":{"fields":["name"]}}}'
  t.match(await sillok('define', 'people'), { exit: 5, err: /^NOT_FOUND/ })
  await sillok('define', 'people', '--json', text)
  t.match(await sillok('define', 'animals'), { exit: 5, err: /"animals" is not defined/ })
  t.match(await sillok('define', 'people', '--drop'), { exit: 2, err: /--drop goes with a definition/ })
  const { exit, out } = await sillok('define', 'people')
  t.equal(exit, 0)
  t.match(JSON.parse(out), { key: 'id', unique: { name: { fields: ['name'] } } })
  t.match(await sillok('define', 'people', '--json', out), { exit: 0 }, 'the same again')
})

t.test('an index goes when --drop says so, and the refusal names that option', async t => {
  const { sillok } = shell(t)
  const indexes = '{"key":"id","indexes":{"byName":{"type":"secondary","fields":["name"]}}}'
  await sillok('define', 'people', '--json', indexes)
  const refused = await sillok('define', 'people', '--json', '{"key":"id"}')
  t.match(refused, { exit: 1, err: /^INVALID: .*lacks the index byName: removing one needs --drop\n/ })
  t.match(await sillok('define', 'people', '--json', '{"key":"id"}', '--drop'), { exit: 0 })
})

t.test('a wrong name of a file is said of the name, and nothing was applied', async t => {
  const { sillok, folder } = shell(t)
  await sillok('define', 'users', '--json', users)
  const [file, missing] = [path.join(folder, 'file'), path.join(folder, 'no', 'such')]
  writeFileSync(file, '{"id":1}\n')
  const below = path.join(file, 'x')
  const cases: [string[], number, RegExp][] = [
    [['define', 'a', missing], 5, /^NOT_FOUND: no file .*such\n/],
    [['define', 'a', folder], 1, /^INVALID: cannot read .*: it is a folder\n/],
    [['define', 'a', below], 1, /^INVALID: cannot read .*: a part of its path is no folder\n/],
    [['import', 'users', missing], 5, /^NOT_FOUND: no file .*such\n/],
    [['import', 'users', below], 1, /^INVALID: cannot read .*: a part of its path is no folder\n/],
    [['import', 'users', file, '--report', missing], 5, /^NOT_FOUND: cannot write .*its folder is not there/],
    [['import', 'users', file, '--report', below], 1, /^INVALID: cannot write .*: a part of its path/],
    [['export', 'users', '--output-file', missing], 5, /^NOT_FOUND: cannot write .*its folder is not there/],
    [['export', 'users', '--output-file', below], 1, /^INVALID: cannot write .*: a part of its path/],
  ]
  for (const [words, exit, err] of cases) {
    const ended = await sillok(...words)
    t.match(ended, { exit, err, out: '' }, words.join(' '))
    t.match(ended.err, /outcome: not applied/)
    t.notMatch(ended.err, /cause:|\n +at /)
  }
  t.match(userFileError(Object.assign(new Error(), { code: 'EACCES' }), 'read', 'x'), { code: 'INVALID' })
  t.match(userFileError(Object.assign(new Error(), { code: 'EIO' }), 'read', 'x'), { code: 'DISK_FAILED' })
})

t.test('a wrong command line is exit code 2, and touches nothing', async t => {
  const { sillok, folder } = shell(t)
  const cases = [
    ['get', 'users'],
    ['get', 'users', 'a', 'b'],
    ['get', 'users', 'a', '--number'],
    ['get', 'users', 'a', '--nonsense'],
    ['get', 'users', 'a', '-o', 'xml'],
    ['put', 'users', '{}', '--if-version', 'x'],
    ['put', 'users', '{}', '--if-version', '1', '--insert'],
    ['scan', 'users', '--limit', '-1'],
    ['scan', 'users', '--gte', 'a', '--gte', 'b'],
    ['define', 'users', '--drop'],
    ['define', 'users', 'file', '--json', '{}'],
    ['import', 'users', 'package.json', '--concurrency', '0'],
    ['import', 'users', 'package.json', '--concurrency', '1025'],
    ['import', 'users', 'package.json', '--name', 'x'.repeat(100)],
    ['bench', 'nonsense'],
    ['bench', 'put', '--concurrency', '1,x'],
    ['bench', 'put', '--duration', '-1'],
    ['frob'],
    [],
  ]
  for (const words of cases)
    t.match(await sillok(...words), { exit: 2, out: '', err: /^UsageError: / }, words.join(' '))
  t.match(
    await sillok('get', 'users', 'a'),
    { exit: 5, err: /sillok define makes one\n(.*\n)* +next: +check --dir / },
    'reading makes no store',
  )
  t.match(await sillok('define', 'users', '--json', '{"key":7}'), { exit: 1 }, 'nor does a wrong definition')
  t.same(readdirSync(folder), [])
})

t.test('a folder of another program is left alone', async t => {
  const { sillok, folder } = shell(t)
  mkdirSync(path.join(folder, 'store'))
  writeFileSync(path.join(folder, 'store', 'photo.jpg'), 'x')
  t.match(await sillok('define', 'users', '--json', users), { exit: 1, err: /^FOREIGN_FOLDER: / })
  t.match(await sillok('get', 'users', 'a'), { exit: 1, err: /^FOREIGN_FOLDER: / })
  t.same(readdirSync(path.join(folder, 'store')), ['photo.jpg'])
})

t.test('percentiles are exact, and a load counts what ended within its time', async t => {
  const latencies = new Latencies()
  t.equal(latencies.percentile(0.5), 0)
  for (let ms = 10_000; ms >= 1; ms--) latencies.add(ms)
  t.equal(latencies.count, 10_000)
  t.same(
    [0, 0.5, 0.99, 1].map(share => latencies.percentile(share)),
    [1, 5000, 9900, 10_000],
  )
  let calls = 0
  const operation = async (): Promise<void> => {
    await new Promise(resolve => setTimeout(resolve, 1))
    if (++calls % 10 === 0) throw new SillokError('OVERLOADED', 'busy')
  }
  const load = { clock: new RealClock(), concurrency: 4, durationMs: 200, warmUpMs: 20, operation }
  const result = await runLoad(load)
  t.ok(result.opsPerSecond > 100 && result.p50Ms >= 1 && result.p99Ms >= result.p50Ms, JSON.stringify(result))
  t.ok((result.errors['OVERLOADED'] ?? 0) > 0)
  await t.rejects(runLoad({ ...load, operation: () => Promise.reject(new TypeError('wrong')) }), TypeError)
})
