/** The simulated network loses messages only with their connection, and keeps what it says of each fault. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import type { Connection } from '../../../src/env/network.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { type SimDoor, SimNetwork, type SimNetworkOptions } from '../../../src/sim/sim-network.js'
import { seed } from '../../seed.js'
import { NetworkWorld, type Side } from './network-world.js'

t.comment(`SEED=${seed}`)

/** A side of a connection: what has come, and when it heard of the end. */
interface Ear {
  readonly connection: Connection
  readonly seen: string[]
  endMs: number | undefined
}

/** Two hosts. */
class Pair {
  readonly clock = new SimClock()
  readonly network: SimNetwork
  readonly a: SimDoor
  b: SimDoor
  readonly accepted: Ear[] = []

  constructor(options: Partial<SimNetworkOptions> = {}, name = '') {
    this.network = new SimNetwork({ clock: this.clock, random: new Random(`${seed}/${name}`), ...options })
    this.a = this.network.process('a')
    this.b = this.network.process('b')
  }

  /** Runs the work with a connection from a to b. */
  run(work: (near: Ear, far: Ear) => Promise<void>): Promise<void> {
    return this.clock.run(async () => {
      await this.listen()
      const near = this.ear(await this.a.connect('b:1'))
      const [far] = this.accepted
      if (far === undefined) throw new Error('nothing was accepted')
      await work(near, far)
    })
  }

  async listen(): Promise<void> {
    await this.b.listen('b:1', connection => this.accepted.push(this.ear(connection)))
  }

  ear(connection: Connection): Ear {
    const ear: Ear = { connection, seen: [], endMs: undefined }
    connection.onMessage(message => ear.seen.push(message.toString()))
    connection.onClose(() => {
      ear.endMs = this.clock.monotonicMs()
    })
    return ear
  }

  wait(ms: number): Promise<void> {
    return new Promise(resolve => this.clock.after(ms, resolve))
  }
}

const say = (ear: Ear, text: string): boolean => ear.connection.send(Buffer.from(text))

t.test('whatever happens, what arrives on a way is a beginning of what was sent on it', async t => {
  const sum = { talks: 0, refused: 0, sent: 0, seen: 0, ended: 0 }
  for (let run = 0; run < 60; run++) {
    const world = new NetworkWorld(`${seed}/${run}`)
    await world.run(300)
    sum.refused += world.refused
    for (const { near, far } of world.talks) {
      if (far === undefined) continue
      sum.talks++
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sum.sent += from.sent.length
        sum.seen += to.seen.length
        const isBeginning = to.seen.every((text, i) => from.sent[i] === text)
        if (!isBeginning) t.fail(`${run}: ${to.seen} of ${from.sent}`)
        if (to.late > 0) t.fail(`${run}: ${near.sent[0]} hears something after its end`)
        const isWhole = to.seen.length === from.sent.length
        const ended = (side: Side): boolean => side.closedMs !== undefined || side.door.isDead
        if (!isWhole && !(ended(from) && ended(to)))
          t.fail(`${run}: ${near.sent[0]} lost something, and stands`)
        if (ended(from) !== ended(to)) t.fail(`${run}: one side of ${near.sent[0]} stands alone`)
        if (ended(from)) sum.ended++
      }
    }
  }
  t.comment(JSON.stringify(sum))
  t.ok(sum.seen > sum.sent / 4 && sum.seen < sum.sent && sum.ended < 2 * sum.talks && sum.refused > 60)
})

t.test('the same seed gives the same run, another one another', async t => {
  const story = async (name: string): Promise<string> => {
    const world = new NetworkWorld(`${seed}/${name}`)
    await world.run(300)
    return world.story.join('\n')
  }
  t.equal(await story('one'), await story('one'))
  t.not(await story('one'), await story('other'))
})

