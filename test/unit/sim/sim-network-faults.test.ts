/** Faults of the simulated network beyond a single cut: who sees whom, and what a held process costs. */
import t from 'tap'
import { must } from '../../../src/base/assert.js'
import { Random } from '../../../src/base/random.js'
import type { Connection } from '../../../src/env/network.js'
import { FaultCounts } from '../../../src/sim/fault-counts.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { type SimDoor, SimNetwork, type SimNetworkOptions } from '../../../src/sim/sim-network.js'
import type { SimProcessClock } from '../../../src/sim/sim-process-clock.js'
import { seed } from '../../seed.js'

t.comment(`SEED=${seed}`)

/** A connection as the side has it that connected, and as the other one has it. */
interface Talk {
  readonly near: Connection
  readonly far: Connection
  /** What has come to each, and when it heard of the end. */
  readonly seen: { readonly near: string[]; readonly far: string[] }
  readonly endMs: { near?: number; far?: number }
}

/** Three hosts, each with a process that listens. */
class World {
  readonly faults = new FaultCounts()
  readonly clock = new SimClock()
  readonly network: SimNetwork
  readonly doors = new Map<string, SimDoor>()
  readonly processes = new Map<string, SimProcessClock>()
  readonly accepted: Connection[] = []

  constructor(options: Partial<SimNetworkOptions> = {}, name = '') {
    const { clock, faults } = this
    const random = new Random(`${seed}/${name}`)
    this.network = new SimNetwork({ clock, random, faults, ...options })
    for (const host of ['a', 'b', 'c']) {
      const process = clock.process()
      const door = this.network.process(host, process)
      this.processes.set(host, process)
      this.doors.set(host, door)
      void door.listen(`${host}:1`, connection => this.accepted.push(connection))
    }
  }

  process(host: string): SimProcessClock {
    return must(this.processes.get(host), host)
  }

  connect(from: string, to: string): Promise<Connection> {
    return must(this.doors.get(from), from).connect(`${to}:1`)
  }

  async talk(from: string, to: string): Promise<Talk> {
    const near = await this.connect(from, to)
    const far = must(this.accepted.at(-1), 'accepted')
    const talk: Talk = { near, far, seen: { near: [], far: [] }, endMs: {} }
    for (const side of ['near', 'far'] as const) {
      talk[side].onMessage(message => talk.seen[side].push(`${message}`))
      talk[side].onClose(() => {
        talk.endMs[side] = this.clock.monotonicMs()
      })
    }
    return talk
  }

  wait(ms: number): Promise<void> {
    return new Promise(resolve => this.clock.after(ms, resolve))
  }

  /** `ab` for each pair of which the first gets something to the second. */
  async reachable(): Promise<string> {
    const pairs: string[] = []
    for (const from of ['a', 'b', 'c']) {
      for (const to of ['a', 'b', 'c']) {
        if (from === to) continue
        const isThere = await this.connect(from, to).then(
          () => true,
          () => false,
        )
        if (isThere) pairs.push(from + to)
      }
    }
    return pairs.join(' ')
  }
}

const say = (connection: Connection, text: string): boolean => connection.send(Buffer.from(text))

t.test('over a bridge two hosts see a third one, but not each other, until they are joined', async t => {
  const world = new World()
  await world.clock.run(async () => {
    const talk = await world.talk('a', 'b')
    world.network.part(['a'], ['b'])
    say(talk.near, 'lost')
    t.equal(await world.reachable(), 'ac bc ca cb')
    t.strictSame(talk.seen.far, [])
    t.equal(world.faults.of('bridge'), 1)
    t.equal(world.faults.of('cut'), 1)
    t.ok(world.faults.of('connect-over-cut') >= 2)
    world.network.join(['a'], ['b'])
    t.equal(await world.reachable(), 'ab ac ba bc ca cb')
    const other = await world.talk('a', 'b')
    world.network.part(['a', 'c'], ['b', 'c'])
    say(other.near, 'lost')
    await world.wait(5)
    t.equal(world.faults.of('bridge'), 1, 'nobody sees both')
    t.equal(world.faults.of('cut'), 2)
    world.network.join(['a', 'c'], ['b', 'c'])
    const last = await world.talk('a', 'b')
    world.network.part(['a', 'c'], ['b'])
    say(last.near, 'lost')
    await world.wait(5)
    t.equal(world.faults.of('bridge'), 1, 'c sees a only')
    t.equal(world.faults.of('cut'), 3)
  })
})

