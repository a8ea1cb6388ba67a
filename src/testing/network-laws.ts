/** The laws of the door to other nodes, for every implementation. */
import assert from 'node:assert/strict'
import { limits } from '../base/limits.js'
import type { Random } from '../base/random.js'
import type { Connection, Listener, Network } from '../env/network.js'
import type { Law } from './law.js'

/** Two doors, and the time that they live in. */
export interface NetworkSubject {
  readonly near: Network
  readonly far: Network
  /** Where `far` may listen. */
  readonly host: string
  /** Resolves after that time. */
  wait(ms: number): Promise<void>
  /** Longer than it takes until a side counts as gone. */
  readonly silenceMs: number
  readonly random: Random
}

interface Pair {
  readonly listener: Listener
  readonly near: Connection
  readonly far: Connection
}

/** A connection whose far side is left alone until `use` has it. */
async function connected({ near, far, host }: NetworkSubject): Promise<Pair> {
  let accept: (connection: Connection) => void = () => {}
  const accepted = new Promise<Connection>(resolve => {
    accept = resolve
  })
  const listener = await far.listen(`${host}:0`, accept)
  const connection = await near.connect(listener.address)
  return { listener, near: connection, far: await accepted }
}

const closed = (connection: Connection): Promise<void> => new Promise(resolve => connection.onClose(resolve))

/** Reads on for ever; answers what has come so far. */
function read(connection: Connection): Buffer[] {
  const seen: Buffer[] = []
  connection.onMessage(message => seen.push(message))
  return seen
}

async function until(world: NetworkSubject, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !condition(); i++) await world.wait(5)
}

