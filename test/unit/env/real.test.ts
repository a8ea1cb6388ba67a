/** What only the real doors have: errors of the system, threads, locks, time, sockets. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs, { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { WebSocket } from 'ws'
import { memoryEnvironment } from '../../../src/env/memory-environment.js'
import type { Connection } from '../../../src/env/network.js'
import { RealClock } from '../../../src/env/real-clock.js'
import { RealDisk } from '../../../src/env/real-disk.js'
import { realEnvironment } from '../../../src/env/real-environment.js'
import type { RealFile } from '../../../src/env/real-file.js'
import { RealNetwork } from '../../../src/env/real-network.js'

const base = mkdtempSync(join(tmpdir(), 'sillok-real-'))
t.teardown(() => rmSync(base, { recursive: true, force: true }))
const options = { writeBufferBytes: 1024 * 1024 }

/** Runs a module that is given as text; `env` is the compiled src/env. */
function child(text: string): ChildProcess {
  const env = new URL('../../../src/env/', import.meta.url).href
  const script = `const env = ${JSON.stringify(env)}\n${text}`
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}

async function output(process: ChildProcess): Promise<string> {
  let text = ''
  process.stdout?.on('data', part => {
    text += part
  })
  await new Promise(resolve => process.once('close', resolve))
  return text
}

t.test('a full device is DISK_FULL, for files and log devices, and may be tried again', async t => {
  const disk = new RealDisk()
  const file = await disk.open('/dev/full')
  await t.rejects(file.write([Buffer.alloc(10)], 0), { code: 'DISK_FULL', outcome: 'not-applied' })
  await file.close()
  const log = await disk.openLog('/dev/full')
  await t.rejects(log.commit([Buffer.alloc(10)], 0), { code: 'DISK_FULL' })
  await t.rejects(log.commit([Buffer.alloc(10)], 0), { code: 'DISK_FULL' })
  await log.close()
  await disk.close()
})

t.test('a failed sync is DISK_FAILED, for good', async t => {
  const disk = new RealDisk()
  const file = await disk.open('/dev/null')
  await t.rejects(file.sync(), { code: 'DISK_FAILED', outcome: 'unknown' })
  await t.rejects(file.sync(), { code: 'DISK_FAILED' })
  await file.close()
  const log = await disk.openLog('/dev/null')
  await t.rejects(log.commit([Buffer.alloc(10)], 0), { code: 'DISK_FAILED', details: { path: '/dev/null' } })
  await t.rejects(log.commit([Buffer.alloc(10)], 0), { code: 'DISK_FAILED' })
  await log.close()
  await disk.close()
})

t.test('short writes are continued, and a write of nothing means a full disk', async t => {
  const original = fs.writev
  let most = 7
  const short = async (descriptor: number, buffers: Uint8Array[], position: number): Promise<object> => {
    const first = buffers[0] ?? Buffer.alloc(0)
    return { bytesWritten: fs.writevSync(descriptor, [first.subarray(0, most)], position), buffers }
  }
  fs.writev = Object.assign(() => {}, { [promisify.custom]: short }) as unknown as typeof fs.writev
  const path = '../../../src/env/real-file.js?short'
  const module = (await import(path)) as { RealFile: typeof RealFile }
  fs.writev = original
  const name = join(base, 'short')
  const file = new module.RealFile(fs.openSync(name, 'w+'), name)
  const bytes = Buffer.from('the quick brown fox jumps over the lazy dog')
  await file.write([bytes.subarray(0, 9), Buffer.alloc(0), bytes.subarray(9, 12), bytes.subarray(12)], 5)
  t.equal((await file.read(5, 100)).toString(), bytes.toString())
  most = 0
  await t.rejects(file.write([bytes], 0), { code: 'DISK_FULL' })
  await file.close()
  await t.rejects(file.size(), /closed/)
})

