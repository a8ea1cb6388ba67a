/** A host on a simulated machine: its identity over crashes, large writes, a disk that is full. */
import t, { type Test } from 'tap'
import { Random } from '../../../src/base/random.js'
import type { Environment } from '../../../src/env/environment.js'
import { type Collection, limits, SillokError } from '../../../src/index.js'
import { Host } from '../../../src/replica/host.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { Store } from '../../../src/store/store.js'
import { seed } from '../../seed.js'
import { codeOf } from '../store/code-of.js'
import { shortOfSpace } from '../store/short-of-space.js'
import { counted } from './counted.js'

t.comment(`SEED=${seed}`)
t.setTimeout(60_000)

const registration = { name: undefined, numbering: 'library', input: undefined } as const

/** Small files, so that a ring of them is soon full. */
const small = {
  walFileBytesEmbedded: limits.walBatchBytesMax + 256 * 1024,
  segmentCutBytes: 1024 * 1024,
  segmentSyncBytes: 256 * 1024,
} as unknown as Partial<typeof limits>

interface World {
  readonly clock: SimClock
  readonly machine: SimMachine
  /** Lets simulated time pass. */
  readonly pass: (ms: number) => Promise<void>
}

function worldOf(name: string): World {
  const clock = new SimClock()
  const machine = new SimMachine({ clock, random: new Random(`${seed} ${name}`), latency: 'none' })
  return { clock, machine, pass: ms => new Promise(resolve => clock.after(ms, resolve)) }
}

/** Opens, writes one document and lets the power go; then everything must be there. */
async function losesNothing({ clock, machine }: World): Promise<string> {
  const env = machine.restart()
  await clock.run(async () => {
    const store = await Store.open(env, 'data')
    await store.define('a', { key: 'id' })
    await store.collection('a').put({ id: 1 })
  })
  machine.crash('none')
  const later = machine.restart()
  return clock.run(async () => {
    let found: string
    try {
      const store = await Store.open(later, 'data')
      found = (await store.collection('a').has(1)) ? 'all' : 'nothing'
      await store.close()
    } catch (error) {
      found = String((error as SillokError).code)
    }
    return found
  })
}

t.test('a first opening that is killed at any operation costs the next one nothing', async t => {
  const whole = worldOf('whole')
  await whole.clock.run(async () => void (await Store.open(whole.machine.environment, 'data')))
  const { operations } = whole.machine.disk
  t.ok(operations > 20)
  const wrong: string[] = []
  for (let operation = 1; operation <= operations; operation++) {
    // Before the operation, or after it: a coin of the disk decides.
    for (let toss = 0; toss < 2; toss++) {
      const world = worldOf(`${operation} ${toss}`)
      const { clock, machine } = world
      machine.crashAt(operation, 'all')
      const died = machine.disk.crashed
      const opening = Store.open(machine.environment, 'data')
      opening.catch(() => {})
      await clock.run(Promise.race([died, opening]))
      const found = await losesNothing(world)
      if (found !== 'all') wrong.push(`${operation}.${toss}: ${found}`)
    }
  }
  t.strictSame(wrong, [])
})

t.test(
  'an IDENT that a killed process renamed last survives the power loss after the next opening',
  async t => {
    const world = worldOf(t.name)
    const { clock, machine } = world
    const { disk } = machine
    const rename = disk.rename.bind(disk)
    disk.rename = async (from, to) => {
      await rename(from, to)
      if (to.endsWith('IDENT')) machine.crash('all')
    }
    const opening = Store.open(machine.environment, 'data')
    opening.catch(() => {})
    await clock.run(Promise.race([disk.crashed, opening]))
    t.ok(disk.dead, 'killed there')
    t.equal(await losesNothing(world), 'all')
  },
)

t.test('an opening that fails holds nothing: no file, no store, and not the folder', async t => {
  const { clock, machine, pass } = worldOf(t.name)
  await clock.run(async () => {
    const store = await Store.open(machine.environment, 'data')
    await store.define('a', { key: 'id' })
    await store.collection('a').put({ id: 1 })
    await pass(5000)
    await store.close()
    for (const replica of ['0-1', '1-1']) {
      const counts = counted(machine.environment)
      counts.beforeStore = folder => {
        if (folder.includes(`/${replica}/`)) throw new SillokError('DISK_FULL', 'no space')
      }
      await t.rejects(Host.open({ env: counts.env, folder: 'data' }), { code: 'DISK_FULL' })
      t.strictSame([...counts.open], [], replica)
    }
    const again = await Store.open(machine.environment, 'data')
    t.ok(await again.collection('a').has(1))
    await again.close()
  })
})

