/** Messages between nodes arrive in order, and a transport that is closed says and hears nothing more. */
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import type { Connection, Network } from '../../../src/env/network.js'
import { RealClock } from '../../../src/env/real-clock.js'
import { RealNetwork } from '../../../src/env/real-network.js'
import type { PeerMessage } from '../../../src/raft/messages.js'
import { decodeHello, encodeHello, type Hello } from '../../../src/replica/hello.js'
import { Transport } from '../../../src/replica/transport.js'
import { seed } from '../../seed.js'
import { append, noIntake, numbered, TransportWorld } from './transport-world.js'

t.comment(`SEED=${seed}`)

const hello: Hello = { purpose: 'messages', address: 'x:1', cluster: 'cluster', run: 1, number: 1 }

t.test('messages arrive whole, in order, with the address of their sender, both ways', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    const [a, b] = [await world.start('a'), await world.start('b')]
    const messages: PeerMessage[] = [
      append(100),
      numbered(0, 1),
      append(limits.entryBytesMax),
      numbered(0, 2),
    ]
    for (const message of messages) {
      a.transport.send('b:1', 1, message)
      b.transport.send('a:1', 1, message)
    }
    await world.wait(100)
    for (const [node, from] of [
      [a, 'b:1'],
      [b, 'a:1'],
    ] as const) {
      t.equal(node.delivered.length, 4)
      t.ok(node.delivered.every(one => one.from === from && one.partition === 1))
      t.ok(node.delivered.every((one, i) => isDeepStrictEqual(one.message, messages[i])))
      t.same([node.unreachable, node.refused], [[], []])
    }
  })
})

t.test('a connection is made when there is something to say, and stays', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    const door = world.network.process('b')
    const accepted: string[][] = []
    const accept = (connection: Connection): void => {
      const seen: string[] = []
      accepted.push(seen)
      connection.onMessage(bytes => seen.push(seen.length === 0 ? decodeHello(bytes).address : 'message'))
    }
    const a = await world.start('a')
    await door.listen('b:1', accept)
    await world.wait(1000)
    t.equal(accepted.length, 0)
    for (let i = 0; i < 5; i++) {
      a.transport.send('b:1', 1, numbered(0, i))
      await world.wait(1000)
    }
    t.same(accepted, [['a:1', ...Array(5).fill('message')]])
  })
})

t.test(
  'who is silent for a minute closes its connection, without being told of it, and may speak again',
  async t => {
    const world = new TransportWorld(seed)
    await world.run(async () => {
      const [a, b] = [await world.start('a'), await world.start('b')]
      a.transport.send('b:1', 1, numbered(0, 1))
      await world.wait(40_000)
      a.transport.send('b:1', 1, numbered(0, 2))
      await world.wait(40_000)
      const { connection } = await world.stranger('b:1')
      connection.send(encodeHello({ ...hello, address: 'a:1' }))
      await world.wait(5)
      t.equal(a.unreachable.length, 1, 'it stood: another one that claims the name ended it')
      a.transport.send('b:1', 1, numbered(0, 3))
      await world.wait(61_000)
      const other = await world.stranger('b:1')
      other.connection.send(encodeHello({ ...hello, address: 'a:1', number: 2 }))
      await world.wait(5)
      t.equal(a.unreachable.length, 1, 'it did not stand any more')
      a.transport.send('b:1', 1, numbered(0, 4))
      await world.wait(5)
      t.same(world.tokens(b, 'a'), [1, 2, 3, 4])
    })
  },
)

t.test('each connection of a run has a greater number than the one before, each run a name', async t => {
  const world = new TransportWorld(seed)
  const runs = new Set<number | undefined>()
  await world.run(async () => {
    const hellos: Hello[] = []
    for (const host of ['b', 'c']) {
      await world.network.process(host).listen(`${host}:1`, connection => {
        connection.onMessage(message => {
          hellos.push(decodeHello(message))
          connection.close()
        })
      })
    }
    for (let run = 0; run < 2; run++) {
      const a = await world.start('a')
      for (let i = 0; i < 5; i++) {
        for (const host of ['b', 'c']) a.transport.send(`${host}:1`, 1, numbered(0, i))
        await world.wait(3000)
      }
      await a.transport.close()
      const own = hellos.splice(0)
      t.equal(own.length, 10)
      t.equal(new Set(own.map(one => one.run)).size, 1)
      t.ok(own.every((one, i) => one.address === 'a:1' && (i < 2 || one.number > (own[i - 2]?.number ?? 0))))
      runs.add(own[0]?.run)
    }
    t.equal(runs.size, 2)
  })
})

t.test('a closed transport says and hears nothing more, and its address is free', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    const [a, b, c] = [await world.start('a'), await world.start('b'), await world.start('c')]
    a.transport.send('b:1', 1, numbered(0, 1))
    b.transport.send('a:1', 1, numbered(0, 1))
    await world.wait(10)
    c.transport.send('a:1', 1, numbered(0, 1))
    a.transport.send('c:1', 1, numbered(0, 1))
    b.transport.send('a:1', 1, numbered(0, 2))
    const [deaf, mute] = [a.delivered.length, a.unreachable.length]
    await a.transport.close()
    await a.transport.close()
    a.transport.send('b:1', 1, numbered(0, 2))
    await world.wait(10_000)
    t.equal(a.delivered.length, deaf)
    t.equal(a.unreachable.length, mute)
    t.same(world.tokens(b, 'a'), [1])
    t.same(world.tokens(c, 'a'), [])
    t.equal(b.unreachable.length, 1)
    const again = await world.start('a')
    b.transport.send('a:1', 1, numbered(0, 3))
    await world.wait(1000)
    t.same(world.tokens(again, 'b'), [3])
  })
})