t.test('each message takes a time of the span, a storm makes it longer, calm ends it', async t => {
  const pair = new Pair({ latencyMs: [3, 7] })
  await pair.run(async near => {
    const times = async (): Promise<number[]> => {
      const ms: number[] = []
      for (let i = 0; i < 100; i++) {
        const start = pair.clock.monotonicMs()
        const heard = new Promise<void>(resolve => near.connection.onMessage(() => resolve()))
        pair.accepted[0]?.connection.send(Buffer.from('x'))
        await heard
        ms.push(pair.clock.monotonicMs() - start)
      }
      return ms
    }
    const usual = await times()
    t.ok(Math.min(...usual) >= 3 && Math.min(...usual) < 4, `${Math.min(...usual)}`)
    t.ok(Math.max(...usual) <= 7 && Math.max(...usual) > 5, `${Math.max(...usual)}`)
    pair.network.storm([100, 1000])
    t.ok(Math.min(...(await times())) >= 100)
    pair.network.calm()
    t.ok(Math.max(...(await times())) <= 7)
  })
})

t.test('over a cut way messages are lost without a word; what was sent the other way arrives', async t => {
  const pair = new Pair({ silenceMs: [600, 800] })
  await pair.run(async (near, far) => {
    pair.network.cut('a', 'b')
    for (let i = 0; i < 5; i++) t.ok(say(near, 'lost'))
    t.ok(say(far, 'whole'))
    await pair.wait(500)
    t.same([near.seen, far.seen, near.endMs, far.endMs], [['whole'], [], undefined, undefined])
    pair.network.heal('a', 'b')
    t.ok(say(near, 'behind what was lost'))
    await pair.wait(500)
    t.same(far.seen, [])
    for (const { endMs = 0 } of [near, far]) t.ok(endMs > 600 && endMs < 820, `${endMs}`)
    t.not(near.endMs, far.endMs)
    const again = pair.ear(await pair.a.connect('b:1'))
    t.ok(say(again, 'anew'))
    await pair.wait(5)
    t.same(pair.accepted[1]?.seen, ['anew'])
  })
})

t.test('a message that is under way when the cable is cut is lost', async t => {
  const pair = new Pair({ latencyMs: [10, 10] })
  await pair.run(async (near, far) => {
    say(near, 'in time')
    await pair.wait(5)
    say(near, 'too late')
    await pair.wait(6)
    pair.network.cut('a', 'b')
    await pair.wait(5)
    pair.network.heal('a', 'b')
    await pair.wait(20)
    t.same(far.seen, ['in time'])
  })
})

t.test('a cut that is mended before anything was lost leaves the connection as it was', async t => {
  const pair = new Pair()
  await pair.run(async (near, far) => {
    pair.network.cut('a', 'b')
    pair.network.cut('b', 'a')
    await pair.wait(5000)
    pair.network.heal('a', 'b')
    pair.network.heal('b', 'a')
    await pair.wait(10_000)
    say(near, 'there')
    say(far, 'back')
    await pair.wait(5)
    t.same([near.seen, far.seen, near.endMs, far.endMs], [['back'], ['there'], undefined, undefined])
  })
})

t.test('a cut that lasts ends the connection, though nobody says anything', async t => {
  const pair = new Pair()
  await pair.run(async (near, far) => {
    pair.network.cut('b', 'a')
    await pair.wait(8001)
    t.ok((near.endMs ?? 0) > 6000 && (far.endMs ?? 0) > 6000)
  })
})

t.test(
  'word of a close does not get over a cut, and not if the cable is cut while it is under way',
  async t => {
    for (const closesAfterMs of [0, 2]) {
      const pair = new Pair({ latencyMs: [5, 5] })
      await pair.run(async (near, far) => {
        pair.clock.after(1, () => pair.network.cut('b', 'a'))
        pair.clock.after(closesAfterMs, () => far.connection.close())
        await pair.wait(1000)
        pair.network.heal('b', 'a')
        await pair.wait(4000)
        t.equal(near.endMs, undefined)
        await pair.wait(4000)
        t.ok(near.endMs !== undefined)
      })
    }
  },
)

