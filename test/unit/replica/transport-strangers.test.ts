/** Whoever says something wrong is cut off and told of, and the node goes on. */
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import { decodeFrame, encodeFrame } from '../../../src/codec/frame.js'
import { encodeHello, type Hello } from '../../../src/replica/hello.js'
import { encodePeerMessage } from '../../../src/replica/message-codec.js'
import { seed } from '../../seed.js'
import { append, numbered, TransportWorld } from './transport-world.js'

t.comment(`SEED=${seed}`)

const hello: Hello = { purpose: 'messages', address: 'x:1', cluster: 'cluster', run: 1, number: 1 }

t.test('a node of another cluster gets nothing through, and does not come more and more often', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    const a = await world.start('a', 'cluster of a')
    const b = await world.start('b', 'cluster of b')
    for (let i = 0; i < 1000; i++) {
      a.transport.send('b:1', 1, numbered(0, i))
      await world.wait(10)
    }
    t.equal(b.delivered.length, 0)
    t.match(b.refused[0], /a:1 is of cluster cluster of a, this node of cluster of b/)
    t.ok(b.refused.length > 5 && b.refused.length < 25, `${b.refused.length} times in ten seconds`)
    t.ok(Math.abs(a.unreachable.length - b.refused.length) <= 1)
  })
})

t.test('whoever says something wrong is told of and cut off, and the others go on', async t => {
  const world = new TransportWorld(seed)
  const random = new Random(seed)
  const good = encodePeerMessage(1, numbered(0, 1))
  const flipped = Buffer.from(good)
  flipped[30] = (flipped[30] ?? 0) ^ 4
  const later = Buffer.from(decodeFrame(encodeHello(hello)).body)
  later.writeUInt16LE(2, 4)
  const torn = append(100)
  torn.entries[0]?.bytes.fill(1, 50)
  const said = encodeHello(hello)
  const wrong: [string, Buffer[], RegExp][] = [
    ['noise', [random.bytes(100)], /frame/],
    ['nothing', [Buffer.alloc(0)], /no whole head/],
    ['a message first', [good], /hello/],
    ['another version', [encodeFrame(0, 0, later)], /version 2, here is 1/],
    ['another cluster', [encodeHello({ ...hello, cluster: 'other' })], /cluster other, this node of cluster/],
    ['much', [encodeFrame(0, 0, Buffer.alloc(100_000))], /at most/],
    ['a flipped bit', [said, flipped], /body fails its check/],
    ['half a message', [said, good.subarray(0, -1)], /frame/],
    ['a second hello', [said, said], /kind 0/],
    ['another kind', [said, encodeFrame(99, 1, decodeFrame(good).body)], /kind 99/],
    ['a torn entry', [said, encodePeerMessage(1, torn)], /not whole/],
    ['noise behind', [said, good, random.bytes(60)], /frame/],
  ]
  await world.run(async () => {
    const [a, b] = [await world.start('a'), await world.start('b')]
    for (const [name, messages, reason] of wrong) {
      const { connection, closed } = await world.stranger('b:1')
      for (const message of messages) connection.send(message)
      connection.send(good)
      connection.send(good)
      a.transport.send('b:1', 1, numbered(0, 1))
      await world.wait(20)
      t.ok(closed(), name)
      t.equal(b.refused.length, 1, name)
      t.match(b.refused.pop(), reason, name)
    }
    t.equal(world.tokens(b, 'x').length, 1, 'of all that only what was right was taken')
    t.equal(world.tokens(b, 'a').length, wrong.length)
    t.equal(a.unreachable.length, 0)
  })
})

t.test('who does not say who it is in some seconds is cut off', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    const b = await world.start('b')
    const [mute, polite] = [await world.stranger('b:1'), await world.stranger('b:1')]
    polite.connection.send(encodeHello(hello))
    await world.wait(4900)
    t.notOk(mute.closed())
    await world.wait(200)
    t.ok(mute.closed())
    t.notOk(polite.closed())
    t.same(b.refused, ['it does not say who it is'])
  })
})

t.test('whoever answers on a connection that carries messages out ends it', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    const a = await world.start('a')
    const door = world.network.process('b')
    let ended = 0
    await door.listen('b:1', connection => {
      connection.onMessage(() => connection.send(encodePeerMessage(1, numbered(0, 1))))
      connection.onClose(() => ended++)
    })
    a.transport.send('b:1', 1, numbered(0, 1))
    await world.wait(20)
    t.equal(ended, 1)
    t.equal(a.delivered.length, 0)
    t.equal(a.unreachable.length, 1)
  })
})

t.test('so many connections are held, one more is closed, and there is room when one ends', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    const b = await world.start('b')
    const all = []
    for (let i = 0; i < limits.connectionsMax; i++) {
      const one = await world.stranger('b:1')
      one.connection.send(encodeHello({ ...hello, address: `x:${i}` }))
      all.push(one)
    }
    await world.wait(10)
    t.ok(all.every(one => !one.closed()))
    const more = await world.stranger('b:1')
    await world.wait(10)
    t.ok(more.closed())
    t.same(b.refused, [`${limits.connectionsMax} connections from others are open`])
    all[7]?.connection.close()
    await world.wait(10)
    const next = await world.stranger('b:1')
    await world.wait(10)
    t.notOk(next.closed())
  })
})

t.test(
  'of the connections that one run of a node made the newest counts, whichever is heard first',
  async t => {
    const world = new TransportWorld(seed)
    await world.run(async () => {
      const b = await world.start('b')
      const say = async (run: number, number: number, address = 'x:1') => {
        const one = await world.stranger('b:1')
        one.connection.send(encodeHello({ ...hello, address, run, number }))
        await world.wait(10)
        return one
      }
      const other = await say(1, 0, 'y:1')
      const second = await say(1, 2)
      const first = await say(1, 1)
      t.same([first.closed(), second.closed()], [true, false])
      const third = await say(1, 3)
      t.same([second.closed(), third.closed()], [true, false])
      const restarted = await say(2, 0)
      t.same([third.closed(), restarted.closed()], [true, false])
      t.notOk(other.closed())
      t.same(b.refused, [])
    })
  },
)
