/** The check of LevelDB's tables: the checksum (and ours), and what it finds in a damaged file. */
import fs from 'node:fs'
import { join } from 'node:path'
import zlib from 'node:zlib'
import t from 'tap'
import { crc32, crc32Parts } from '../../../src/base/checksum.js'
import { Random } from '../../../src/base/random.js'
import { loadCrc32c, maskCrc32c } from '../../../src/env/crc32c.js'
import { LevelKeyValueStores } from '../../../src/env/level-key-value.js'
import { checkTable } from '../../../src/env/level-table-check.js'
import { RealDisk } from '../../../src/env/real-disk.js'

const random = new Random(process.env['SEED'] ?? 'level-tables')
const disk = new RealDisk()
const root = t.testdir()
const base = join(root, 'base')
t.teardown(() => disk.close())

/** Writes some hundred rows into a table and resolves with its name. */
async function makeTable(): Promise<string> {
  const store = await new LevelKeyValueStores().open(base, { writeBufferBytes: 1 << 20 })
  const batch = store.batch()
  for (let n = 0; n < 500; n++) batch.put(Buffer.from(`key ${n}`), random.bytes(random.below(100)))
  await batch.write({ sync: true })
  await store.compact()
  await store.close()
  const name = fs.readdirSync(base).find(name => name.endsWith('.ldb'))
  if (name === undefined) throw new Error('no table was written')
  return name
}

function flip(path: string, bit: number): void {
  const bytes = fs.readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  fs.writeFileSync(path, bytes)
}

t.test('crc32c gives the published check values, at any length and offset', async t => {
  const crc32c = await loadCrc32c()
  // RFC 3720, appendix B.4, and the usual check value.
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  t.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa)
  t.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43)
  t.equal(crc32c(Buffer.from(Array.from({ length: 32 }, (_, at) => at))), 0x46dd794e)
  t.equal(maskCrc32c(0), 0xa282ead8)
  const bitwise = (bytes: Buffer): number => {
    let crc = -1
    for (const byte of bytes) {
      crc ^= byte
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    }
    return ~crc >>> 0
  }
  for (let length = 0; length < 70; length++) {
    const bytes = random.bytes(length + 3).subarray(3)
    t.equal(crc32c(bytes), bitwise(bytes), `length ${length}`)
  }
})

t.test('crc32 is that of zlib, at any length and offset, going on from any sum', async t => {
  for (let length = 0; length < 300; length++) {
    const bytes = random.bytes(length + 3).subarray(3)
    const seed = random.below(2 ** 32)
    t.equal(crc32(bytes, seed), zlib.crc32(bytes, seed), `length ${length}, seed ${seed}`)
    const cut = random.below(length + 1)
    t.equal(crc32Parts(bytes.subarray(0, cut), bytes.subarray(cut)), zlib.crc32(bytes), `cut at ${cut}`)
  }
})

t.test('every flipped bit of a table before its footer is found', async t => {
  const name = await makeTable()
  const path = join(root, name)
  fs.copyFileSync(join(base, name), path)
  t.ok(await checkTable(disk, path))
  const size = fs.statSync(path).size
  let missed = 0
  for (let n = 0; n < 100; n++) {
    const bit = random.below(8 * (size - 48))
    flip(path, bit)
    if (await checkTable(disk, path)) missed++
    flip(path, bit)
  }
  t.equal(missed, 0)
  for (const cut of [1, 47, 48, 100, size - 1]) {
    fs.copyFileSync(join(base, name), path)
    fs.truncateSync(path, size - cut)
    t.notOk(await checkTable(disk, path), `cut by ${cut}`)
  }
})