t.test('a cut of one way is counted as such', async t => {
  const world = new World()
  await world.clock.run(async () => {
    const talk = await world.talk('a', 'b')
    world.network.cut('a', 'b')
    say(talk.near, 'lost')
    say(talk.far, 'whole')
    await world.wait(5)
    t.strictSame(talk.seen, { near: ['whole'], far: [] })
    t.strictSame([world.faults.of('one-way-cut'), world.faults.of('cut')], [1, 0])
    await world.wait(8000)
    t.equal(world.faults.of('silent-peer'), 2, 'both sides find out')
  })
})

t.test('a flapping link is gone and there in turns, until it is steady', async t => {
  for (const ends of ['steady', 'calm'] as const) {
    const world = new World()
    await world.clock.run(async () => {
      world.network.flap('b', 'a', { upMs: [30, 60], downMs: [10, 20] })
      const states: boolean[] = []
      for (let ms = 0; ms < 1000; ms++) {
        const isCut = world.network.isCut('a', 'b')
        t.equal(world.network.isCut('b', 'a'), isCut)
        if (states.at(-1) !== isCut) states.push(isCut)
        await world.wait(1)
        if (ms % 10 === 0 && !isCut) {
          const talk = await world.talk('a', 'b').catch(() => undefined)
          if (talk !== undefined) for (let i = 0; i < 20; i++) world.clock.after(i, () => say(talk.near, 'x'))
        }
      }
      t.equal(states[0], true)
      t.ok(states.length > 10, `${states.length} turns`)
      t.ok(world.faults.of('flapping-link') > 0)
      if (ends === 'calm') world.network.calm()
      else world.network.steady('a', 'b')
      for (let i = 0; i < 200; i++) {
        t.notOk(world.network.isCut('a', 'b'))
        await world.wait(1)
      }
    })
  }
})

t.test('a link flaps as it was told last', async t => {
  const world = new World()
  await world.clock.run(async () => {
    world.network.flap('a', 'b', { upMs: [1, 2], downMs: [1, 2] })
    world.network.flap('a', 'b', { upMs: [1, 2], downMs: [50, 60] })
    for (let ms = 0; ms < 49; ms++) {
      t.ok(world.network.isCut('a', 'b'))
      await world.wait(1)
    }
  })
})

t.test('a connection dies in the middle of a message: what came before arrives, both sides hear', async t => {
  const world = new World({ latencyMs: [1, 1], lateMs: [100, 200] })
  await world.clock.run(async () => {
    const talk = await world.talk('a', 'b')
    world.network.tearAt('a', 'b', 3)
    for (const text of ['one', 'two', 'torn', 'behind']) t.ok(say(talk.near, text))
    t.ok(say(talk.far, 'back'))
    await world.wait(50)
    t.strictSame(talk.seen, { near: ['back'], far: ['one', 'two'] })
    t.strictSame(talk.endMs, {})
    await world.wait(200)
    t.ok(talk.endMs.near !== undefined && talk.endMs.far !== undefined)
    t.equal(world.faults.of('torn-message'), 1)
    t.equal(world.faults.of('lost-with-connection'), 2)
    const again = await world.talk('a', 'b')
    for (const text of ['one', 'two', 'three']) say(again.near, text)
    await world.wait(5)
    t.strictSame(again.seen.far, ['one', 'two', 'three'])
  })
})

t.test('one way is late, the others are not', async t => {
  const world = new World()
  await world.clock.run(async () => {
    const [slow, quick] = [await world.talk('a', 'b'), await world.talk('a', 'c')]
    world.network.delay('a', 'b', [300, 400])
    for (const talk of [slow, quick]) {
      say(talk.near, 'there')
      say(talk.far, 'back')
    }
    await world.wait(299)
    t.strictSame(
      [slow.seen, quick.seen],
      [
        { near: ['back'], far: [] },
        { near: ['back'], far: ['there'] },
      ],
    )
    await world.wait(102)
    t.strictSame(slow.seen.far, ['there'])
    t.equal(world.faults.of('late-message'), 1)
    world.network.delay('a', 'b', undefined)
    say(slow.near, 'again')
    world.network.storm([500, 600])
    say(slow.near, 'in a storm')
    await world.wait(3)
    t.strictSame(slow.seen.far, ['there', 'again'])
    t.equal(world.faults.of('late-message'), 2)
  })
})