t.test('a log device survives being closed while the disk goes on, and the disk ends its thread', async t => {
  const disk = new RealDisk()
  const file = await disk.open(join(base, 'log'), { create: true })
  const first = await disk.openLog(join(base, 'log'))
  const second = await disk.openLog(join(base, 'log'))
  await first.commit([Buffer.from('first')], 0)
  await first.close()
  await second.commit([Buffer.from('second')], 5)
  t.equal((await file.read(0, 100)).toString(), 'firstsecond')
  await second.close()
  await file.close()
  await disk.close()
  await disk.close()
})

t.test('lone commits one after the other let the event loop go on', async t => {
  // In memory, where there is such a place: a lone commit is answered at once there, and holds the loop.
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : base, 'sillok-lone-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const disk = new RealDisk()
  const path = join(folder, 'lone')
  await (await disk.open(path, { create: true })).close()
  const log = await disk.openLog(path)
  let turns = 0
  let inARow = 0
  let longest = 0
  let isOver = false
  const count = (): void => {
    turns++
    if (!isOver) setImmediate(count)
  }
  count()
  const sizes = [4096, 4096, 100_000]
  for (let i = 0; i < 300; i++) {
    const before = turns
    await log.commit([Buffer.alloc(sizes[i % 3] ?? 0, i)], (i % 3) * 4096, { isLone: true })
    inARow = turns === before ? inARow + 1 : 0
    longest = Math.max(longest, inARow)
  }
  isOver = true
  // An answer of the thread needs no turn of its own; one that was looked for gives one.
  t.ok(longest <= 30, `${longest} commits in a row without a turn`)
  const file = await disk.open(path)
  t.same(await file.read(8192, 100_000), Buffer.alloc(100_000, 299))
  await file.close()
  await log.close()
  await disk.close()
})

t.test('a process waits for its commit and not for an idle log thread', async t => {
  const text = `
    const { RealDisk } = await import(env + 'real-disk.js')
    const disk = new RealDisk()
    const path = ${JSON.stringify(join(base, 'idle'))}
    await (await disk.open(path, { create: true })).close()
    const log = await disk.openLog(path)
    for (let i = 0; i < 20; i++) await log.commit([Buffer.alloc(4096, i)], i * 4096)
    console.log('done')`
  const start = performance.now()
  t.equal(await output(child(text)), 'done\n')
  t.ok(performance.now() - start < 5000)
})

t.test('a folder is held by one holder, until that one releases it or dies', async t => {
  const folder = join(base, 'held')
  const environment = realEnvironment()
  const lock = await environment.lockFolder(folder)
  await t.rejects(environment.lockFolder(folder), {
    code: 'FOLDER_IN_USE',
    message: new RegExp(folder),
    details: { folder },
  })
  await lock.release()
  const other = child(`
    const { realEnvironment } = await import(env + 'real-environment.js')
    await realEnvironment().lockFolder(${JSON.stringify(folder)})
    console.log('held')
    setInterval(() => {}, 1000)`)
  await new Promise(resolve => other.stdout?.once('data', resolve))
  await t.rejects(environment.lockFolder(folder), { code: 'FOLDER_IN_USE' })
  const gone = new Promise(resolve => other.once('close', resolve))
  other.kill('SIGKILL')
  await gone
  const again = await environment.lockFolder(folder)
  await again.release()
})

t.test('a damaged lock database does not lock anybody out', async t => {
  const folder = join(base, 'damaged')
  const environment = realEnvironment()
  await (await environment.lockFolder(folder)).release()
  for (const name of fs.readdirSync(join(folder, 'lock'))) {
    if (/MANIFEST|CURRENT/.test(name)) fs.writeFileSync(join(folder, 'lock', name), 'nonsense')
  }
  const lock = await environment.lockFolder(folder)
  await t.rejects(environment.lockFolder(folder), { code: 'FOLDER_IN_USE' })
  await lock.release()
})

t.test('a file where the data folder should be is FOLDER_UNUSABLE', async t => {
  fs.writeFileSync(join(base, 'file'), '')
  const environment = realEnvironment()
  await t.rejects(environment.lockFolder(join(base, 'file')), { code: 'FOLDER_UNUSABLE' })
  await t.rejects(environment.keyValue.open(join(base, 'file'), options), { code: 'FOLDER_UNUSABLE' })
})

