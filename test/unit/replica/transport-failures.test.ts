/** What does not arrive is told to its sender, who tries again after pauses; the order stays. */
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { encodeAsk } from '../../../src/replica/ask-codec.js'
import { seed } from '../../seed.js'
import { append, type Node, numbered, TransportWorld } from './transport-world.js'

t.comment(`SEED=${seed}`)

/** When the node asks for connections to c:1, where somebody is up and nobody listens. */
async function attempts(
  world: TransportWorld,
  node: Node,
  forMs: number,
  everyMs: number,
): Promise<number[]> {
  const connect = node.door.connect.bind(node.door)
  const times: number[] = []
  node.door.connect = address => {
    times.push(world.clock.monotonicMs())
    return connect(address)
  }
  const endMs = world.clock.monotonicMs() + forMs
  for (let i = 0; world.clock.monotonicMs() < endMs; i++) {
    node.transport.send('c:1', 1, numbered(0, i))
    await world.wait(everyMs)
  }
  return times
}

t.test(
  'while nobody answers it asks after pauses that grow to a second, and each failure is told once',
  async t => {
    const world = new TransportWorld(seed, { latencyMs: [1, 1] })
    await world.run(async () => {
      world.network.process('c')
      const a = await world.start('a')
      const times = await attempts(world, a, 20_000, 1)
      const pauses = times.slice(1).map((ms, i) => ms - (times[i] ?? 0) - 2)
      t.comment(pauses.map(Math.round).join())
      t.ok(
        pauses.every((ms, i) => ms >= Math.min(50 * 2 ** i, 500) && ms <= Math.min(100 * 2 ** i, 1000) + 1),
      )
      t.ok(new Set(pauses.slice(5).map(Math.round)).size > 5, 'drawn')
      const told = a.unreachable.length
      t.ok(
        told === times.length || told === times.length - 1,
        `${told} of ${times.length} failures were told`,
      )
      const begun = times.length
      await world.wait(10_000)
      t.ok(times.length <= begun + 1, 'with nothing to say it asks no more')
      const late = await attempts(world, a, 1, 1)
      t.equal(late.length, 1, 'and then at once')
    })
  },
)

t.test('different nodes draw different pauses', async t => {
  const world = new TransportWorld(seed, { latencyMs: [1, 1] })
  await world.run(async () => {
    world.network.process('c')
    const [a, b] = [await world.start('a'), await world.start('b')]
    const both = [attempts(world, a, 3000, 10), attempts(world, b, 3000, 10)] as const
    t.not((await both[0]).join(), (await both[1]).join())
  })
})

t.test('what waits for a connection is bounded; what comes on top is dropped, and told', async t => {
  for (const stands of [true, false]) {
    const world = new TransportWorld(seed, { latencyMs: [1, 1] })
    await world.run(async () => {
      const a = await world.start('a')
      const b = await world.start('b')
      if (!stands) world.network.refuse('b')
      const message = append(limits.entryBytesMax / 4)
      for (let i = 0; i < 100; i++) a.transport.send('b:1', 1, message)
      t.equal(a.unreachable.length, 0, 'not inside a call')
      await world.wait(0.5)
      t.equal(a.unreachable.length, 1)
      await world.wait(49)
      t.equal(a.unreachable.length, stands ? 1 : 2)
      t.equal(b.delivered.length, stands ? 7 : 0)
      world.network.admit('b')
      a.transport.send('b:1', 1, message)
      await world.wait(2000)
      t.equal(b.delivered.length, stands ? 8 : 1, 'what failed is gone, what comes later gets through')
      t.equal(a.unreachable.length, 2, 'those behind the first too')
    })
  }
})

