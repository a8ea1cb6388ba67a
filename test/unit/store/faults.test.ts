/** What the world does to a store: folders that are not its own, full and failing disks, long quiet times. */
import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { crc32 } from '../../../src/base/checksum.js'
import { Random } from '../../../src/base/random.js'
import { limits, open, type SillokError } from '../../../src/index.js'
import { Host } from '../../../src/replica/host.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { Store } from '../../../src/store/store.js'
import { codeOf } from './code-of.js'
import { shortOfSpace } from './short-of-space.js'

const seed = process.env['SEED'] ?? '1'
t.comment(`SEED=${seed}`)

const entry = new URL('../../../src/index.js', import.meta.url).href

function folder(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'sillok-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** Names and bytes of everything in the folder. */
function contents(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .sort()
    .map(name => {
      const path = join(dir, name)
      return statSync(path).isDirectory() ? name : `${name} ${readFileSync(path).toString('hex')}`
    })
}

t.test('a folder that is not a store is refused, and not touched', async t => {
  const identity = { format: 2, cluster: 'c', clusterEpoch: 0, node: 1, incarnation: 'i' }
  const crc = crc32(Buffer.from(JSON.stringify(identity)))
  const store = { wal: '', partitions: '' }
  const folders: [string, Record<string, string>, string, RegExp][] = [
    ['somebody else lives there', { 'photo.jpg': 'x' }, 'FOREIGN_FOLDER', /holds photo\.jpg but no IDENT/],
    ['a torn IDENT', { IDENT: '{"format":1,"clu' }, 'FOREIGN_FOLDER', /IDENT is not ours/],
    ['a torn IDENT of a store', { IDENT: '{"format":1,"clu', ...store }, 'DAMAGED', /IDENT is damaged/],
    ['a store without IDENT', store, 'DAMAGED', /IDENT is missing, but a log and partitions are there/],
    ['an IDENT of others', { IDENT: 'null', other: 'y' }, 'FOREIGN_FOLDER', /IDENT is not ours/],
    [
      'an IDENT with a flipped byte',
      { IDENT: JSON.stringify({ ...identity, format: 1, crc }) },
      'DAMAGED',
      /fails its check/,
    ],
    [
      'a format that is a flipped bit',
      { IDENT: JSON.stringify({ ...identity, format: 3, crc }), ...store },
      'DAMAGED',
      /fails its check/,
    ],
    [
      'another format',
      { IDENT: JSON.stringify({ ...identity, crc }) },
      'VERSION_UNSUPPORTED',
      /format 2; this release reads format 1/,
    ],
  ]
  for (const [name, files, code, message] of folders) {
    const dir = folder(t)
    for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, file), text)
    const before = contents(dir)
    await t.rejects(open({ dir }), { code, outcome: 'not-applied', message }, name)
    t.strictSame(contents(dir), before, `${name}: untouched`)
  }
  const begun = folder(t)
  writeFileSync(join(begun, 'IDENT.new'), '{"form')
  await (await open({ dir: begun })).close()
  t.ok(readdirSync(begun).includes('IDENT'), 'a first opening that was cut short begins anew')
})

t.test('one process at a time', async t => {
  const dir = folder(t)
  const store = await open({ dir })
  await store.define('a', { key: 'id' })
  await t.rejects(open({ dir }), { code: 'FOLDER_IN_USE', outcome: 'not-applied', message: /in use/ })
  const program = `import { open } from ${JSON.stringify(entry)}
    open({ dir: process.argv[1] }).then(() => console.log('opened'), error => console.log(error.code))`
  const run = (): string =>
    execFileSync(process.execPath, ['--input-type=module', '-e', program, dir], { encoding: 'utf8' }).trim()
  t.equal(run(), 'FOLDER_IN_USE')
  t.equal(await codeOf(store.collection('a').put({ id: 1 })), 'done', 'the holder goes on')
  await store.close()
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', `${program}; setInterval(() => {}, 1000)`, dir],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const said = await new Promise(resolve => child.stdout.once('data', text => resolve(String(text).trim())))
  t.equal(said, 'opened')
  t.equal(await codeOf(open({ dir })), 'FOLDER_IN_USE')
  const gone = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
  const again = await open({ dir })
  t.equal(await again.collection('a').count(), 1, 'the lock goes with its process')
  await again.close()
})

