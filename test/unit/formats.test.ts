/**
 * A real folder is what `src/FORMATS.md` says: decoded here by the tables of that page, with none of the
 * decoders of `src/`.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { unpack } from 'msgpackr'
import t, { type Test } from 'tap'
import { open } from '../../src/index.js'
import { Layout, numberOf, tableOf } from '../docs/layout.js'
import { rowsOf, u32be } from '../docs/level-rows.js'
import { batchHead, fileHeader, readBatches, registersOf, u64s, walFile } from '../docs/log-batches.js'
import { block, makeFolders } from '../docs/sample-folders.js'

const entryHead = new Layout('Entry')
const segmentHeader = new Layout('Segment header')
const trailer = new Layout('Segment footer')
const stateRow = new Layout('State row')
const checkpointHead = new Layout('Checkpoint record')

interface Fact {
  readonly op: number
  readonly key: Buffer
  readonly value: Buffer
}

/** The facts of an entry's body, for entries below 16 KiB. */
function factsOf(body: Buffer): Fact[] {
  let at = 6
  const varint = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = body.readUInt8(at++)
      value += (byte & 127) << shift
      if (byte < 128) return value
    }
  }
  const sized = (): Buffer => {
    const length = varint()
    at += length
    return body.subarray(at - length, at)
  }
  const facts: Fact[] = []
  for (let left = varint(); left > 0; left--) {
    const op = body.readUInt8(at++)
    const key = sized()
    at += op === 3 ? 0 : 8
    const value = op === 2 ? Buffer.alloc(0) : sized()
    at += op === 3 ? 10 : 0
    facts.push({ op, key, value })
  }
  if (at !== body.length) throw new Error(`facts end at ${at} of ${body.length} bytes`)
  return facts
}

/** The value of a stored row whose check holds. */
function checkedValue(t: Test, rows: ReadonlyMap<string, Buffer>, key: string): Buffer {
  const row = rows.get(key)
  if (row === undefined) throw new Error(`no row ${JSON.stringify(key)}`)
  const crc = crc32(row.subarray(4), crc32(Buffer.from(key, 'latin1')))
  t.equal(stateRow.number(row, 'crc'), crc, `CRC of ${JSON.stringify(key)}`)
  return row.subarray(stateRow.length)
}

function u48be(value: number): string {
  return `\0\0${u32be(value)}`
}

const root = mkdtempSync(join(tmpdir(), 'sillok-formats-'))
t.teardown(() => rm(root, { recursive: true, force: true }))
const folder = await makeFolders(root)

t.test('the folder holds what the page lists, and nothing else', async t => {
  const digits = '\\d{20}'
  const level = '(CURRENT|LOCK|LOG|LOG\\.old|MANIFEST-\\d+|\\d+\\.(log|ldb))'
  const listed = [
    'IDENT',
    `lock(/${level})?`,
    'wal(/wal-[0-9a-f]{16}|/durable)?',
    'partitions(/[01]-1)?',
    `partitions/[01]-1/segments(/(${digits}-${digits}|open-${digits})\\.seg)?`,
    `partitions/[01]-1/state(/${level})?`,
    `partitions/1-1/indexes(/1(/CHECKPOINT|/rows(/${level})?)?)?`,
  ].map(pattern => new RegExp(`^${pattern}$`))
  for (const dir of [folder.closed, folder.recovered]) {
    const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).map(name =>
      name.replaceAll('\\', '/'),
    )
    t.same(
      names.filter(name => !listed.some(pattern => pattern.test(name))),
      [],
    )
  }
})

t.test('the note names the batch before the last one', async t => {
  const note = readFileSync(join(folder.closed, 'wal/durable'))
  const table = new Layout('The note of what was durable')
  t.equal(note.length, 16)
  t.equal(table.number(note, 'crc'), crc32(note.subarray(4)))
  t.ok(table.number(note, 'batch') > 0)
})

t.test('IDENT is one line of JSON with a CRC over the rest of it', async t => {
  const text = readFileSync(join(folder.closed, 'IDENT'), 'utf8')
  t.equal(text.indexOf('\n'), text.length - 1)
  const { crc, ...identity } = JSON.parse(text) as Record<string, unknown>
  t.same(
    [...Object.keys(identity), 'crc'],
    tableOf('IDENT')
      .map(([field]) => field)
      .slice(0, 6),
  )
  t.equal(crc, crc32(Buffer.from(JSON.stringify(identity))))
  t.equal(identity['format'], 1)
})