t.test('who asked to hear of it is told of each message that never left, and of no other', async t => {
  const world = new TransportWorld(seed, { latencyMs: [1, 1], waitingBytesMax: 300 })
  await world.run(async () => {
    const [a, b] = [await world.start('a'), await world.start('b')]
    const notSent: string[] = []
    const send = (name: string, frame: Buffer): void => {
      a.transport.sendFrame('b:1', frame, () => notSent.push(name))
    }
    const losses = (): string[] => a.unreachable.splice(0).map(({ loss }) => loss)
    const ask = encodeAsk({
      partition: 1,
      request: { run: 1, number: 1 },
      lane: 1,
      command: { type: 'unsubscribe', name: 'x' },
    })
    world.network.refuse('b')
    send('refused', ask)
    send('refused too', ask)
    t.same(notSent, [], 'not inside a call')
    await world.wait(10)
    t.same(notSent.splice(0), ['refused', 'refused too'])
    t.same(losses(), ['unsent'])
    world.network.admit('b')
    send('behind a pause', ask)
    await world.wait(200)
    t.equal(b.asked.length, 1)
    for (let i = 0; i < 20; i++) send(`${i}`, ask)
    await world.wait(10)
    t.ok(notSent.length > 0 && notSent.length < 20)
    t.equal(b.asked.length, 1 + 20 - notSent.length, 'each has arrived, or is told')
    t.same(losses(), ['unsent'])
    notSent.length = 0
    send('on the way', ask)
    world.network.break('a', 'b')
    await world.wait(1000)
    t.same(losses(), ['in-doubt'])
    t.same(notSent, [], 'of that nobody knows')
  })
})

t.test('behind a message that did not leave none of the same turn leaves that would be told of', async t => {
  const world = new TransportWorld(seed, { latencyMs: [1, 1] })
  await world.run(async () => {
    const [a, b] = [await world.start('a'), await world.start('b')]
    const notSent: number[] = []
    const big = Buffer.alloc(limits.unsentBytesMax / 4 - 100)
    for (let n = 0; n < 6; n++) a.transport.sendFrame('b:1', big, () => notSent.push(n))
    a.transport.sendFrame('b:1', Buffer.alloc(10), () => notSent.push(6))
    a.transport.send('b:1', 1, numbered(0, 1))
    await world.wait(0.5)
    t.strictSame(notSent, [4, 5, 6])
    a.transport.sendFrame('b:1', Buffer.alloc(10), () => notSent.push(7))
    await world.wait(0.5)
    t.strictSame(notSent, [4, 5, 6], 'once it is told, what comes later waits again')
    t.equal(b.refused.length, 0)
  })
})

t.test('a connection that takes no more loses what comes on top, and that is told', async t => {
  const world = new TransportWorld(seed, { latencyMs: [1, 1], waitingBytesMax: 300 })
  await world.run(async () => {
    const [a, b] = [await world.start('a'), await world.start('b')]
    a.transport.send('b:1', 1, numbered(0, 0))
    await world.wait(10)
    for (let i = 1; i <= 100; i++) a.transport.send('b:1', 1, numbered(0, i))
    await world.wait(10)
    t.equal(a.unreachable.length, 1)
    const seen = world.tokens(b, 'a')
    t.ok(seen.length > 2 && seen.length < 10 && seen.every((token, i) => token === i), seen.join())
    a.transport.send('b:1', 1, numbered(0, 101))
    await world.wait(10)
    t.equal(world.tokens(b, 'a').at(-1), 101)
    t.equal(a.unreachable.length, 1)
    for (let i = 0; i < 400; i++) {
      for (let j = 0; j < 10; j++) a.transport.send('b:1', 1, numbered(0, 1000 + 10 * i + j))
      await world.wait(10)
    }
    t.equal(a.unreachable.length, 5, 'once a second while it goes on')
    await world.wait(2000)
    t.equal(a.unreachable.length, 6, 'and then once more, for the last')
  })
})

t.test('after a break it connects again, soon if the connection had stood', async t => {
  const world = new TransportWorld(seed, { latencyMs: [1, 1], lateMs: [0, 0] })
  await world.run(async () => {
    const [a, b] = [await world.start('a'), await world.start('b')]
    for (let i = 1; i <= 6; i++) {
      a.transport.send('b:1', 1, numbered(0, i))
      await world.wait(1500)
      world.network.break('a', 'b')
      await world.wait(1)
      t.equal(a.unreachable.length, i, 'told once')
      a.transport.send('b:1', 1, numbered(0, 10 * i))
      await world.wait(104)
      t.equal(world.tokens(b, 'a').at(-1), 10 * i)
    }
    t.same(world.tokens(b, 'a'), [1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60])
  })
})