t.test('a place where nothing can be stored says why', async t => {
  const dir = folder(t)
  writeFileSync(join(dir, 'file'), 'x')
  await t.rejects(
    open({ dir: join(dir, 'file') }),
    { code: 'FOLDER_UNUSABLE', outcome: 'not-applied' },
    'a file',
  )
  await t.rejects(open({ dir: join(dir, 'file', 'below') }), { code: 'FOLDER_UNUSABLE' }, 'below a file')
  t.equal(readFileSync(join(dir, 'file'), 'utf8'), 'x')
})

const root = process.getuid?.() === 0

t.test('a read-only folder is unusable', async t => {
  const dir = folder(t)
  mkdirSync(join(dir, 'locked'))
  chmodSync(join(dir, 'locked'), 0o555)
  chmodSync(dir, 0o755)
  const program = `
    if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534) }
    const { open } = await import(${JSON.stringify(entry)})
    const codes = []
    for (const dir of process.argv.slice(1)) {
      await open({ dir }).then(
        () => codes.push('opened'),
        error => codes.push(error.code + ' ' + error.outcome),
      )
    }
    console.log(codes.join())`
  const dirs = [join(dir, 'locked'), join(dir, 'locked', 'below')]
  const args = ['--input-type=module', '-e', program, ...dirs]
  // An environment of its own: the test runner's would have it write where only root may.
  const out = execFileSync(process.execPath, args, { encoding: 'utf8', cwd: '/', env: {} }).trim()
  t.equal(out, 'FOLDER_UNUSABLE not-applied,FOLDER_UNUSABLE not-applied')
})

t.test(
  'a real file system without space: refused, then service resumes',
  { skip: !root && 'needs root for a tmpfs' },
  async t => {
    const dir = folder(t)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', dir], { stdio: 'ignore' })
    } catch {
      t.pass('no tmpfs may be mounted here')
      return
    }
    t.teardown(() => execFileSync('umount', ['-l', dir]))
    const store = await open({ dir: join(dir, 'data') })
    await store.define('a', { key: 'id' })
    const rows = store.collection<{ id: number | string; v?: string }>('a')
    const acknowledged = new Set<number>()
    const v = 'x'.repeat(100_000)
    const codes = new Set<string>()
    for (let id = 0; id < 1500 && codes.size < 2; id++) {
      const code = await codeOf(rows.put({ id, v }, { deadlineMs: 1500 }))
      codes.add(code)
      if (code === 'done') acknowledged.add(id)
    }
    t.ok(
      [...codes].every(code => ['done', 'DISK_FULL', 'TIMED_OUT'].includes(code)),
      [...codes].join(),
    )
    t.ok(codes.size > 1, 'it was full')
    t.equal(await codeOf(rows.get(0)), 'done', 'reads go on')
    execFileSync('mount', ['-o', 'remount,size=400m', dir])
    let resumed = ''
    for (let i = 0; i < 100 && resumed !== 'done'; i++) {
      resumed = await codeOf(rows.put({ id: 'after' }))
      if (resumed !== 'done') await new Promise(resolve => setTimeout(resolve, 50))
    }
    t.equal(resumed, 'done', 'without a restart')
    for (const id of acknowledged) if (!(await rows.has(id))) t.fail(`${id} was acknowledged and is gone`)
    t.strictSame(await store.scrub(), [])
    await store.close()
  },
)

function simulated(t: Test): {
  clock: SimClock
  machine: SimMachine
  run: <R>(work: () => Promise<R>) => Promise<R>
} {
  const clock = new SimClock()
  const machine = new SimMachine({ clock, random: new Random(`${seed} ${t.name}`) })
  return { clock, machine, run: work => clock.run(work) }
}

/** Lets simulated time pass inside of the world. */
function pass(machine: SimMachine, ms: number): Promise<void> {
  return new Promise(resolve => machine.environment.clock.after(ms, resolve))
}