t.test(
  'level: compaction writes a table, damage that it notices is DAMAGED, a closed store is CLOSED',
  async t => {
    const { keyValue } = realEnvironment()
    const folder = join(base, 'level')
    const tables = (): string[] => fs.readdirSync(folder).filter(name => name.endsWith('.ldb'))
    const store = await keyValue.open(folder, options)
    const batch = store.batch()
    for (let i = 0; i < 100; i++) batch.put(Buffer.from(`k${i}`), Buffer.alloc(1000, i))
    await batch.write()
    t.equal(tables().length, 0)
    await store.compact()
    t.equal(tables().length, 1)
    const [table] = tables()
    await store.compact()
    t.strictSame(tables(), [table], 'nothing new, nothing touched')
    await store.close()
    await t.rejects(store.getMany([Buffer.from('k1')]), { code: 'CLOSED' })
    t.throws(() => store.getSync(Buffer.from('k1')), { code: 'CLOSED' })
    const content = fs.readFileSync(join(folder, String(table)))
    fs.writeFileSync(join(folder, String(table)), content.fill(0, content.length - 8))
    const again = await keyValue.open(folder, options)
    await t.rejects(again.getMany([Buffer.from('k1')]), { code: 'DAMAGED' })
    await again.close()
    const manifest = fs.readdirSync(folder).find(name => name.startsWith('MANIFEST'))
    fs.truncateSync(join(folder, String(manifest)), 3)
    await t.rejects(keyValue.open(folder, options), { code: 'DAMAGED' })
  },
)

t.test('timers are never early, can be stopped, and count further than setTimeout', async t => {
  const clock = new RealClock()
  for (const ms of [0, 1, 3.7, 12.2]) {
    const start = clock.monotonicMs()
    await new Promise<void>(resolve => clock.after(ms, resolve))
    t.ok(clock.monotonicMs() - start >= ms, `${ms} ms`)
  }
  const far = clock.after(2 ** 40, () => t.fail('early'))
  const stopped = clock.after(1, () => t.fail('stopped'))
  stopped.stop()
  await new Promise<void>(resolve => clock.after(20, resolve))
  far.stop()
  const order: string[] = []
  clock.soon(() => order.push('soon'))
  await Promise.resolve().then(() => order.push('promise'))
  await new Promise<void>(resolve => clock.soon(resolve))
  t.strictSame(order, ['promise', 'soon'])
  t.ok(Math.abs(clock.wallMs() - Date.now()) < 1000)
  const idle = `
    const { RealClock } = await import(env + 'real-clock.js')
    new RealClock().after(60_000, () => {}, { idle: true })
    console.log('over')`
  t.equal(await output(child(idle)), 'over\n', 'an idle timer holds no process')
})

t.test('stores without files have all doors', async t => {
  const environment = memoryEnvironment()
  await environment.disk.makeFolder('/data')
  const lock = await environment.lockFolder('/data')
  await t.rejects(environment.lockFolder('/data'), { code: 'FOLDER_IN_USE' })
  await lock.release()
  const store = await environment.keyValue.open('/data/s', options)
  const batch = store.batch()
  batch.put(Buffer.from('a'), Buffer.from('1'))
  await batch.write()
  t.equal(store.getSync(Buffer.from('a'))?.toString(), '1')
  t.not(environment.random.uint32(), memoryEnvironment().random.uint32())
})