/** Everybody talks to everybody, as hearts beat, while what can go wrong does. */
async function live(world: TransportWorld, steps: number, sent: Sent[]): Promise<void> {
  const hosts = ['a', 'b', 'c'] as const
  const { random, network } = world
  const up = new Map<string, Node>()
  let token = 0
  const say = (from: Node, host: string): void => {
    sent.push({ from, to: `${host}:1`, token: ++token, ms: world.clock.monotonicMs() })
    from.transport.send(`${host}:1`, 1, numbered(from.id, token))
  }
  const beat = (): void => {
    for (const node of up.values()) for (const host of hosts) if (host !== node.host) say(node, host)
  }
  for (const host of hosts) up.set(host, await world.start(host))
  for (let step = 0; step < steps; step++) {
    const [one, other] = [random.pick(hosts), random.pick(hosts)]
    const node = up.get(one)
    const draw = random.below(100)
    if (draw < 70 && node !== undefined) for (let i = random.below(5); i >= 0; i--) say(node, other)
    else if (draw < 80) beat()
    else if (draw < 83) network.cut(one, other)
    else if (draw < 88) network.heal(one, other)
    else if (draw < 91) network.break(one, other)
    else if (draw < 92) network.refuse(one)
    else if (draw < 94) network.storm([0, 3000])
    else if (draw < 97) network.calm()
    else if (node !== undefined) {
      world.kill(node)
      up.delete(one)
    } else up.set(one, await world.start(one))
    await world.wait(random.fraction() * 60)
  }
  network.calm()
  for (const host of hosts) if (!up.has(host)) up.set(host, await world.start(host))
  for (let i = 0; i < 100; i++) {
    beat()
    await world.wait(100)
  }
}

interface Sent {
  readonly from: Node
  readonly to: string
  readonly token: number
  readonly ms: number
}

t.test('whatever happens: in order, at most once, and who loses something is told afterwards', async t => {
  const sum = { sent: 0, arrived: 0, told: 0, refused: 0 }
  for (let run = 0; run < 40; run++) {
    const world = new TransportWorld(`${seed}/${run}`, { silenceMs: [600, 800], waitingBytesMax: 3000 })
    const sent: Sent[] = []
    await world.run(() => live(world, 300, sent))
    const arrived = new Set<number>()
    for (const node of world.nodes) {
      sum.told += node.unreachable.length
      sum.refused += node.refused.length
      const last = new Map<number, number>()
      for (const { message, partition, from } of node.delivered) {
        if (message.type !== 'readRequest' || partition !== 1) throw new Error('another message')
        if (from !== `${world.nodes[message.run]?.host}:1`) t.fail(`${from} is not where it comes from`)
        if (message.token <= (last.get(message.run) ?? 0)) {
          t.fail(`${run}: ${message.token} after ${last.get(message.run)} from process ${message.run}`)
        }
        last.set(message.run, message.token)
        arrived.add(message.token)
      }
    }
    const endMs = world.clock.monotonicMs()
    for (const { from, to, token, ms } of sent) {
      sum.sent++
      if (arrived.has(token)) sum.arrived++
      else if (!from.door.isDead && endMs - ms > 1100) {
        const isTold = from.unreachable.some(one => one.address === to && one.ms >= ms)
        if (!isTold)
          t.fail(`${run}: ${token} of process ${from.id} to ${to} at ${ms} was lost without a word`)
        if (endMs - ms < 4000) t.fail(`${run}: ${token} was lost long after the last fault`)
      }
    }
  }
  t.comment(JSON.stringify(sum))
  t.equal(sum.refused, 0)
  t.ok(sum.arrived > sum.sent / 2 && sum.arrived < sum.sent && sum.told > 500)
})

t.test('the same seed gives the same run', async t => {
  const story = async (name: string): Promise<string> => {
    const world = new TransportWorld(`${seed}/${name}`)
    await world.run(() => live(world, 100, []))
    return JSON.stringify(world.nodes.map(({ delivered, unreachable }) => [delivered, unreachable]))
  }
  t.equal(await story('one'), await story('one'))
  t.not(await story('one'), await story('other'))
})