t.test('a full disk refuses new writes, keeps those in flight, and lets reads go on', async t => {
  const { machine, run } = simulated(t)
  await run(async () => {
    const store = await Store.open(machine.environment, 'data')
    await store.define('a', { key: 'id' })
    const rows = store.collection('a')
    await rows.put({ id: 1 })
    machine.disk.setFull(true)
    const session = await Promise.race([store.session(), pass(machine, 100)])
    t.equal(session, undefined, 'nothing can be registered')
    let answered = false
    const flying = rows.put({ id: 2 }).finally(() => {
      answered = true
    })
    flying.catch(() => {})
    await pass(machine, 2000)
    const refused = await codeOf(rows.put({ id: 3 }))
    t.equal(refused, 'DISK_FULL')
    await t.rejects(rows.put({ id: 3 }), { outcome: 'not-applied', retry: 'later', message: /no space/ })
    t.match(await rows.get(1), { id: 1 })
    t.equal(await rows.has(3), false)
    t.equal(store.status().state, 'open')
    machine.disk.setFull(false)
    await pass(machine, 3000)
    t.equal(await codeOf(rows.put({ id: 4 })), 'done', 'service resumes without a restart')
    t.equal(answered, true)
    const two = await codeOf(flying)
    t.equal(two === 'done', await rows.has(2), 'what was in flight took effect, or was refused')
    await store.close()
  })
})

t.test('a failed sync stops the store: nothing is acknowledged that is not durable', async t => {
  for (let round = 0; round < 10; round++) {
    const { machine, run } = simulated(t)
    const acknowledged = new Set<number>()
    const unknown = new Set<number>()
    await run(async () => {
      const failures: SillokError[] = []
      let tell = (): void => {}
      const event = new Promise<void>(resolve => {
        tell = resolve
      })
      const store = await Store.open(machine.environment, 'data', {
        failed: error => {
          failures.push(error)
          tell()
        },
      })
      await store.define('a', { key: 'id' })
      const rows = store.collection('a')
      const session = await store.session()
      const own = session.collection('a')
      const put = async (id: number): Promise<void> => {
        try {
          await (id % 2 ? rows : own).put({ id })
          acknowledged.add(id)
        } catch (error) {
          const { code, outcome } = error as SillokError
          if (code !== 'DISK_FAILED') t.fail(`${id}: ${code}`)
          if (outcome === 'unknown') unknown.add(id)
        }
      }
      const writing = Array.from({ length: 20 + round }, (_, id) => put(id))
      await Promise.all(writing.slice(0, 5))
      machine.disk.failNextSync()
      await Promise.all([...writing, ...Array.from({ length: 20 }, (_, id) => put(100 + id))])
      await event
      t.equal(failures.length, 1, 'one event')
      t.equal(failures[0]?.code, 'DISK_FAILED')
      t.equal(store.status().state, 'failed')
      t.equal(store.status().failure, failures[0])
      const calls = [
        rows.put({ id: 1 }),
        rows.get(1),
        own.put({ id: 1 }),
        store.define('b', { key: 'id' }),
        store.session(),
      ]
      for (const call of calls) t.equal(await codeOf(call), 'DISK_FAILED')
      await store.close()
    })
    t.ok(unknown.size > 0)
    // The power goes: what was never durable is lost.
    machine.crash('none')
    const env = machine.restart()
    await run(async () => {
      const store = await Store.open(env, 'data')
      const rows = store.collection('a')
      for (const id of acknowledged) if (!(await rows.has(id))) t.fail(`${id} was acknowledged and is gone`)
      for await (const { id } of rows.scan()) {
        if (!acknowledged.has(Number(id)) && !unknown.has(Number(id)))
          t.fail(`${id} was refused and is there`)
      }
      t.equal(await codeOf(rows.put({ id: 1000 })), 'done')
      await store.close()
    })
  }
})

