/** Verify and inspect: what they print of a sound store and of a damaged one; an open one is refused. */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { open } from '../../../src/index.js'
import { shell } from './shell.js'

async function fill(folder: string): Promise<string> {
  const dir = path.join(folder, 'store')
  const store = await open({ dir })
  const email = { fields: ['email'], normalize: ['fold'] as const }
  await store.define('users', { key: 'id', unique: { email } })
  const users = store.collection('users')
  for (let id = 0; id < 20; id++) await users.put({ id, email: `User${id}@x` })
  await users.delete(7, { requestId: 'löschen' })
  const session = await store.session({ name: 'worker', numbering: 'caller', input: 'day 1' })
  for (let sequence = 1; sequence <= 3; sequence++) {
    await session.collection('users').put({ id: `s${sequence}` }, { sequence })
  }
  await store.close()
  return dir
}

type Fields = Record<string, unknown>

function lines(text: string): Fields[] {
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Fields)
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(file, bytes)
}

t.test('a sound store has no findings, whatever was read is counted', async t => {
  const { sillok, folder } = shell(t)
  const dir = await fill(folder)
  const ended = await sillok('verify')
  t.match(ended, { exit: 0, out: '', err: /^sound: read \d+ files, [\d,]+ bytes, \d+ batches, \d+ entries,/ })
  t.match(await sillok('verify', '-o', 'json'), { exit: 0, out: '[]\n' })
  const store = await open({ dir })
  t.match(await sillok('verify'), { exit: 3, err: /^FOLDER_IN_USE/ })
  t.match(await sillok('inspect', 'wal'), { exit: 3, err: /^FOLDER_IN_USE/ })
  t.equal(await store.collection('users').count(), 22)
  await store.close()
  t.match(await sillok('verify'), { exit: 0, out: '' })
})

t.test('a fault is a line with file, place and what, and exit code 1', async t => {
  const { sillok, folder } = shell(t)
  const dir = await fill(folder)
  const wal = readdirSync(path.join(dir, 'wal')).find(name => name.startsWith('wal-')) ?? ''
  flip(path.join(dir, 'wal', wal), 4096 + 100)
  flip(path.join(dir, 'IDENT'), 30)
  const { exit, out, err } = await sillok('verify')
  t.equal(exit, 1)
  t.match(err, /^2 faults: read/)
  t.match(lines(out).slice(0, 2), [
    { kind: 'fault', file: 'IDENT', at: 'byte 0' },
    { kind: 'fault', file: `wal/${wal}`, at: 'byte 4096', what: /damaged in its opening/ },
  ])
  t.match(await sillok('inspect', 'entries'), { exit: 1, err: /^DAMAGED: .*IDENT/ })
  flip(path.join(dir, 'IDENT'), 30)
  t.match(await sillok('inspect', 'entries'), {
    exit: 1,
    err: /^DAMAGED: .*wal-.*byte 4096.*1 fault; sillok verify tells more/,
  })
  t.match(lines((await sillok('inspect', 'wal')).out), [{ what: /not begun whole/ }, { what: /^DAMAGED/ }])
  rmSync(path.join(dir, 'wal'), { recursive: true })
  t.match(await sillok('verify'), { exit: 1, out: /"wal".*is missing: .*partition 0/ })
  t.match(await sillok('inspect', 'entries'), { exit: 1, err: /^DAMAGED: .*does not know partition 1/ })
  t.match(await sillok('get', 'people', 'a'), { exit: 1, err: /DAMAGED: .*the log in .* is missing/ })
})

t.test('a last batch that is not whole is no fault, only a note', async t => {
  const { sillok, folder } = shell(t)
  const dir = await fill(folder)
  const listed = lines((await sillok('inspect', 'wal')).out).filter(line => typeof line['batch'] === 'number')
  const last = listed.at(-1)
  t.match(last, { what: 'cleanClose' })
  const file = path.join(dir, 'wal', String(last?.['file']))
  flip(file, Number(last?.['offset']) + 20)
  const { exit, out } = await sillok('verify')
  t.equal(exit, 0)
  t.match(lines(out), [
    { kind: 'note', file: `wal/${last?.['file']}`, at: `byte ${last?.['offset']}`, what: /^torn end/ },
  ])
})