t.test('what is under way when a transport is closed comes to nothing', async t => {
  const world = new TransportWorld(seed, { latencyMs: [1, 1] })
  await world.run(async () => {
    const door = world.network.process('b')
    const [seen, ended]: [string[], number[]] = [[], []]
    await door.listen('b:1', connection => {
      connection.onMessage(message => seen.push(message.toString('hex')))
      connection.onClose(() => ended.push(world.clock.monotonicMs()))
    })
    const connecting = await world.start('a')
    connecting.transport.send('b:1', 1, numbered(0, 1))
    await world.wait(1.5)
    await connecting.transport.close()
    await world.wait(10)
    t.same([seen.length, ended.length], [0, 1], 'a connection that is being made')
    const speaking = await world.start('a')
    speaking.transport.send('b:1', 1, numbered(0, 1))
    await world.wait(10)
    await speaking.transport.close()
    await world.wait(10)
    t.same([seen.length, ended.length], [2, 2], 'one that stands')
    const pausing = await world.start('a')
    world.network.refuse('b')
    pausing.transport.send('b:1', 1, numbered(0, 1))
    await world.wait(10)
    world.network.admit('b')
    pausing.transport.send('b:1', 1, numbered(0, 2))
    await pausing.transport.close()
    const asked: string[] = []
    pausing.door.connect = address => {
      asked.push(address)
      return new Promise(() => {})
    }
    await world.wait(1000)
    t.same(asked, [], 'one that is to be made')
    const full = await world.start('a')
    for (let i = 0; i < 10; i++) full.transport.send('b:1', 1, append(2 ** 20))
    await full.transport.close()
    await world.wait(1000)
    t.same(full.unreachable, [], 'word that too much waits')
  })
})

t.test('a transport that is closed before it listens does not', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    const network = world.network.process('d')
    const late = new Transport({ ...options(world), address: 'd:1', network })
    const listening = late.listen()
    await late.close()
    await listening
    const free = new Transport({ ...options(world), address: 'd:1', network })
    await free.listen()
    const other = new Transport({ ...options(world), address: 'd:1', network })
    await t.rejects(other.listen(), { code: 'UNAVAILABLE' })
    const accepts: ((connection: Connection) => void)[] = []
    const slow: Network = {
      listen: (_, accept) => new Promise(() => accepts.push(accept)),
      connect: () => new Promise(() => {}),
    }
    const closed = new Transport({ ...options(world), address: 'd:1', network: slow })
    void closed.listen()
    await closed.close()
    let ends = 0
    const ignore = (): void => {}
    const close = (): void => {
      ends++
    }
    accepts[0]?.({ remote: 'x:1', send: () => true, onMessage: ignore, onClose: ignore, close })
    t.equal(ends, 1)
  })
})

function options(world: TransportWorld) {
  const ignore = (): void => {}
  const { clock, random } = world
  const told = { deliver: ignore, unreachable: ignore, refused: ignore, asked: ignore, intake: noIntake }
  return { clock, random, cluster: 'cluster', ...told }
}

t.test('with port 0 it says the port that it got', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    const b = await world.start('b')
    const transport = new Transport({
      ...options(world),
      address: 'a:0',
      network: world.network.process('a'),
    })
    await transport.listen()
    t.match(transport.address, /^a:[1-9]/)
    transport.send('b:1', 1, numbered(0, 1))
    await world.wait(10)
    t.equal(b.delivered[0]?.from, transport.address)
  })
})

t.test('over real connections: large and small, through a restart of the other side', async t => {
  const network = new RealNetwork()
  const told: string[] = []
  const start = async (address: string, deliver: (message: PeerMessage) => void): Promise<Transport> => {
    const transport = new Transport({
      network,
      clock: new RealClock(),
      random: new Random(address),
      address,
      cluster: 'cluster',
      deliver: (_, message) => deliver(message),
      asked: () => t.fail('nobody asks'),
      intake: noIntake,
      unreachable: where => told.push(where),
      refused: reason => t.fail(reason),
    })
    await transport.listen()
    return transport
  }
  const until = async (condition: () => boolean): Promise<void> => {
    for (let i = 0; i < 1000 && !condition(); i++) await new Promise(resolve => setTimeout(resolve, 10))
  }
  const [here, there]: [PeerMessage[], PeerMessage[]] = [[], []]
  const a = await start('127.0.0.1:0', message => here.push(message))
  const b = await start('127.0.0.1:0', message => there.push(message))
  const messages = [numbered(0, 1), append(limits.entryBytesMax), append(2 ** 20), numbered(0, 2)]
  for (const message of messages) {
    a.send(b.address, 1, message)
    b.send(a.address, 1, message)
  }
  await until(() => here.length === 4 && there.length === 4)
  t.ok(isDeepStrictEqual([here, there], [messages, messages]))
  t.same(told, [])
  await b.close()
  await until(() => told.length > 0)
  t.same(told, [b.address])
  a.send(b.address, 1, numbered(0, 3))
  await until(() => told.length > 1)
  t.same(told, [b.address, b.address], 'nobody listens there')
  const again = await start(b.address, message => there.push(message))
  a.send(b.address, 1, numbered(0, 4))
  await until(() => there.length === 5)
  t.same(there[4], numbered(0, 4))
  await Promise.all([a.close(), again.close()])
})