t.test('a file of the log is a header and a chain of batches', async t => {
  const file = walFile(folder.closed, 1)
  t.equal(file.length, 8 * 2 ** 20)
  t.equal(fileHeader.number(file, 'crc'), crc32(file.subarray(4, fileHeader.length)))
  t.equal(fileHeader.number(file, 'magic'), 0x66574c53)
  t.equal(fileHeader.number(file, 'format'), 1)
  t.equal(fileHeader.number(file, 'sequence'), 1)
  const batches = readBatches(t, file, { sequence: 0, crc: 0 })
  t.equal(batches[0]?.flags, 4, 'the first is an opening')
  t.equal(batchHead.number(file, 'opening', block), 1)
  t.same(
    batches[0]?.records.map(({ kind, bytes }) => [kind, ...u64s(bytes)]),
    [[numberOf('WAL record', 'floor'), 1]],
  )
  t.equal(batches.at(-1)?.flags, 2, 'the last is a clean close')
})

t.test('registers say of each partition what the page says', async t => {
  const registers = registersOf(readBatches(t, walFile(folder.closed, 1)))
  t.same(u64s(registers.get('1 created') ?? Buffer.alloc(0)), [1, block])
  t.equal(registers.get('0 configuration')?.toString(), '{"voters":[1]}')
  const [term, vote, commit] = u64s(registers.get('1 hard state') ?? Buffer.alloc(0))
  t.match([term, vote], [1, 1])
  const segments = join(folder.closed, 'partitions/1-1/segments')
  const names = readdirSync(segments).filter(name => !name.startsWith('open'))
  const sealed = registers.get('1 segment sealed') ?? Buffer.alloc(0)
  const newest = readFileSync(join(segments, names.at(-1) ?? ''))
  const end = newest.length - trailer.length
  t.same(u64s(sealed.subarray(0, 16)), [
    trailer.number(newest, 'firstIndex', end),
    trailer.number(newest, 'lastIndex', end),
  ])
  t.ok(sealed.subarray(16).equals(trailer.bytes(newest, 'sha256', end)))
  const [first, last, length, crc] = u64s(registers.get('1 segment synced') ?? Buffer.alloc(0))
  const open = readFileSync(join(segments, `open-${String(first).padStart(20, '0')}.seg`))
  t.equal(crc, crc32(open.subarray(0, length)))
  t.ok((commit ?? 0) <= (last ?? 0), 'at the end all is in segments')
})

t.test('segments carry the very entries of the log, with a footer', async t => {
  const entries = new Map<number, Buffer>()
  for (const { kind, bytes } of readBatches(t, walFile(folder.closed, 1)).flatMap(batch => batch.records)) {
    if (kind !== numberOf('WAL record', 'entry')) continue
    t.equal(entryHead.number(bytes, 'crc'), crc32(bytes.subarray(4)), 'CRC of an entry')
    t.equal(entryHead.number(bytes, 'length'), bytes.length - entryHead.length)
    t.equal(entryHead.number(bytes, 'level'), 1)
    if (entryHead.number(bytes, 'partition') === 1) entries.set(entryHead.number(bytes, 'index'), bytes)
  }
  const segments = join(folder.closed, 'partitions/1-1/segments')
  const names = readdirSync(segments).filter(name => !name.startsWith('open'))
  t.ok(names.length > 1, `${names.length} sealed segments`)
  let next = 1
  for (const name of names) {
    const file = readFileSync(join(segments, name))
    t.equal(segmentHeader.bytes(file, 'magic').toString(), 'sillokSG')
    t.equal(segmentHeader.number(file, 'format'), 1)
    t.equal(segmentHeader.number(file, 'partition'), 1)
    t.equal(segmentHeader.number(file, 'clusterEpoch'), 0)
    t.equal(segmentHeader.number(file, 'firstIndex'), next)
    t.equal(segmentHeader.number(file, 'crc'), crc32(file.subarray(0, 32)))
    const end = file.length - trailer.length
    const content = trailer.number(file, 'contentBytes', end)
    const count = trailer.number(file, 'entries', end)
    t.equal(trailer.bytes(file, 'magic', end).toString(), 'sillokSF')
    t.equal(trailer.number(file, 'crc', end), crc32(file.subarray(content, end + 60)))
    t.ok(
      trailer
        .bytes(file, 'sha256', end)
        .equals(createHash('sha256').update(file.subarray(0, content)).digest()),
    )
    t.equal(trailer.number(file, 'firstIndex', end), next)
    t.equal(trailer.number(file, 'runs', end), 1, 'one term')
    t.same(u64s(file.subarray(content + 4 * count, end)), [next, 1])
    for (let i = 0; i < count; i++, next++) {
      const start = segmentHeader.length + file.readUInt32LE(content + 4 * i)
      const stop = i + 1 < count ? segmentHeader.length + file.readUInt32LE(content + 4 * i + 4) : content
      t.ok(file.subarray(start, stop).equals(entries.get(next) ?? Buffer.alloc(0)), `entry ${next}`)
    }
    t.equal(trailer.number(file, 'lastIndex', end), next - 1)
    t.ok(content - segmentHeader.length >= block, 'sealed at the cut')
  }
})