/** Fills the disk, and waits until the host has noticed. */
async function fill({ machine, pass }: World, host: Host): Promise<void> {
  machine.disk.setFull(true)
  host.sessions.register({ ...registration, nonce: 'probe' }).catch(() => {})
  await pass(2000)
}

async function openHost(env: Environment, failures: SillokError[]): Promise<Host> {
  return Host.open({ env, folder: 'data', failed: error => failures.push(error) })
}

t.test('sessions that should end while the disk is full end when there is space again', async t => {
  const world = worldOf(t.name)
  const { clock, machine, pass } = world
  await clock.run(async () => {
    const failures: SillokError[] = []
    const host = await openHost(machine.environment, failures)
    const idle = await host.sessions.register({ ...registration, nonce: 'idle' })
    await host.sessions.open(host.data, idle.session)
    const answerOf = (call: Promise<unknown>): Promise<string> =>
      Promise.race([codeOf(call), pass(10_000).then(() => 'nothing')])
    const isOpen = async (): Promise<string> => {
      const mark = { ...idle, slot: 5, sequence: 1, lowWater: 1, numbering: 'library' } as const
      const write = { type: 'write', operations: [], mark: { ...mark, hash: Buffer.alloc(16) } } as const
      return answerOf(host.data.call(write, {}))
    }
    await pass(59 * 60_000)
    await fill(world, host)
    t.equal(await answerOf(host.sessions.keepAlive([idle])), 'DISK_FULL', 'the host has noticed')
    await pass(5 * 60_000)
    t.equal(host.failure, undefined, 'what the disk refused on a look for idle sessions stops nobody')
    t.equal(await answerOf(host.sessions.expire()), 'DISK_FULL', 'there was something to end')
    machine.disk.setFull(false)
    await pass(60_000)
    t.equal(await isOpen(), 'SESSION_EXPIRED')
    t.equal(await answerOf(host.sessions.register({ ...registration, nonce: 'after' })), 'done')
    t.strictSame(failures, [])
    await host.close()
  })
})

t.test('large documents that are written at once go into as many batches as they need', async t => {
  const world = worldOf(t.name)
  const { clock, machine } = world
  const v = 'x'.repeat(1_000_000)
  const ids = Array.from({ length: 40 }, (_, id) => id)
  await clock.run(async () => {
    const store = await Store.open(machine.environment, 'data')
    await store.define('a', { key: 'id' })
    const rows = store.collection('a')
    const ends = await Promise.all(ids.map(id => codeOf(rows.put({ id, v }))))
    t.strictSame(new Set(ends), new Set(['done']))
    t.equal(store.status().failure, undefined)
  })
  machine.crash('none')
  const env = machine.restart()
  await clock.run(async () => {
    const store = await Store.open(env, 'data')
    t.equal(await store.collection('a').count(), ids.length)
    await store.close()
  })
})

/** What came of each write, by its id. */
type Answers = Map<number, string>

/** Writes, and notes what came of it. */
function write(rows: Collection, id: number, answers: Answers, sequence?: number, v = ''): void {
  answers.set(id, 'nothing')
  rows.put({ id, v }, sequence === undefined ? {} : { sequence }).then(
    () => answers.set(id, 'done'),
    error => answers.set(id, error instanceof SillokError ? `${error.code} ${error.outcome}` : `${error}`),
  )
}

/** Closes, and says how that ended. */
async function closed(store: Store, { clock, pass }: World): Promise<string> {
  const began = clock.monotonicMs()
  const end = await Promise.race([codeOf(store.close()), pass(60_000).then(() => 'nothing')])
  const ms = clock.monotonicMs() - began
  return `${end} ${ms <= 10_000 ? 'in time' : `after ${ms} ms`}, ${store.status().state}`
}

/** Opens again, with space, and compares what is there with what was answered. */
async function check(t: Test, { clock, machine }: World, answers: Answers): Promise<void> {
  machine.disk.setFull(false)
  const env = machine.restart()
  await clock.run(async () => {
    const store = await Store.open(env, 'data', {}, small)
    const rows = store.collection('a')
    for (const [id, answer] of answers) {
      const found = await rows.has(id)
      if (answer === 'done' && !found) t.fail(`${id} was acknowledged and is gone`)
      if (answer.endsWith('not-applied') && found) t.fail(`${id} was refused and is there`)
    }
    t.strictSame(await store.scrub(), [])
    await store.close()
  })
  const counts: Record<string, number> = {}
  for (const answer of answers.values()) counts[answer] = (counts[answer] ?? 0) + 1
  t.comment(JSON.stringify(counts))
}