t.test('a log that is full because segments had no room goes on when there is some', async t => {
  const clock = new SimClock()
  const machine = new SimMachine({ clock, random: new Random(seed), latency: 'none' })
  const env = machine.environment
  await clock.run(async () => {
    let full = false
    const small = {
      walFileBytesEmbedded: limits.walBatchBytesMax + 256 * 1024,
      segmentCutBytes: 1024 * 1024,
      segmentSyncBytes: 256 * 1024,
    } as unknown as Partial<typeof limits>
    const disk = shortOfSpace(env.disk, '/segments/', () => full)
    const store = await Store.open({ ...env, disk }, 'data', {}, small)
    await store.define('a', { key: 'id' })
    const rows = store.collection('a')
    full = true
    const v = 'x'.repeat(200_000)
    let answered = true
    let writing: Promise<string> = Promise.resolve('')
    for (let id = 0; id < 400 && answered; id++) {
      answered = false
      writing = codeOf(rows.put({ id, v })).then(code => {
        answered = true
        return code
      })
      await Promise.race([writing, pass(machine, 300)])
    }
    t.equal(answered, false, 'the ring is full')
    full = false
    await Promise.race([writing, pass(machine, 10_000)])
    t.equal(answered, true, 'and empties itself')
    await pass(machine, 5000)
    t.equal(await codeOf(rows.put({ id: 'after' })), 'done')
    t.strictSame(await store.scrub(), [])
    await store.close()
  })
})

t.test('an idle session ends also in a store that is opened again and again', async t => {
  const { machine, run } = simulated(t)
  await run(async () => {
    const options = { env: machine.environment, folder: 'data' }
    let host = await Host.open(options)
    const idle = { nonce: 'idle', name: undefined, numbering: 'library', input: undefined } as const
    const { session, epoch } = await host.sessions.register(idle)
    const isThere = async (): Promise<boolean> => {
      const seen = await codeOf(host.sessions.open(host.data, session))
      return seen === 'done'
    }
    t.equal(epoch, 1)
    t.equal(await isThere(), true)
    for (let opening = 0; opening < 6; opening++) {
      await pass(machine, 15 * 60_000)
      await host.close()
      host = await Host.open(options)
    }
    await pass(machine, 60_000)
    t.equal(await isThere(), false, 'an hour and a half, less what was forgotten six times')
    const last = host.meta.applied
    await pass(machine, 3_600_000)
    t.equal(host.meta.applied, last, 'without sessions nobody needs the time')
    await host.close()
  })
})

t.test(
  'sessions end by log time when nobody keeps them, and a late write is refused',
  { timeout: 120_000 },
  async t => {
    const { machine, run } = simulated(t)
    await run(async () => {
      const host = await Host.open({ env: machine.environment, folder: 'data' })
      const register = (nonce: string) =>
        host.sessions.register({ nonce, name: undefined, numbering: 'library', input: undefined })
      const idle = await register('idle')
      const kept = await register('kept')
      await host.sessions.open(host.data, idle.session)
      const never = await register('never opened here')
      const write = ({ session, epoch }: typeof idle, sequence: number): Promise<string> => {
        const mark = {
          session,
          epoch,
          slot: 5,
          sequence,
          lowWater: 1,
          numbering: 'library',
          hash: Buffer.alloc(16, sequence),
        } as const
        return codeOf(host.data.call({ type: 'write', operations: [], mark }, {}))
      }
      t.equal(await write(idle, 1), 'done')
      t.equal(await write(kept, 1), 'done')
      for (let minute = 0; minute < 59; minute++) {
        await pass(machine, 60_000)
        if (minute % 15 === 14) await host.sessions.keepAlive([kept])
      }
      t.equal(await write(idle, 2), 'done', 'a minute before its hour it lives')
      for (let minute = 59; minute < 62; minute++) await pass(machine, 60_000)
      t.equal(host.data.state.windows.get(5, idle.session)?.size ?? 0, 0, 'its replies are gone')
      t.equal(await write(idle, 1), 'SESSION_EXPIRED', 'a late copy is not executed again')
      t.equal(await write(idle, 3), 'SESSION_EXPIRED')
      t.equal(await write(never, 1), 'SESSION_EXPIRED', 'nor in a partition that never knew it')
      t.equal(await write(kept, 2), 'done', 'a session that is kept alive lives')
      await host.close()
    })
  },
)

t.test('a session of an open store outlives every quiet time', { timeout: 120_000 }, async t => {
  const { machine, run } = simulated(t)
  await run(async () => {
    const store = await Store.open(machine.environment, 'data')
    await store.define('a', { key: 'id' })
    const session = await store.session()
    for (let minute = 0; minute < 130; minute++) await pass(machine, 60_000)
    t.equal(await codeOf(session.collection('a').put({ id: 1 })), 'done')
    await session.close()
    await store.close()
  })
})