/** What every network keeps. */
export const networkLaws: readonly Law<NetworkSubject>[] = [
  {
    title: 'messages cross a connection whole, in order, both ways',
    async check(world) {
      const { listener, near, far } = await connected(world)
      assert.equal(near.remote, listener.address)
      const sizes = [
        0,
        1,
        70_000,
        limits.walBatchBytesMax,
        ...Array.from({ length: 50 }, () => world.random.below(200)),
      ]
      const sent = sizes.map(size => (size > 1000 ? Buffer.alloc(size, size) : world.random.bytes(size)))
      const [here, there] = [read(near), read(far)]
      for (const message of sent) {
        assert.ok(near.send(message))
        assert.ok(far.send(message))
      }
      await until(world, () => here.length + there.length === 2 * sent.length)
      for (const seen of [here, there]) assert.ok(seen.every((message, i) => sent[i]?.equals(message)))
      assert.equal(here.length + there.length, 2 * sent.length)
      await listener.close()
    },
  },
  {
    title: 'what is sent before the other side reads waits for it',
    async check(world) {
      const { listener, near, far } = await connected(world)
      far.send(Buffer.from('first'))
      near.send(Buffer.from('one'))
      await world.wait(50)
      far.send(Buffer.from('second'))
      const [here, there] = [read(near), read(far)]
      await until(world, () => here.length === 2 && there.length === 1)
      assert.equal(here.join(), 'first,second')
      assert.equal(there.join(), 'one')
      await listener.close()
    },
  },
  {
    title: 'a close is heard by both sides, also by who asks later, and nothing is taken after it',
    async check(world) {
      const { listener, near, far } = await connected(world)
      read(near)
      read(far)
      let calls = 0
      const both = Promise.all([near, far].map(closed))
      near.onClose(() => calls++)
      near.close()
      assert.equal(calls, 0, 'not in the same turn')
      assert.ok(!near.send(Buffer.from('a')))
      await both
      near.close()
      far.close()
      await Promise.all([near, far].map(closed))
      await world.wait(20)
      assert.equal(calls, 1)
      for (const side of [near, far]) assert.ok(!side.send(Buffer.from('a')))
      await listener.close()
    },
  },
  {
    title: 'after a close no message comes any more, also if many are there',
    async check(world) {
      const { listener, near, far } = await connected(world)
      let seen = 0
      for (let i = 0; i < 100; i++) near.send(Buffer.from(`${i}`))
      await world.wait(50)
      far.onMessage(() => {
        seen++
        if (seen === 3) far.close()
      })
      read(near)
      await Promise.all([closed(near), closed(far)])
      assert.equal(seen, 3)
      far.onMessage(() => seen++)
      await world.wait(20)
      assert.equal(seen, 3)
      await listener.close()
    },
  },
  {
    title: 'what arrives before a close is a beginning of what was sent',
    async check(world) {
      for (let round = 0; round < 5; round++) {
        const { listener, near, far } = await connected(world)
        const seen = read(far)
        read(near)
        for (let i = 0; i < 200; i++) near.send(Buffer.from(`${i}`))
        if (round > 0) await world.wait(round - 1)
        near.close()
        await closed(far)
        assert.ok(seen.every((message, i) => message.toString() === `${i}`))
        await listener.close()
      }
    },
  },
  {
    title: 'a close that came before somebody reads is heard then',
    async check(world) {
      const { listener, near, far } = await connected(world)
      const end = closed(near)
      far.close()
      await world.wait(50)
      assert.deepEqual(read(near), [])
      await end
      await listener.close()
    },
  },
  {
    title: 'who does not read counts as gone, who reads does not, though nothing is said',
    async check(world) {
      const [mute, quiet] = [await connected(world), await connected(world)]
      let ends = 0
      for (const side of [quiet.near, quiet.far]) {
        read(side)
        side.onClose(() => ends++)
      }
      read(mute.far)
      await closed(mute.far)
      await world.wait(world.silenceMs)
      assert.equal(ends, 0)
      assert.ok(quiet.near.send(Buffer.from('still here')))
      await mute.listener.close()
      await quiet.listener.close()
    },
  },
  {
    title: 'a connection takes no more than its budget, and again when there is room',
    async check(world) {
      const { listener, near, far } = await connected(world)
      const piece = Buffer.alloc(1024 * 1024)
      let taken = 0
      while (taken < 100 && near.send(piece)) taken++
      const most = Math.floor(limits.connectionBytesMax / piece.length)
      assert.ok(taken >= most - 2 && taken <= most + 2, `${taken} MiB were taken in one turn`)
      let received = 0
      far.onMessage(message => {
        received += message.length
      })
      await until(world, () => received === taken * piece.length)
      assert.equal(received, taken * piece.length)
      await until(world, () => near.send(piece))
      await until(world, () => received === (taken + 1) * piece.length)
      assert.equal(received, (taken + 1) * piece.length)
      await listener.close()
    },
  },
  {
    title: 'a message over the limit closes the connection and does not arrive',
    async check(world) {
      const { listener, near, far } = await connected(world)
      read(near)
      const seen = read(far)
      near.send(Buffer.alloc(limits.walBatchBytesMax + 1))
      await Promise.all([closed(near), closed(far)])
      assert.equal(seen.length, 0)
      await listener.close()
    },
  },
  {
    title: 'a listener that closes takes its connections with it, and nobody answers there',
    async check(world) {
      const { listener, near, far } = await connected(world)
      read(near)
      const ends = Promise.all([closed(near), closed(far)])
      await listener.close()
      await ends
      await assert.rejects(world.near.connect(listener.address), { code: 'UNAVAILABLE' })
      const again = await world.far.listen(listener.address, connection => read(connection))
      await listener.close()
      assert.equal(again.address, listener.address)
      const connection = await world.near.connect(again.address)
      connection.close()
      await again.close()
    },
  },
  {
    title: 'an address is listened at once, and only on the own host',
    async check(world) {
      const { listener } = await connected(world)
      await assert.rejects(
        world.far.listen(listener.address, () => {}),
        { code: 'UNAVAILABLE' },
      )
      const other = await world.far.listen(`${world.host}:0`, () => {})
      assert.notEqual(other.address, listener.address)
      await assert.rejects(
        world.far.listen('192.0.2.1:7000', () => {}),
        { code: 'UNAVAILABLE' },
      )
      await listener.close()
      await other.close()
    },
  },
  {
    title: 'what is no address is a RangeError',
    async check(world) {
      for (const address of [
        '',
        'host',
        ':1',
        'host:',
        'host:65536',
        'host:-1',
        'host:1.5',
        'a b:1',
        'a/b:1',
        '::1:1',
      ]) {
        await assert.rejects(world.near.connect(address), RangeError, address)
        await assert.rejects(
          world.far.listen(address, () => {}),
          RangeError,
          address,
        )
      }
    },
  },
]