t.test('the log, its segments and entries are shown as they lie there', async t => {
  const { sillok, folder } = shell(t)
  await fill(folder)
  const batches = lines((await sillok('inspect', 'wal')).out)
  t.match(batches[0], { sequence: 1, batch: 1, offset: 4096, what: /opening/ })
  t.ok(batches.length > 20)
  const segments = lines((await sillok('inspect', 'segments')).out)
  t.match(segments, [
    { partition: 0, firstIndex: 1 },
    { partition: 1, firstIndex: 1 },
  ])
  const entries = lines((await sillok('inspect', 'entries', '--count', '1000')).out)
  t.match(
    entries.find(({ row, op }) => row === 'claim' && op === 'put'),
    { kind: 'facts', of: 'users.email', key: 'user0@x', bytes: Number },
  )
  for (const { logTimeMs, time } of entries)
    t.ok(Number.isSafeInteger(logTimeMs) && time === undefined, 'log time is a number of milliseconds')
  t.match(
    entries.filter(({ op, row }) => op === 'delete' && row === 'document'),
    [{ of: 'users', key: '7' }],
  )
  t.equal(entries.filter(({ row }) => row === 'reply').length, 3)
  const slot = entries.find(({ row }) => row === 'request id')?.['of']
  t.match(slot, /^slot \d+$/)
  t.match(
    entries.filter(({ row }) => String(row).startsWith('request id')),
    [
      { of: slot, key: 'löschen' },
      { row: 'request id count', key: slot },
    ],
  )
  const some = lines((await sillok('inspect', 'entries', '--from', '5', '--count', '2')).out)
  t.same([...new Set(some.map(({ index }) => index))], [5, 6])
  t.match(await sillok('inspect', 'entries', '--partition', '0', '-o', 'table'), {
    out: /registered session/,
  })
})

t.test('sessions and claims are shown as the log says them', async t => {
  const { sillok, folder } = shell(t)
  await fill(folder)
  const sessions = lines((await sillok('inspect', 'sessions')).out)
  t.match(
    sessions.find(({ name }) => name === 'worker'),
    { numbering: 'caller', epoch: 1, input: 'day 1', replies: 3, activeLogTimeMs: Number },
  )
  const claims = lines((await sillok('inspect', 'claims', 'users', '--constraint', 'email')).out)
  t.equal(claims.length, 19)
  t.match(claims[0], { constraint: 'email', value: 'user0@x', holder: 0 })
  t.match(await sillok('inspect', 'claims', 'nobody'), { exit: 5, err: /^NOT_FOUND/ })
  t.match(await sillok('inspect', 'claims', 'users', '--constraint', 'x'), { exit: 5 })
  t.match(await sillok('inspect', 'claims'), { exit: 2 })
  t.match(await sillok('inspect', 'nonsense'), { exit: 2 })
  t.match(await sillok('inspect', 'wal', '--from', '3'), { exit: 2 })
  t.match(await sillok('inspect', 'entries', '--partition', '9'), { exit: 5 })
})

async function fillUsers(dir: string, count: number): Promise<void> {
  const store = await open({ dir })
  await store.define('users', { key: 'id' })
  const users = store.collection('users')
  await Promise.all(Array.from({ length: count }, (_, id) => users.put({ id })))
  await store.close()
}

t.test('faults are counted whole, and their cause stands before the rows that it costs', async t => {
  const { sillok, folder } = shell(t)
  const [dir, other] = [path.join(folder, 'store'), path.join(folder, 'other')]
  await fillUsers(dir, 3)
  await fillUsers(other, 500)
  // The state of the documents is that of another store, and has rows of which the log knows nothing.
  const state = path.join('partitions', '1-1', 'state')
  rmSync(path.join(dir, state), { recursive: true })
  cpSync(path.join(other, state), path.join(dir, state), { recursive: true })
  const { exit, out, err } = await sillok('verify')
  t.equal(exit, 1)
  const faults = lines(out).filter(({ kind }) => kind === 'fault')
  const total = Number(/^([\d,]+) faults: read/.exec(err)?.[1]?.replace(',', ''))
  t.ok(total > 490, err)
  const more = faults.flatMap(({ what }) => /^([\d,]+) more faults$/.exec(String(what))?.[1] ?? [])
  t.equal(more.length, 1)
  t.equal(faults.length - 1 + Number(more[0]), total)
  const isRow = faults.map(({ at }) => String(at).startsWith('key '))
  t.match(faults[0], { file: /^wal/, what: /the log ends at \d+, the state knows \d+/ })
  t.same(isRow.slice(isRow.indexOf(true)), [...Array.from({ length: 20 }, () => true), false])

  // A fault of the segments stands before those of the state, whatever partition they are of.
  const segment = path.join('partitions', '1-1', 'segments')
  flip(path.join(dir, segment, readdirSync(path.join(dir, segment))[0] ?? ''), 3)
  rmSync(path.join(dir, 'partitions', '0-1', 'state', 'CURRENT'))
  const files = lines((await sillok('verify')).out).flatMap(({ kind, file }) =>
    kind === 'fault' ? [file] : [],
  )
  t.match(files[0], /1-1.segments/)
  t.match(files[1], /0-1.state/)
})

t.test('one fault is one fault', async t => {
  const { sillok, folder } = shell(t)
  rmSync(path.join(await fill(folder), 'partitions', '0-1', 'state', 'CURRENT'))
  t.match(await sillok('verify'), { exit: 1, err: /^1 fault: read/ })
})