/** A cable between the two that can be cut on each way, and let so many bytes a second through on one. */
async function cable(to: string): Promise<{
  readonly address: string
  cut(way: 'there' | 'back'): void
  slow(bytesPerSecond: number): void
  close(): void
}> {
  const sockets: Socket[] = []
  let [isCutThere, isCutBack, rate] = [false, false, Number.POSITIVE_INFINITY]
  const proxy = createServer(near => {
    const far = connectSocket(Number(to.split(':')[1]), '127.0.0.1')
    sockets.push(near, far)
    let [allowed, lastMs] = [0, performance.now()]
    near.on('data', piece => {
      if (!isCutThere) far.write(piece)
      allowed -= piece.length
      if (rate < Number.POSITIVE_INFINITY && allowed < 0) near.pause()
    })
    far.on('data', piece => isCutBack || near.write(piece))
    const timer = setInterval(() => {
      const nowMs = performance.now()
      allowed = Math.min(rate, allowed + ((nowMs - lastMs) / 1000) * rate)
      lastMs = nowMs
      near.resume()
    }, 5)
    near.on('close', () => {
      clearInterval(timer)
      if (!isCutThere) far.destroy()
    })
    far.on('close', () => isCutBack || near.destroy())
    for (const socket of [near, far]) socket.on('error', () => {})
  })
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    cut: way => {
      if (way === 'there') isCutThere = true
      else isCutBack = true
    },
    slow: bytesPerSecond => {
      rate = bytesPerSecond
    },
    close: () => {
      proxy.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

t.test('a connection over which nothing gets any more, on either way, is closed on both sides', async t => {
  for (const ways of [['there'], ['back'], ['there', 'back']] as const) {
    const network = new RealNetwork({ signMs: 50 })
    const ends: Promise<void>[] = []
    const take = (connection: Connection): void => {
      connection.onMessage(() => {})
      ends.push(new Promise(resolve => connection.onClose(resolve)))
    }
    const listener = await network.listen('127.0.0.1:0', take)
    const line = await cable(listener.address)
    const connection = await network.connect(line.address)
    take(connection)
    await new Promise(resolve => setTimeout(resolve, 400))
    t.ok(connection.send(Buffer.from('a')), 'a quiet one stays')
    const start = performance.now()
    for (const way of ways) line.cut(way)
    const alive = setInterval(() => connection.send(Buffer.from('b')), 20)
    await Promise.all(ends)
    clearInterval(alive)
    t.equal(ends.length, 2)
    const ms = performance.now() - start
    t.ok(ms > 100, `${ways}: ${Math.round(ms)} ms`)
    line.close()
    await listener.close()
  }
})

t.test('a connection on which much waits on a slow way is not taken for a dead one', async t => {
  const network = new RealNetwork({ signMs: 50 })
  let received = 0
  const listener = await network.listen('127.0.0.1:0', connection => {
    connection.onMessage(message => {
      received += message.length
    })
  })
  const line = await cable(listener.address)
  line.slow(2 ** 23)
  const connection = await network.connect(line.address)
  connection.onMessage(() => {})
  let isClosed = false
  connection.onClose(() => {
    isClosed = true
  })
  const piece = Buffer.alloc(2 ** 17)
  let taken = 0
  while (taken < 64 && connection.send(piece)) taken++
  while (received < taken * piece.length && !isClosed) await new Promise(resolve => setTimeout(resolve, 10))
  t.equal(received, 64 * piece.length)
  t.notOk(isClosed)
  line.close()
  await listener.close()
})

t.test('what is no message of ours closes the connection', async t => {
  const network = new RealNetwork()
  const ends: Promise<void>[] = []
  const listener = await network.listen('127.0.0.1:0', connection => {
    connection.onMessage(() => t.fail('a message'))
    ends.push(new Promise(resolve => connection.onClose(resolve)))
  })
  const socket = new WebSocket(`ws://${listener.address}`)
  await new Promise(resolve => socket.once('open', resolve))
  socket.send('text')
  await new Promise(resolve => socket.once('close', resolve))
  // One that never ends by itself.
  const port = Number(listener.address.split(':')[1])
  const raw = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true })
  const head = 'GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
  raw.write(`${head}Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`)
  await new Promise(resolve => raw.once('data', resolve))
  raw.write(Buffer.alloc(100, 255))
  const start = performance.now()
  await Promise.all(ends)
  t.equal(ends.length, 2)
  t.ok(performance.now() - start < 5000)
  raw.destroy()
  await listener.close()
})