for (const when of ['at once', 'when the host has noticed']) {
  t.test(`closing on a full disk ends, and no answer promises too much: ${when}`, async t => {
    const world = worldOf(t.name)
    const { clock, machine, pass } = world
    const answers: Answers = new Map()
    await clock.run(async () => {
      const store = await Store.open(machine.environment, 'data', {}, small)
      await store.define('a', { key: 'id' })
      const rows = store.collection('a')
      const own = (await store.session({ numbering: 'caller' })).collection('a')
      for (let id = 1; id <= 5; id++) write(rows, id, answers)
      await rows.has(5)
      machine.disk.setFull(true)
      for (let id = 11; id <= 15; id++) write(rows, id, answers)
      for (let id = 21; id <= 25; id++) write(own, id, answers, id)
      if (when !== 'at once') await pass(3000)
      for (let id = 31; id <= 35; id++) write(rows, id, answers)
      t.strictSame(await closed(store, world), 'done in time, closed')
      write(rows, 41, answers)
      await pass(1)
      t.notOk([...answers.values()].includes('nothing'), 'everybody is answered')
      const flying = [...answers].filter(([id]) => id > 10 && id < 30).map(([, answer]) => answer)
      t.strictSame(new Set(flying), new Set(['CLOSED_WHILE_WAITING unknown']), 'what was proposed')
    })
    await check(t, world, answers)
  })
}

for (const [what, count] of [
  ['the log has room', 20],
  ['the log is full of what they should take', 200],
] as const) {
  t.test(`closing while segments find no space ends: ${what}`, async t => {
    const world = worldOf(t.name)
    const { clock, machine, pass } = world
    const answers: Answers = new Map()
    let full = false
    const disk = shortOfSpace(machine.environment.disk, '/segments/', () => full)
    await clock.run(async () => {
      const store = await Store.open({ ...machine.environment, disk }, 'data', {}, small)
      await store.define('a', { key: 'id' })
      const rows = store.collection('a')
      full = true
      for (let id = 1; id <= count; id++) {
        write(rows, id, answers, undefined, 'x'.repeat(200_000))
        await pass(20)
      }
      const { ringFull } = store.status().wal as { ringFull: boolean }
      t.equal(ringFull, count > 100)
      t.strictSame(await closed(store, world), 'done in time, closed')
      t.notOk([...answers.values()].includes('nothing'), 'everybody is answered')
    })
    await check(t, world, answers)
  })
}

t.test('what another node refuses in the background is no fault of this one', async t => {
  const { clock, machine, pass } = worldOf('refused elsewhere')
  await clock.run(async () => {
    const host = await Host.open({ env: machine.environment, folder: 'data' })
    const { meta } = host
    await host.sessions.register({ nonce: 'i', ...registration })
    const call = meta.call.bind(meta)
    let refusedCount = 0
    meta.call = async (command, ...rest) => {
      if (command.type !== 'endSessions') return await call(command, ...rest)
      refusedCount += 1
      throw new SillokError('DISK_FULL', 'that of the node that leads', { outcome: 'unknown' })
    }
    await pass(2 * limits.sessionIdleMs)
    t.ok(refusedCount > 0, `refused ${refusedCount} times`)
    t.equal(host.failure, undefined)
    await host.close()
  })
})

t.test(
  'a definition that is logged is told to count, or of unknown outcome, though the log is full',
  async t => {
    const { clock, machine, pass } = worldOf('defined on a full disk')
    await clock.run(async () => {
      const env = machine.environment
      let isFull = false
      const disk = shortOfSpace(env.disk, '/segments/', () => isFull)
      const store = await Store.open({ ...env, disk }, 'data', {}, small)
      await store.define('a', { key: 'id' })
      isFull = true
      const v = 'x'.repeat(200_000)
      let isAnswered = true
      let defining: Promise<string> = Promise.resolve('')
      let name = 'a'
      for (let id = 0; id < 400 && isAnswered; id++) {
        isAnswered = false
        const writing = codeOf(store.collection('a').put({ id, v })).then(() => {
          isAnswered = true
        })
        name = `c${id}`
        defining = codeOf(store.define(name, { key: 'id' }, { deadlineMs: 600_000 }))
        await Promise.race([Promise.all([writing, defining]), pass(300)])
      }
      t.equal(isAnswered, false, 'the log is full')
      await pass(2000)
      isFull = false
      t.equal(await defining, 'done')
      t.ok(store.definition(name))
      await store.close()
    })
  },
)