t.test('an entry of facts names the rows that change; the first of a term is empty', async t => {
  const entries = readBatches(t, walFile(folder.closed, 1))
    .flatMap(batch => batch.records)
    .filter(({ kind, bytes }) => kind === 1 && entryHead.number(bytes, 'partition') === 1)
    .map(({ bytes }) => bytes)
  const [first] = entries
  t.equal(first && entryHead.number(first, 'kind'), numberOf('Entry', 'empty'))
  t.equal(first?.length, entryHead.length + 6)
  const facts = entries
    .filter(bytes => entryHead.number(bytes, 'kind') === numberOf('Entry', 'facts'))
    .flatMap(bytes => factsOf(bytes.subarray(entryHead.length)))
  t.equal(facts.filter(({ op }) => op === 2).length, 2, 'one document and its claim were deleted')
  const kim = facts.find(({ key }) => key.toString('latin1') === `d${u32be(1)}\x40kim\0`)
  const rows = await rowsOf(t, folder.closed, '1-1')
  t.ok(
    kim?.value.equals(checkedValue(t, rows, `d${u32be(1)}\x40kim\0`)),
    'the fact carries what the row holds',
  )
  const replies = facts.filter(({ key }) => key[0] === 's'.charCodeAt(0))
  t.same(
    replies.map(({ key }) => key.length),
    [18, 18],
  )
})

t.test('documents and claims are stored as the page says', async t => {
  const rows = await rowsOf(t, folder.closed, '1-1')
  const value = checkedValue(t, rows, `d${u32be(1)}\x40kim\0`)
  const normal = '\x40kim@example.org\0'
  t.equal(value[0], 1, 'one claim')
  t.equal(value.readUInt32LE(1), 1, 'of constraint 1')
  t.equal(value.readUInt16LE(5), normal.length)
  t.equal(value.toString('latin1', 7, 7 + normal.length), normal)
  t.same(unpack(value.subarray(7 + normal.length)), { id: 'kim', email: 'Kim@Example.org', name: '김철수' })
  const claim = checkedValue(t, rows, `c${u32be(1)}${normal}`)
  const holder = claim.readUInt16LE(0)
  t.equal(claim.toString('latin1', 2, 2 + holder), '\x40kim\0')
  const rule = claim.readUInt16LE(2 + holder)
  t.equal(claim.toString('latin1', 4 + holder, 4 + holder + rule), '1:fold/15.0')
  t.equal(claim.toString('latin1', 4 + holder + rule), '\x40Kim@Example.org\0')
  t.notOk(rows.has(`d${u32be(1)}\x40p7\0`))
  t.notOk(rows.has(`c${u32be(1)}\x40p7@example.org\0`))
})

t.test('a constraint that is built on documents leaves what the page says', async t => {
  const dir = join(root, 'built')
  const store = await open({ dir })
  await store.define('people', { key: 'id' })
  const people = store.collection('people')
  for (const id of ['a', 'b', 'c']) await people.put({ id, on: true, mail: [' X', 'x'] })
  const mail = {
    fields: ['mail'],
    normalize: ['trim', 'fold'],
    each: 'mail',
    nulls: 'equal',
    where: { on: true, mail: { exists: true } },
  } as const
  await store.define('people', { key: 'id', unique: { mail } })
  await store.enforced('people', 'mail').catch(() => {})
  const many = Array.from({ length: 255 }, (_, n) => `m${n}`)
  await people.put({ id: 'many', on: true, mail: many })
  await store.close()
  const rows = await rowsOf(t, dir, '1-1')
  const [schema] = (unpack(checkedValue(t, rows, `ms${u32be(1)}`)) as { unique: object[] }).unique
  const all = [
    { field: 'mail', exists: true },
    { field: 'on', is: true },
  ]
  t.match(schema, { id: 1, each: 'mail', nulls: 'equal', online: true, where: { version: 1, all } })
  t.match(unpack(checkedValue(t, rows, `mc${u32be(1)}`)), {
    collection: 1,
    of: 'people',
    name: 'mail',
    state: 'violated',
    documents: 3,
    after: Buffer.from('\x40c\0'),
    violations: 2,
    values: 1,
  })
  const value = '\x40x\0'
  const prefix = `v${u32be(1)}\0${String.fromCharCode(value.length)}${value}`
  const head = checkedValue(t, rows, prefix)
  t.equal(head.readUInt32LE(0), 2)
  t.equal(head.toString('latin1', 4), '\x40c\0', 'the newest is the first')
  const link = checkedValue(t, rows, `${prefix}\x40b\0`)
  t.equal(link.readUInt16LE(0), 3)
  t.equal(link.toString('latin1', 2, 5), '\x40c\0')
  t.equal(link.readUInt16LE(5), 0)
  t.equal(link.toString('latin1', 7), '\x40 X\0')
  t.equal(checkedValue(t, rows, `d${u32be(1)}\x40a\0`)[0], 0, 'the build writes no document')
  const listed = checkedValue(t, rows, `d${u32be(1)}\x40many\0`)
  t.equal(listed[0], 255)
  t.equal(listed.readUInt16LE(1), 255)
  t.equal(listed.readUInt32LE(3), 1, 'the first of the list')
})

