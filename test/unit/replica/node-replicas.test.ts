/** Which replicas a node holds is durable before anybody hears of one, and no id is ever given twice. */
import t from 'tap'
import type { NodeReplicas } from '../../../src/replica/node-replicas.js'
import type { OpenedReplica } from '../../../src/replica/open-replica.js'
import { seed } from '../../seed.js'
import { codeOf } from '../store/code-of.js'
import { machineOf, ReplicaNode } from './replica-node.js'

t.comment(`SEED=${seed}`)

const newNode = (own = ''): ReplicaNode => new ReplicaNode(machineOf(`${seed} ${own}`))

function held(replicas: NodeReplicas): readonly (readonly [number, number])[] {
  return replicas.here.map(({ id, opened }) => [id, opened.replicaId])
}

const placement = { partition: 1, replica: 7, voters: [1, 2, 3], cutBytes: 6000 }

t.test('a founder holds its replicas from the first start on; nobody else holds any', async t => {
  const [founder, other] = [newNode(), newNode()]
  await founder.clock.run(async () => {
    const replicas = await founder.open({ replica: 1, voters: [1, 2, 3] })
    t.strictSame(held(replicas), [
      [0, 1],
      [1, 1],
    ])
    t.ok(replicas.areAllHere)
    founder.machine.crash('none')
    t.strictSame(held(await founder.open()).length, 2, 'its log says so, whatever it is told later')
    founder.machine.crash('none')
    const again = await founder.open({ replica: 9, voters: [9] })
    t.strictSame(held(again)[0], [0, 1], 'and no other founding counts')
  })
  await other.clock.run(async () => {
    const replicas = await other.open()
    t.strictSame(held(replicas), [])
    t.equal(replicas.areAllHere, false)
    t.equal(replicas.of(1).isHere, false)
  })
})

t.test('a replica that is placed is durable, follows nobody yet, and has no vote', async t => {
  const node = newNode()
  await node.clock.run(async () => {
    const replicas = await node.open()
    await replicas.place(placement)
    node.machine.crash('none')
    const after = await node.open()
    t.strictSame(held(after), [[1, 7]])
    t.strictSame(after.of(1).replica.group().configuration.voters, [1, 2, 3])
    for (let tick = 0; tick < 100; tick++) after.of(1).replica.tick()
    const { role, term } = after.of(1).replica.group()
    t.strictSame([role, term], ['follower', 0])
    t.equal(after.of(1).opened.cutBytes, 6000)
  })
})

t.test('the same placement again changes nothing, another one is refused', async t => {
  const node = newNode()
  await node.clock.run(async () => {
    const replicas = await node.open()
    await replicas.place(placement)
    const { opened } = replicas.of(1)
    await replicas.place(placement)
    t.equal(replicas.of(1).opened, opened)
    await t.rejects(replicas.place({ ...placement, replica: 8 }), { code: 'INVALID', outcome: 'not-applied' })
    await replicas.place({ ...placement, partition: 0 })
    t.ok(replicas.areAllHere)
    t.strictSame(await node.close(replicas), [])
    t.strictSame(node.held, [])
  })
  t.strictSame(node.failures, [])
})

t.test('a placement that is cut short at any operation is there whole or not at all', async t => {
  const whole = newNode()
  let operations = 0
  await whole.clock.run(async () => {
    const replicas = await whole.open()
    const before = whole.machine.disk.operations
    await replicas.place(placement)
    operations = whole.machine.disk.operations - before
  })
  t.ok(operations > 3)
  const found = new Set<string>()
  for (let operation = 1; operation <= operations; operation++) {
    for (const mode of ['all', 'none', 'any'] as const) {
      const node = newNode(`${operation} ${mode}`)
      await node.clock.run(async () => {
        const replicas = await node.open()
        node.machine.crashAt(operation, mode)
        const { crashed } = node.machine.disk
        await Promise.race([replicas.place(placement), crashed])
        node.machine.crash(mode)
        const after = await node.open()
        found.add(JSON.stringify(held(after)))
        await after.place(placement)
        if (held(after).join() !== '1,7') t.fail(`after operation ${operation}: ${held(after)}`)
      })
    }
  }
  t.strictSame([...found].sort(), ['[[1,7]]', '[]'])
})

t.test('a placement while the node closes is durable or refused, and nothing of it stays open', async t => {
  const found = new Set<string>()
  for (let place = 0; place < 12; place++) {
    const node = newNode()
    await node.clock.run(async () => {
      const replicas = await node.open()
      const placing = codeOf(replicas.place(placement))
      await node.pass(place * 0.25)
      t.strictSame(await node.close(replicas), [])
      const ends = [await placing, await codeOf(replicas.place({ ...placement, partition: 0 }))]
      t.strictSame(node.held, [], `${place}`)
      const after = await node.open()
      found.add(`${ends} ${JSON.stringify(held(after))}`)
      await node.close(after)
    })
    t.strictSame(node.failures, [])
  }
  t.strictSame([...found], ['done,CLOSED [[1,7]]'])
})

t.test('closing ends while a placement waits for space', async t => {
  const node = newNode()
  await node.clock.run(async () => {
    const replicas = await node.open()
    node.machine.disk.setFull(true)
    const placing = codeOf(replicas.place(placement))
    await node.pass(3000)
    t.strictSame(await Promise.race([node.close(replicas), node.pass(60_000)]), [])
    t.equal(await placing, 'CLOSED_WHILE_WAITING')
    t.strictSame([...node.held, ...node.failures], [])
  })
})

t.test('a replica hears of others when all are open and it starts, not before', async t => {
  const plugged: string[] = []
  let node = newNode()
  const plug = ({ replica }: OpenedReplica): void => {
    plugged.push(
      `${replica.partition} with ${node.held.filter(name => name.includes('/state')).length} stores`,
    )
  }
  node = new ReplicaNode({ ...machineOf(seed), switchboard: { plug, send: () => {} } })
  await node.clock.run(async () => {
    const replicas = await node.open({ replica: 1, voters: [1, 2, 3] })
    t.strictSame(plugged, ['0 with 2 stores', '1 with 2 stores'])
    await node.close(replicas)
  })
  t.strictSame(node.failures, [])
})
