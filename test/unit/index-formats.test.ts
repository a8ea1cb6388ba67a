/** Folders of derived indexes are what `src/FORMATS.md` says, decoded by the tables of that page alone. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import t, { type Test } from 'tap'
import { Layout } from '../docs/layout.js'
import { rowsOf, u32be } from '../docs/level-rows.js'
import { documentCount, makeFolders } from '../docs/sample-folders.js'

const stateRow = new Layout('State row')
const indexHead = new Layout('Index checkpoint')
const indexValue = new Layout('Index value')
const indexNote = new Layout('Index note')
const indexPosition = new Layout('Index position')
const secondaryRow = new Layout('Secondary rows')

const root = mkdtempSync(join(tmpdir(), 'sillok-index-formats-'))
t.teardown(() => rm(root, { recursive: true, force: true }))
const folder = await makeFolders(root)

const indexFolder = 'partitions/1-1/indexes/1'

t.test('the checkpoint of an index says whose rows they are, and which tables hold them', async t => {
  const bytes = readFileSync(join(folder.closed, indexFolder, 'CHECKPOINT'))
  t.equal(indexHead.number(bytes, 'crc'), crc32(bytes.subarray(4)))
  t.equal(indexHead.number(bytes, 'format'), 1)
  t.equal(indexHead.bytes(bytes, 'incarnation').length, 16)
  const { cluster } = JSON.parse(readFileSync(join(folder.closed, 'IDENT'), 'utf8')) as { cluster: string }
  let at = indexHead.length + indexHead.number(bytes, 'identity')
  const config = JSON.stringify({ fields: ['n', 'tags'], each: 'tags', sparse: false })
  t.equal(bytes.toString('utf8', indexHead.length, at), `${cluster}/0/1/secondary/1/${config}`)
  const count = bytes.readUInt32LE(at)
  at += 4
  for (let left = count; left > 0; left--) {
    const end = at + 1 + bytes.readUInt8(at)
    const file = readFileSync(join(folder.closed, indexFolder, 'rows', bytes.toString('latin1', at + 1, end)))
    t.equal(Number(bytes.readBigUInt64LE(end)), file.length)
    t.equal(bytes.readUInt32LE(end + 8), crc32(file))
    at = end + 12
  }
  t.equal(at, bytes.length)
  const rows = await rowsOf(t, folder.closed, '1-1', 'indexes/1/rows')
  const proven = indexHead.number(bytes, 'batch')
  t.equal(proven > 0, count > 0)
  t.equal(proven === 0 ? 0 : Number(indexed(t, rows, '!c').readBigUInt64LE(0)), proven)
})

/** The value of a row of an index whose check holds. */
function indexed(t: Test, rows: ReadonlyMap<string, Buffer>, key: string): Buffer {
  const row = rows.get(key)
  if (row === undefined) throw new Error(`no row ${JSON.stringify(key)} in the index`)
  const rest = row.subarray(indexValue.length)
  t.equal(indexValue.number(row, 'crc'), crc32(rest, crc32(Buffer.from(key, 'latin1'))))
  return rest
}

/** A number as a tuple element, for those that are not negative. */
function numberElement(value: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return `\x20${String.fromCharCode((bytes[0] ?? 0) ^ 128)}${bytes.toString('latin1', 1)}`
}

/** Bytes as a tuple element. */
function bytesElement(text: string): string {
  return `\x50${text.replaceAll('\0', '\0\xff')}\0`
}

t.test('a secondary index has a row for each element, and a note for each document', async t => {
  const rows = await rowsOf(t, folder.closed, '1-1', 'indexes/1/rows')
  const [head, key, x, y] = [numberElement(5), '\x40p5\0', '\x40x\0', '\x40y\0']
  for (const [own, before, after] of [
    [x, '', y],
    [y, x, ''],
  ] as const) {
    const row = indexed(t, rows, `r${head}${own}${key}`)
    const field = (name: string): number => secondaryRow.bytes(row, name).readUInt16BE(0)
    t.equal(field('keyAt'), head.length + own.length)
    t.equal(field('elementAt'), head.length)
    t.equal(field('elementBytes'), own.length)
    t.equal(field('beforeBytes'), before.length)
    t.equal(row.toString('latin1', secondaryRow.length), before + after)
  }
  const alone = indexed(t, rows, `r${numberElement(6)}\x01\x40p6\0`)
  t.equal(alone.length, 2)
  t.equal(secondaryRow.bytes(alone, 'keyAt').readUInt16BE(0), 10)
  const note = indexed(t, rows, `n${key}`)
  t.equal(indexNote.number(note, 'flags'), 2)
  const noted = [head, '', x, y].map(bytesElement).join('')
  t.equal(note.toString('latin1', indexNote.length), noted)
  const state = await rowsOf(t, folder.closed, '1-1')
  const stored = state.get(`d${u32be(1)}${key}`) ?? Buffer.alloc(0)
  t.equal(indexNote.number(note, 'version'), stateRow.number(stored, 'version'))
  t.equal([...rows.keys()].filter(name => name.startsWith('n')).length, documentCount)
  const at = indexed(t, rows, '!p')
  t.equal(indexPosition.number(at, 'flags'), 1, 'it is built')
  t.ok(indexPosition.number(at, 'position') >= indexNote.number(note, 'version'))
  const batches = [...rows.keys()].filter(name => name.startsWith('!m'))
  const last = Buffer.from(batches.sort().at(-1) ?? '', 'latin1')
  if (batches.length > 0) {
    t.equal(Number(last.readBigUInt64BE(2)), indexPosition.number(at, 'batch'))
    t.equal(indexed(t, rows, last.toString('latin1')).length, 0)
  }
})
