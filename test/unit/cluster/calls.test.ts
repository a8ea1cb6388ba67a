/** Calls over simulated cables: each is answered once, or its caller is told what may have become of it. */
import t from 'tap'
import { isSillokError, SillokError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import { type AnswerCall, CallServer } from '../../../src/cluster/call-server.js'
import { Caller } from '../../../src/cluster/caller.js'
import { encodeHello } from '../../../src/replica/hello.js'
import { seed } from '../../seed.js'
import { type Node, noIntake, TransportWorld } from '../replica/transport-world.js'

t.comment(`SEED=${seed}`)

/** A node that answers so. */
function answering(world: TransportWorld, answer: AnswerCall): Promise<Node> {
  return world.start('b', 'cluster', noIntake, connection => new CallServer(connection, answer))
}

function callerIn(world: TransportWorld, cluster?: string): Caller {
  return new Caller({ network: world.network.process('a'), clock: world.clock, address: 'b:1', cluster })
}

/** How a call ended: the value, or code and outcome. */
function end(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: unknown) => {
    if (isSillokError(error)) return [error.code, error.outcome]
    throw error
  })
}

t.test('calls are answered beside each other, also over another connection after one was lost', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    await answering(world, async (method, argument) => {
      await world.wait(argument === 'slow' ? 50 : 1)
      return [method, argument]
    })
    const caller = callerIn(world)
    const order: unknown[] = []
    const call = async (argument: string): Promise<void> => {
      order.push(await caller.call('echo', argument, 1000))
    }
    await Promise.all([call('slow'), call('quick')])
    t.strictSame(order, [
      ['echo', 'quick'],
      ['echo', 'slow'],
    ])
    const slow = end(caller.call('echo', 'slow', 1000))
    await world.wait(20)
    world.network.break('a', 'b')
    t.strictSame(await slow, ['UNAVAILABLE', 'unknown'], 'it may have been done')
    t.strictSame(await caller.call('echo', 'again', 1000), ['echo', 'again'])
    caller.close()
    t.strictSame(await end(caller.call('echo', 'late', 1000)), ['CLOSED', 'not-applied'])
  })
})

t.test('a refusal comes as it is; what befell the other node did not befall this one', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    await answering(world, async method => {
      if (method === 'bug') throw new TypeError('a bug')
      throw new SillokError(method as 'CLOSED', 'no')
    })
    const caller = callerIn(world)
    t.strictSame(await end(caller.call('NOT_FOUND', 0, 1000)), ['NOT_FOUND', 'not-applied'])
    t.strictSame(await end(caller.call('CLOSED', 0, 1000)), ['UNAVAILABLE', 'not-applied'])
    t.strictSame(await end(caller.call('bug', 0, 1000)), ['UNAVAILABLE', 'unknown'])
    caller.close()
  })
})

t.test(
  'a call that is not answered ends at its deadline, and one that never left is not applied',
  async t => {
    const world = new TransportWorld(seed)
    await world.run(async () => {
      const nobody = callerIn(world)
      t.strictSame(await end(nobody.call('echo', 0, 20_000)), ['UNAVAILABLE', 'not-applied'])
      let isForgotten: (() => boolean) | undefined
      const node = await answering(world, (_, __, forgotten) => {
        isForgotten = forgotten
        return new Promise(() => {})
      })
      const caller = callerIn(world)
      const fromMs = world.clock.monotonicMs()
      t.strictSame(await end(caller.call('echo', 0, 300)), ['TIMED_OUT', 'unknown'])
      t.equal(Math.round(world.clock.monotonicMs() - fromMs), 300)
      t.equal(isForgotten?.(), false)
      caller.close()
      await world.wait(100)
      t.equal(isForgotten?.(), true, 'the node hears that nobody waits')
      t.strictSame(node.refused, [])
    })
  },
)

t.test('a node of another cluster does not answer, nor one that answers no calls', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    const node = await answering(world, async () => 'hello')
    t.equal(await end(callerIn(world, 'cluster').call('m', 0, 1000)), 'hello')
    t.strictSame(await end(callerIn(world, 'other').call('m', 0, 1000)), ['UNAVAILABLE', 'unknown'])
    t.strictSame(node.refused, ['a caller is of cluster other, this node of cluster'])
    const silent = await world.start('c')
    const { network, clock } = { network: world.network.process('a'), clock: world.clock }
    const caller = new Caller({ network, clock, address: 'c:1' })
    t.strictSame(await end(caller.call('m', 0, 1000)), ['UNAVAILABLE', 'unknown'])
    t.strictSame(silent.refused, ['this node answers no calls'])
  })
})

t.test(
  'more calls at a time than are allowed are refused, and who says something wrong is cut off',
  async t => {
    const world = new TransportWorld(seed)
    await world.run(async () => {
      const node = await answering(world, () => world.wait(100))
      const caller = callerIn(world)
      const calls = Array.from({ length: limits.callsMax + 1 }, () => end(caller.call('m', 0, 1000)))
      const ends = await Promise.all(calls)
      t.strictSame(ends.slice(-1), [['OVERLOADED', 'not-applied']])
      t.ok(ends.slice(0, -1).every(one => one === null))
      const { connection, closed } = await world.stranger('b:1')
      connection.send(encodeHello({ purpose: 'calls', address: '', cluster: '', run: 0, number: 0 }))
      connection.send(Buffer.from('junk'))
      await world.wait(20)
      t.ok(closed())
      t.equal(node.refused.length, 1)
      t.equal(await end(caller.call('m', 0, 1000)), null, 'the others go on')
    })
  },
)