t.test('a held process gets its messages when it goes on, in order, and the end behind them', async t => {
  const world = new World()
  await world.clock.run(async () => {
    const talk = await world.talk('a', 'b')
    const waiting = world.connect('c', 'b')
    world.process('b').stall(1000)
    for (const text of ['one', 'two', 'three']) say(talk.near, text)
    await world.wait(10)
    talk.near.close()
    await world.wait(490)
    t.strictSame([talk.seen.far, talk.endMs.far], [[], undefined])
    t.ok(talk.endMs.near !== undefined)
    let stands = 0
    void waiting.then(() => {
      stands = world.clock.monotonicMs()
    })
    await world.wait(490)
    t.equal(stands, 0, 'nobody answers')
    await world.wait(20)
    t.strictSame(talk.seen.far, ['one', 'two', 'three'])
    t.ok(talk.endMs.far !== undefined && stands > 1000, `${stands}`)
  })
})

t.test('who calls a held process gives up after some seconds, and it knows nothing of that', async t => {
  const world = new World()
  await world.clock.run(async () => {
    world.process('b').stall(8000)
    const startMs = world.clock.monotonicMs()
    await t.rejects(world.connect('a', 'b'), { code: 'UNAVAILABLE' })
    t.equal(Math.round(world.clock.monotonicMs() - startMs), 5000)
    await world.wait(10_000)
    t.equal(world.accepted.length, 0)
    await world.talk('a', 'b')
  })
})

t.test('who calls while it is held itself hears of the answer when it goes on', async t => {
  const world = new World()
  await world.clock.run(async () => {
    const talking = world.talk('a', 'b')
    const failing = world.connect('a', 'nowhere').catch(() => world.clock.monotonicMs())
    world.process('a').stall(9000)
    await world.wait(8900)
    t.equal(await Promise.race([talking, failing, world.wait(1)]), undefined)
    await talking
    t.ok(((await failing) as number) >= 9000)
  })
})

t.test('a process that is held for long is given up by the others, and hears of it afterwards', async t => {
  const world = new World()
  await world.clock.run(async () => {
    const [talk, other] = [await world.talk('a', 'b'), await world.talk('c', 'b')]
    world.process('b').pause()
    await world.wait(5900)
    t.strictSame(talk.endMs, {})
    await world.wait(2200)
    const { near: endMs = 0 } = talk.endMs
    t.ok(endMs > 6000 && endMs < 8100, `${endMs}`)
    t.equal(talk.endMs.far, undefined)
    t.ok(other.endMs.near !== undefined)
    t.equal(world.faults.of('silent-peer'), 2)
    world.process('b').resume()
    await world.wait(5)
    t.ok(talk.endMs.far !== undefined)
  })
})

t.test('short stalls, one after the other, are no silence', async t => {
  const world = new World()
  await world.clock.run(async () => {
    const talk = await world.talk('a', 'b')
    for (let i = 0; i < 20; i++) {
      world.process('b').stall(1000, 'check')
      await world.wait(1010)
    }
    t.strictSame(talk.endMs, {})
    say(talk.near, 'still there')
    await world.wait(5)
    t.strictSame(talk.seen.far, ['still there'])
  })
})

t.test('a held process that dies hears nothing, and its callers give up', async t => {
  const world = new World()
  await world.clock.run(async () => {
    const talk = await world.talk('a', 'b')
    world.process('b').pause()
    say(talk.near, 'unheard')
    const calling = world.connect('c', 'b')
    await world.wait(100)
    world.process('b').kill()
    must(world.doors.get('b'), 'b').kill()
    world.process('b').resume()
    await t.rejects(calling, { code: 'UNAVAILABLE' })
    t.strictSame(talk.seen.far, [])
    t.equal(talk.endMs.far, undefined)
    t.ok(talk.endMs.near !== undefined)
  })
})

t.test('refusals, breaks and machines that are not there are counted', async t => {
  const world = new World()
  await world.clock.run(async () => {
    await world.talk('a', 'b')
    world.network.break('a', 'b')
    await world.wait(1000)
    world.network.break('a', 'b')
    t.equal(world.faults.of('broken-connection'), 2, 'each side of one connection')
    world.network.refuse('b')
    await t.rejects(world.connect('a', 'b'))
    world.network.admit('b')
    t.equal(world.faults.of('refused-connection'), 1)
    for (let i = 0; i < 20; i++) await t.rejects(world.connect('a', 'nowhere'))
    const unanswered = world.faults.of('unanswered-connection')
    t.ok(unanswered > 0 && unanswered < 20, `${unanswered}`)
  })
})