t.test('what is sent on one connection does not change the times on another', async t => {
  const times = async (count: number): Promise<number[]> => {
    const pair = new Pair()
    const ms: number[] = []
    await pair.run(async near => {
      const other = pair.ear(await pair.a.connect('b:1'))
      const beginMs = pair.clock.monotonicMs()
      const far = pair.accepted[1]?.connection
      far?.onMessage(() => ms.push(pair.clock.monotonicMs() - beginMs))
      for (let i = 0; i < count; i++) say(near, 'more')
      for (let i = 0; i < 5; i++) say(other, 'same')
      await pair.wait(50)
    })
    return ms
  }
  t.equal((await times(0)).length, 5)
  t.same(await times(7), await times(0))
})

t.test('over a cut on either way nobody connects, and learns that after some seconds', async t => {
  for (const [from, to] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    const pair = new Pair({ latencyMs: [1, 1] })
    await pair.run(async () => {
      for (const cutAfterMs of [0, 0.5, 1.5]) {
        const start = pair.clock.monotonicMs()
        const connecting = pair.a.connect('b:1')
        pair.clock.after(cutAfterMs, () => pair.network.cut(from, to))
        const outcome = await connecting.then(
          connection => pair.ear(connection) && 'stands',
          (error: { code: string }) => error.code,
        )
        const ms = pair.clock.monotonicMs() - start
        if (outcome === 'UNAVAILABLE') t.equal(Math.round(ms), 5000)
        t.equal(outcome, cutAfterMs > 1 && from === 'a' ? 'stands' : 'UNAVAILABLE', `${from} ${cutAfterMs}`)
        pair.network.calm()
      }
      await pair.wait(10_000)
      // The one of `run`, and one that stands or whose caller did not hear of it and gave up.
      t.equal(pair.accepted.length, 2)
      t.equal(pair.accepted[1]?.endMs === undefined, from === 'a', 'nobody waits for who gave up')
    })
  }
})

t.test('who is refused learns it at once, until it is admitted', async t => {
  const pair = new Pair()
  await pair.run(async () => {
    const start = pair.clock.monotonicMs()
    pair.network.refuse('b')
    await t.rejects(pair.a.connect('b:1'), { code: 'UNAVAILABLE' })
    t.ok(pair.clock.monotonicMs() - start < 10)
    pair.network.admit('b')
    await pair.a.connect('b:1')
    await t.rejects(pair.a.connect('b:2'), { code: 'UNAVAILABLE' })
    t.ok(pair.clock.monotonicMs() - start < 20)
  })
})

t.test('where nobody is up a caller is refused, or hears nothing', async t => {
  const outcomes = new Set<string>()
  for (let i = 0; i < 20; i++) {
    const pair = new Pair({}, `${i}`)
    await pair.clock.run(async () => {
      await t.rejects(pair.a.connect('c:1'), { code: 'UNAVAILABLE' })
      outcomes.add(pair.clock.monotonicMs() < 10 ? 'at once' : `after ${pair.clock.monotonicMs()} ms`)
    })
  }
  t.same([...outcomes].sort(), ['after 5000 ms', 'at once'])
})

t.test('of a break both sides hear, each in its own time; what was sent meanwhile is lost', async t => {
  const firsts = new Set<string>()
  for (let i = 0; i < 30; i++) {
    const pair = new Pair({}, `${i}`)
    await pair.run(async (near, far) => {
      pair.network.break('b', 'a')
      t.ok(say(near, 'lost'))
      await pair.wait(501)
      t.ok(near.endMs !== undefined && far.endMs !== undefined && near.endMs !== far.endMs)
      t.same(far.seen, [])
      t.notOk(say(near, 'refused'))
      firsts.add((near.endMs ?? 0) < (far.endMs ?? 0) ? 'near' : 'far')
    })
  }
  t.equal(firsts.size, 2)
})