t.test("the partitions' own rows are stored as the page says", async t => {
  const meta = await rowsOf(t, folder.closed, '0-1')
  const own = await rowsOf(t, folder.closed, '1-1')
  const schema = checkedValue(t, meta, `ms${u32be(1)}`)
  t.match(unpack(schema), { id: 1, name: 'people', key: 'id', unique: [{ id: 1, rule: '1:fold/15.0' }] })
  const config = { fields: ['n', 'tags'], each: 'tags', sparse: false }
  t.match(unpack(schema), { indexes: [{ id: 1, name: 'byTag', type: 'secondary', config }] })
  t.ok(schema.equals(checkedValue(t, own, `ms${u32be(1)}`)))
  t.equal(checkedValue(t, meta, 'mnpeople').readUInt32LE(0), 1)
  t.same(unpack(checkedValue(t, meta, 'mi')), {
    collections: 1,
    constraints: 1,
    indexes: 1,
    sessions: 1,
  })
  const session = checkedValue(t, meta, 'muimporter').readUIntLE(0, 6)
  const registered = unpack(checkedValue(t, meta, `mr${u48be(session)}`)) as Record<string, unknown>
  t.same(Object.keys(registered), ['epoch', 'numbering', 'name', 'input', 'nonce', 'active'])
  t.equal(checkedValue(t, meta, `mw${registered['nonce']}`).readUIntLE(0, 6), session)
  t.same([...checkedValue(t, own, `mo${u48be(session)}`)], [1, 0, 0, 0, 1])
  const defined = stateRow.number(meta.get(`ms${u32be(1)}`) ?? Buffer.alloc(0), 'version')
  t.equal(checkedValue(t, own, 'mx').readUIntLE(0, 6), defined, 'taken over up to the definition')
  for (const mark of ['!applied', '!ckpt', '!probe']) t.equal(checkedValue(t, own, mark).length, 0)
})

interface Reply {
  readonly key: string
  readonly versionAndValue: Buffer
}

/** The kept replies of a window's row, with the keys that they have in the log. */
function repliesOf(t: Test, key: string, bytes: Buffer): Reply[] {
  const layout = new Layout('State window')
  t.equal(bytes.readUInt32LE(0), crc32(bytes.subarray(4), crc32(Buffer.from(key, 'latin1'))))
  const replies: Reply[] = []
  for (let at = 4; at < bytes.length; ) {
    const end = at + layout.length + layout.number(bytes, 'length', at)
    const version = layout.bytes(bytes, 'version', at)
    const named = key + u32be(layout.number(bytes, 'epoch', at)) + u48be(layout.number(bytes, 'sequence', at))
    const value = bytes.subarray(at + layout.length, end)
    replies.push({ key: named, versionAndValue: Buffer.concat([version, value]) })
    at = end
  }
  return replies
}

t.test('kept replies are stored in windows', async t => {
  const rows = await rowsOf(t, folder.closed, '1-1')
  const windows = [...rows].filter(([key]) => key.startsWith('s'))
  const replies = windows.flatMap(([key, bytes]) => repliesOf(t, key, bytes))
  const told = replies.map(({ versionAndValue }) => unpack(versionAndValue.subarray(8 + 16 + 6)) as object)
  t.same(told.map(reply => Object.keys(reply).join()).sort(), ['c,m,d', 'v'])
  t.same(
    replies.map(({ key }) => key.slice(8)).sort(),
    [1, 2].map(sequence => u32be(0) + u48be(sequence)),
  )
})

