/** Snapshot files of a real folder are what `src/FORMATS.md` says: decoded by the tables of that page. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import t, { type Test } from 'tap'
import { Layout } from '../docs/layout.js'
import { readBatches, registersOf, u64s } from '../docs/log-batches.js'
import { block, openStore } from '../docs/sample-folders.js'

const frameHead = new Layout('Frame')
const snapshotHead = new Layout('Snapshot header')
const snapshotFoot = new Layout('Snapshot footer')
const snapshotRecord = new Layout('Snapshot record')

const root = mkdtempSync(join(tmpdir(), 'sillok-snapshots-'))
t.teardown(() => rm(root, { recursive: true, force: true }))

/** The bodies of a file of frames, each checked against its head. */
function framesOf(t: Test, file: Buffer): { kind: number; body: Buffer; end: number }[] {
  const frames: { kind: number; body: Buffer; end: number }[] = []
  for (let at = 0; at < file.length; ) {
    const bodyAt = at + frameHead.length
    const body = file.subarray(bodyAt, bodyAt + frameHead.number(file, 'length', at))
    t.equal(frameHead.number(file, 'magic', at), 0x6673)
    t.equal(frameHead.number(file, 'stream', at), frames.length)
    t.equal(frameHead.number(file, 'bodyCrc', at), crc32(body))
    t.equal(frameHead.number(file, 'headCrc', at), crc32(file.subarray(at, at + 16)))
    at = bodyAt + body.length
    frames.push({ kind: frameHead.number(file, 'kind', at - body.length - frameHead.length), body, end: at })
  }
  return frames
}

t.test('snapshots hold rows in frames, and the log begins behind the truncation', async t => {
  const dir = join(root, 'trimmed')
  const small = { segmentCutBytes: block, segmentSyncBytes: block, snapshotLogRatio: 0, trimPauseMs: 1 }
  const more = { snapshotLogBytesMin: 3 * block, snapshotFrameBytes: 1000, retainBytes: 0 }
  const { store, close } = await openStore(dir, undefined, { ...small, ...more })
  await store.define('people', { key: 'id' })
  const people = store.collection('people')
  const isTrimmed = (): boolean => (store.status().partitions[1]?.retention?.firstIndex ?? 1) > 1
  for (let n = 0; n < 500 && !isTrimmed(); n++) {
    await people.put({ id: `p${n % 80}`, note: 'x'.repeat(400) })
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  await close()
  const newest = readdirSync(join(dir, 'wal'))
    .filter(name => name.startsWith('wal-'))
    .sort()
  const batches = newest.flatMap(name => readBatches(t, readFileSync(join(dir, 'wal', name))))
  const registers = registersOf(batches)
  const [truncated = 0] = u64s(registers.get('1 truncation') ?? Buffer.alloc(0))
  const [first] = readdirSync(join(dir, 'partitions/1-1/segments')).sort()
  t.equal(Number(first?.slice(0, 20)), truncated + 1)
  const record = registers.get('1 snapshot') ?? Buffer.alloc(0)
  t.strictSame([record.readUInt16LE(0), record.readUInt16LE(2)], [1, 2])
  const names = readdirSync(join(dir, 'partitions/1-1/snapshots')).sort().reverse()
  t.equal(names.length, 2)
  for (const [place, name] of names.entries()) {
    const file = readFileSync(join(dir, 'partitions/1-1/snapshots', name))
    const own = 4 + place * snapshotRecord.length
    const frames = framesOf(t, file)
    const head = frames[0]?.body ?? Buffer.alloc(0)
    const foot = frames.at(-1)?.body ?? Buffer.alloc(0)
    t.strictSame([frames[0]?.kind, frames.at(-1)?.kind], [1, 3])
    t.equal(snapshotHead.bytes(head, 'magic').toString(), 'sillokSN')
    const index = snapshotHead.number(head, 'index')
    t.equal(name, `${String(index).padStart(20, '0')}.snap`)
    t.ok(index >= truncated && snapshotHead.number(head, 'lastCut') <= index)
    t.equal(snapshotHead.number(head, 'partition'), 1)
    t.equal(head.subarray(snapshotHead.length).toString(), '{"voters":[1]}')
    const before = file.subarray(0, frames.at(-2)?.end)
    const covered = foot.subarray(0, snapshotFoot.length - 32)
    const sha256 = createHash('sha256').update(before).update(covered).digest()
    t.ok(snapshotFoot.bytes(foot, 'sha256').equals(sha256))
    t.strictSame(
      ['index', 'term', 'bytes'].map(field => snapshotRecord.number(record, field, own)),
      [index, snapshotHead.number(head, 'term'), file.length],
    )
    t.ok(snapshotRecord.bytes(record, 'sha256', own).equals(sha256))
    const rows = Buffer.concat(frames.slice(1, -1).map(({ body }) => body))
    let count = 0
    for (let at = 0; at < rows.length; count++) {
      const key = rows.subarray(at + 2, at + 2 + rows.readUInt16LE(at))
      const valueAt = at + 6 + key.length
      const value = rows.subarray(valueAt, valueAt + rows.readUInt32LE(valueAt - 4))
      if (value.readUInt32LE(0) !== crc32(value.subarray(4), crc32(key))) t.fail(`row ${key.toString('hex')}`)
      at = valueAt + value.length
    }
    t.equal(count, snapshotFoot.number(foot, 'rows'))
    t.ok(count > 15, `${count} rows`)
  }
})