t.test('a process that dies hears nothing more; the others hear of it late; its address is free', async t => {
  const pair = new Pair()
  const never = (work: Promise<unknown>): void => {
    work.then(
      () => t.fail('a dead one has it'),
      () => t.fail('a dead one is refused'),
    )
  }
  await pair.run(async (near, far) => {
    await pair.a.listen('a:1', connection => pair.ear(connection))
    const own = await pair.b.connect('a:1')
    for (const one of [far.connection, own]) one.onClose(() => t.fail('the dead hear'))
    say(near, 'to a dead one')
    never(pair.b.connect('a:1'))
    never(pair.b.listen('b:2', () => {}))
    own.close()
    pair.b.kill()
    own.onClose(() => t.fail('the dead hear'))
    t.notOk(say(far, 'from a dead one'))
    never(pair.b.listen('b:3', () => {}))
    never(pair.b.connect('a:1'))
    await pair.wait(501)
    own.onClose(() => t.fail('the dead hear'))
    await pair.wait(1)
    t.same(far.seen, [])
    t.ok(near.endMs !== undefined)
    for (const address of ['b:1', 'b:2', 'b:3']) {
      await t.rejects(pair.a.connect(address), { code: 'UNAVAILABLE' })
    }
    pair.b = pair.network.process('b')
    await pair.listen()
    const again = pair.ear(await pair.a.connect('b:1'))
    say(again, 'to the next one')
    await pair.wait(5)
    t.same(pair.accepted[1]?.seen, ['to the next one'])
  })
})

t.test(
  'of a machine that is gone the other side hears by silence, or when it sends to the next one',
  async t => {
    const pair = new Pair()
    await pair.run(async near => {
      pair.b.kill({ isSilent: true })
      await pair.wait(1000)
      t.ok(say(near, 'nobody is there'))
      await pair.wait(1000)
      t.equal(near.endMs, undefined)
      pair.b = pair.network.process('b')
      await pair.wait(1000)
      t.equal(near.endMs, undefined)
      t.ok(say(near, 'nobody knows it'))
      await pair.wait(3)
      t.ok(near.endMs !== undefined)
    })
    const other = new Pair()
    await other.run(async near => {
      other.b.kill({ isSilent: true })
      await other.wait(8001)
      t.ok((near.endMs ?? 0) > 6000)
    })
  },
)

t.test('a side that does not read does not hear of a close, unless it sends', async t => {
  const pair = new Pair()
  await pair.clock.run(async () => {
    const accepted: Connection[] = []
    await pair.b.listen('b:1', connection => accepted.push(connection))
    const [one, other] = [await pair.a.connect('b:1'), await pair.a.connect('b:1')]
    let heard = ''
    one.onClose(() => {
      heard += 'one '
    })
    other.onClose(() => {
      heard += 'other '
    })
    for (const connection of accepted) connection.close()
    await pair.wait(1000)
    t.equal(heard, '')
    t.ok(other.send(Buffer.from('x')))
    await pair.wait(5)
    t.equal(heard, 'other ')
    one.onMessage(() => {})
    await pair.wait(5)
    t.equal(heard, 'other one ')
  })
})

t.test('a way takes no more bytes than its budget before some have arrived', async t => {
  const pair = new Pair({ waitingBytesMax: 10, latencyMs: [5, 5] })
  await pair.run(async (near, far) => {
    t.same(
      ['123456', '7890', 'x', ''].map(text => say(near, text)),
      [true, true, false, true],
    )
    t.ok(say(far, '1234567890'), 'each way has its own')
    await pair.wait(6)
    t.same(far.seen, ['123456', '7890', ''])
    t.ok(say(near, 'x'))
    pair.network.cut('a', 'b')
    t.ok(say(near, '123456789'))
    await pair.wait(100)
    t.notOk(say(near, 'x'), 'what was lost waits for ever')
  })
})

t.test('who changes the bytes of a message under way changes the message', async t => {
  const pair = new Pair()
  await pair.run(async (near, far) => {
    const bytes = Buffer.from('mine')
    near.connection.send(bytes)
    bytes[0] = 0x66
    far.connection.onMessage(message => {
      message[1] = 0x61
      far.seen.push(message.toString())
    })
    await pair.wait(5)
    t.same(far.seen, ['fane'])
    t.equal(bytes.toString(), 'fine', "the receiver's bytes are its own")
  })
})