t.test('request ids are stored with their answers, and counted', async t => {
  const rows = await rowsOf(t, folder.closed, '1-1')
  const slotOf = (key: string): string => String.fromCharCode(crc32(Buffer.from(`\x40${key}\0`)) % 256)
  const latin1 = (text: string): string => Buffer.from(text).toString('latin1')
  const id = `r${slotOf('p7')}${latin1('ö')}`
  const value = checkedValue(t, rows, id)
  t.ok(value.readUIntLE(0, 6) > 0, 'the log time')
  t.same(unpack(value.subarray(6 + 16)), { v: { existed: [true] } })
  const count = checkedValue(t, rows, `mk${slotOf('p7')}`)
  t.same([count.readUInt32LE(0), count.readUIntLE(4, 6), count.length], [1, id.length + value.length, 10])
  const fence = checkedValue(t, rows, `r${slotOf('kim')}no`)
  t.equal(fence.length, 6, 'a fence has the log time only')
  t.equal([...rows.keys()].filter(key => key.startsWith('r')).length, 2)
})

t.test('the checkpoint in the log tells tables and digests of what is there', async t => {
  const record = registersOf(readBatches(t, walFile(folder.closed, 1))).get('1 checkpoint') ?? Buffer.alloc(0)
  t.equal(checkpointHead.number(record, 'crc'), crc32(record.subarray(4)))
  t.equal(checkpointHead.number(record, 'format'), 1)
  const rows = await rowsOf(t, folder.closed, '1-1')
  const mark = rows.get('!ckpt') ?? Buffer.alloc(0)
  t.equal(checkpointHead.number(record, 'index'), stateRow.number(mark, 'version'))
  let at = checkpointHead.length
  for (let left = checkpointHead.number(record, 'tables'); left > 0; left--) {
    const end = at + 1 + record.readUInt8(at)
    const name = record.toString('latin1', at + 1, end)
    const file = readFileSync(join(folder.closed, 'partitions/1-1/state', name))
    t.equal(Number(record.readBigUInt64LE(end)), file.length)
    t.equal(record.readUInt32LE(end + 8), crc32(file))
    at = end + 12
  }
  t.equal(record.length - at, 257 * 8)
  const sums = new Uint32Array(2 * 257)
  const count = (slot: number, key: Buffer, body: Buffer): void => {
    sums[2 * slot] = (sums[2 * slot] ?? 0) + crc32(body, crc32(key))
    sums[2 * slot + 1] = (sums[2 * slot + 1] ?? 0) + crc32(key, crc32(body))
  }
  for (const [key, bytes] of rows) {
    const own = Buffer.from(key, 'latin1')
    if (key.startsWith('d')) count(crc32(own.subarray(5)) % 256, own, bytes.subarray(4))
    else if (key.startsWith('c')) count(crc32(own.subarray(1)) % 256, own, bytes.subarray(4))
    else if (key.startsWith('r')) count(own[1] ?? 0, own, bytes.subarray(4))
    else if (key.startsWith('m')) count(256, own, bytes.subarray(4))
    else if (key.startsWith('s')) {
      for (const { key: named, versionAndValue } of repliesOf(t, key, bytes)) {
        count(own[1] ?? 0, Buffer.from(named, 'latin1'), versionAndValue)
      }
    }
  }
  const told = Array.from(sums, (_, word) => record.readUInt32LE(at + 4 * word))
  t.same(told, [...sums])
})

t.test('after a kill the last batch stands in the opening of a new file, void in the old', async t => {
  const old = readBatches(t, walFile(folder.recovered, 1))
  const last = old.at(-1)
  const file = walFile(folder.recovered, 2)
  t.equal(statSync(join(folder.recovered, 'wal/wal-0000000000000002')).size, 8 * 2 ** 20)
  const batches = readBatches(t, file)
  t.equal(batches[0]?.flags, 4)
  t.equal(batches[0]?.sequence, last?.sequence, 'it takes the place of the last batch')
  const kinds = batches[0]?.records.map(({ kind }) => kind) ?? []
  t.equal(kinds[0], numberOf('WAL record', 'floor'))
  t.equal(kinds[1], numberOf('WAL record', 'voided'))
  t.same(u64s(batches[0]?.records[1]?.bytes ?? Buffer.alloc(0)), [1, last?.sequence])
  t.ok(kinds.slice(2).includes(numberOf('WAL record', 'restated')))
  t.equal(batches.at(-1)?.flags, 2)
})
