/** The small parts of the state: gate, digests, windows, recorded checkpoint. */
import { crc32 } from 'node:zlib'
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import { keyBytes, makeRow, partitionSlot, readRow, slotOfRow, storedRow } from '../../../src/codec/row.js'
import { decodeCheckpoint, emptyCheckpoint, encodeCheckpoint } from '../../../src/state/checkpoint.js'
import { Digests, digestWords } from '../../../src/state/digests.js'
import { Gate } from '../../../src/state/gate.js'
import { SessionWindow } from '../../../src/state/session-window.js'
import { SessionWindows } from '../../../src/state/windows.js'
import { allKeys, randomKey } from './model.js'

const random = new Random(process.env['SEED'] ?? 'parts')

t.test('a gate lets its number through, the others in order, whatever fails', async t => {
  const gate = new Gate(2)
  const order: number[] = []
  let inside = 0
  const task = async (n: number): Promise<void> => {
    inside++
    t.ok(inside <= 2)
    order.push(n)
    await new Promise<void>(resolve => setImmediate(resolve))
    inside--
    if (n % 3 === 0) throw new Error(`task ${n}`)
  }
  const results = await Promise.allSettled(Array.from({ length: 9 }, (_, n) => gate.run(() => task(n))))
  t.strictSame(order, [0, 1, 2, 3, 4, 5, 6, 7, 8])
  t.strictSame(
    results.map(({ status }) => status === 'rejected'),
    order.map(n => n % 3 === 0),
  )
  t.equal(gate.inside, 0)
  t.equal(gate.waiting, 0)
})

t.test('the slot of a key in memory is the slot of its bytes', t => {
  const keys = [...allKeys(), 'd', 'c', 's', 'r\u0007x', 'm', 'dabc', `d\0\0\0\u0001${'\u00e9'.repeat(1100)}`]
  for (let n = 0; n < 200; n++) keys.push(randomKey(random))
  keys.push(`c\0\0\0\u0001${'v'.repeat(4096)}`)
  for (const key of keys) t.equal(slotOfRow(key), slotOfBytes(keyBytes(key)), key.slice(0, 20))
  t.end()
})

t.test('a row is hashed as its stored form says, whatever was hashed before', t => {
  for (let n = 0; n < 500; n++) {
    const key = random.pick(['m', 'mo123456', `c${'v'.repeat(4100)}`, randomKey(random)])
    const value = random.bytes(random.below(40))
    const version = random.chance(0.5) ? 7 : random.below(2 ** 50)
    const row = makeRow(key, version, value)
    const ahead = Buffer.alloc(8)
    ahead.writeBigUInt64LE(BigInt(version))
    t.equal(row.hash0, crc32(Buffer.concat([keyBytes(key), ahead, value])))
    t.equal(row.hash1, crc32(Buffer.concat([ahead, value, keyBytes(key)])))
    t.strictSame(readRow(keyBytes(key), storedRow(row)), row)
  }
  t.end()
})

/** The rule, written down once more. */
function slotOfBytes(key: Buffer): number {
  const kind = String.fromCharCode(key[0] ?? 0)
  if (kind === 'd') return crc32(key.subarray(5)) % 256
  if (kind === 'c') return crc32(key.subarray(1)) % 256
  return kind === 's' || kind === 'r' ? (key[1] ?? 0) : partitionSlot
}

t.test('digest sums wrap and do not depend on order', t => {
  const left = new Digests()
  const right = new Digests()
  left.replace(256, 4_000_000_000, 1, 0, 0)
  left.replace(256, 4_000_000_000, 2, 4_000_000_000, 1)
  left.replace(256, 0, 0, 4_000_000_000, 2)
  left.replace(3, 5, 6, 0, 0)
  right.replace(3, 5, 6, 0, 0)
  t.strictSame(left.copy(), right.copy())
  t.end()
})

t.test('a recorded checkpoint reads back, and refuses any flipped bit', t => {
  const digests = new Uint32Array(digestWords).map(() => random.uint32())
  const tables = [
    { name: '000005.ldb', sizeBytes: 2 ** 33, crc: 0xffffffff },
    { name: '1.sst', sizeBytes: 1, crc: 0 },
  ]
  const checkpoint = { index: 2 ** 39 + 1, digests, tables }
  const bytes = encodeCheckpoint(checkpoint)
  t.strictSame(decodeCheckpoint(bytes), checkpoint)
  t.strictSame(decodeCheckpoint(encodeCheckpoint(emptyCheckpoint)), emptyCheckpoint)
  for (let n = 0; n < 100; n++) {
    const turned = Buffer.from(bytes)
    const bit = random.below(8 * bytes.length)
    turned.writeUInt8(turned.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    t.throws(() => decodeCheckpoint(turned), { code: 'DAMAGED' })
  }
  t.throws(() => decodeCheckpoint(bytes.subarray(0, 9)), { code: 'DAMAGED' })
  t.end()
})

t.test('a session window is ordered by epoch and sequence, and sums ranges', t => {
  const windows = new SessionWindows()
  const session = 2 ** 40 - 3
  const names = new SessionWindow(255, session)
  const put = (epoch: number, sequence: number): void => {
    const key = names.keyOf(epoch, sequence)
    windows.set(key, makeRow(key, 9, Buffer.from(`${epoch}.${sequence}`)))
  }
  t.equal(windows.get(255, session), undefined)
  for (const [epoch, sequence] of [
    [2, 1],
    [1, 300],
    [1, 2],
    [2 ** 31, 1],
    [1, 2 ** 40],
  ] as const)
    put(epoch, sequence)
  const window = windows.get(255, session)
  t.strictSame(
    window?.keys.map((_, at) => window.numbersAt(at)),
    [
      { epoch: 1, sequence: 2 },
      { epoch: 1, sequence: 300 },
      { epoch: 1, sequence: 2 ** 40 },
      { epoch: 2, sequence: 1 },
      { epoch: 2 ** 31, sequence: 1 },
    ],
  )
  t.strictSame(window?.highest, { epoch: 2 ** 31, sequence: 1 })
  t.equal(window?.get(1, 300), windows.lookup(names.keyOf(1, 300)))
  t.equal(windows.lookup(names.keyOf(1, 301)), null)
  const [from, to] = [names.keyOf(1, 3), names.keyOf(2, 1)]
  const rows = [window?.get(1, 300), window?.get(1, 2 ** 40)]
  const sum0 = rows.reduce((sum, row) => (sum + (row?.hash0 ?? 0)) >>> 0, 0)
  const sum1 = rows.reduce((sum, row) => (sum + (row?.hash1 ?? 0)) >>> 0, 0)
  t.strictSame(windows.sumRange(from, to), { count: 2, sum0, sum1 })
  t.strictSame(windows.sumRange('s\u00ff', 't').count, 5)
  windows.deleteRange(from, to)
  t.equal(window?.size, 3)
  windows.deleteRange(names.storedKey, new SessionWindow(255, session + 1).storedKey)
  t.equal(window?.size, 0)
  t.end()
})
