/** A node on whose disk there is no space, or that closes, while a snapshot takes the place of a replica. */
import t from 'tap'
import { must } from '../../../src/base/assert.js'
import { entryKinds, sealEntry } from '../../../src/base/entry.js'
import { SillokError } from '../../../src/base/errors.js'
import { encodeFacts } from '../../../src/codec/facts.js'
import type { Outbound, ReadRequest } from '../../../src/raft/messages.js'
import type { NodeReplicas } from '../../../src/replica/node-replicas.js'
import { seed } from '../../seed.js'
import { Parcel } from './parcel.js'
import { ReplicaNode } from './replica-node.js'

t.comment(`SEED=${seed}`)

/** Everything of the snapshot is here, and it is to be installed: what then? */
interface Moment {
  readonly node: ReplicaNode
  readonly replicas: NodeReplicas
  readonly install: () => void
  /** What it sent. */
  readonly sent: readonly Outbound[]
}

/** A replica that follows, with so many entries that no segment holds yet. */
async function withSnapshot(count: number, work: (moment: Moment) => Promise<void>): Promise<void> {
  const parcel = new Parcel(seed)
  await parcel.run(async (message, pieces) => {
    const { machine, clock } = parcel
    const sent: Outbound[] = []
    const send = (_: unknown, outbound: Outbound): void => void sent.push(outbound)
    const switchboard = { plug: () => {}, send, sendSnapshot: () => {} }
    const node = new ReplicaNode({ machine, clock, clusterEpoch: 1, switchboard })
    const replicas = await node.open()
    await replicas.place({ partition: 1, replica: 2, voters: [1, 2], cutBytes: parcel.opened.cutBytes })
    const { replica } = replicas.of(1)
    const entries = Array.from({ length: count }, (_, at) =>
      sealEntry(encodeFacts(0, []), { partition: 1, index: at + 1, term: 1, kind: entryKinds.facts }),
    )
    const append = { previousIndex: 0, previousTerm: 0, entries, commit: count } as const
    if (count > 0) replica.receive({ type: 'append', from: 1, to: 2, term: 1, ...append })
    await node.pass(1000)
    t.equal(replica.applied, count)
    const prepared = await parcel.takeAll(message, pieces, { folder: ReplicaNode.folder })
    const install = (): void => {
      t.ok(replica.receiveSnapshot({ ...message, term: Math.max(1, message.term) }, prepared))
    }
    await work({ node, replicas, install, sent })
  })
}

for (const count of [0, 5]) {
  t.test(`a full disk stops no installation, it waits for space: ${count} entries`, async t => {
    await withSnapshot(count, async ({ node, replicas, install }) => {
      node.machine.disk.setFull(true)
      install()
      await node.pass(5000)
      t.ok(replicas.of(1).isMoving)
      node.machine.disk.setFull(false)
      await node.pass(5000)
      t.notOk(replicas.of(1).isMoving)
      t.equal(replicas.of(1).opened.generation, 1)
      t.strictSame(await node.close(replicas), [])
      t.strictSame([...node.held, ...node.failures], [])
    })
  })

  t.test(`closing ends while an installation waits for space: ${count} entries`, async t => {
    await withSnapshot(count, async ({ node, replicas, install }) => {
      node.machine.disk.setFull(true)
      install()
      await node.pass(3000)
      const end = await Promise.race([node.close(replicas), node.pass(60_000).then(() => 'never')])
      t.strictSame(end, [])
      t.strictSame([...node.held, ...node.failures], [])
      node.machine.disk.setFull(false)
      const after = await node.open()
      t.strictSame(await node.close(after), [], 'what the next opening finds is whole')
    })
  })
}

t.test(
  'a replica for which there is no space when it is opened anew is tried until the node closes',
  async t => {
    await withSnapshot(5, async ({ node, replicas, install }) => {
      let tries = 0
      node.beforeStore(() => {
        tries += 1
        throw new SillokError('DISK_FULL', 'no space')
      })
      install()
      await node.pass(3500)
      t.equal(tries, 4)
      t.strictSame(await node.close(replicas), [])
      t.strictSame([...node.held, ...node.failures], [])
      await node.pass(10_000)
      t.equal(tries, 4)
      const after = await node.open()
      t.equal(after.of(1).opened.generation, 1, 'it counts')
      t.strictSame(await node.close(after), [])
    })
  },
)

t.test('an answer to a read from before the snapshot lets no read behind it pass', async t => {
  await withSnapshot(5, async ({ node, replicas, install, sent }) => {
    const asked = (): ReadRequest => {
      const request = sent.findLast(message => message.type === 'readRequest')
      return must(request, 'a read that was asked for')
    }
    const passed: string[] = []
    const read = async (name: string): Promise<void> => {
      const { replica } = replicas.of(1)
      const { term } = replica.group()
      replica.receive({ type: 'heartbeat', from: 1, to: 2, term, commit: 0, round: 1 })
      replica.readBarrier(error => passed.push(`${name} ${error?.code ?? 'passed'}`))
      await node.pass(10)
    }
    const answer = ({ run, token }: ReadRequest, index: number): void => {
      const { replica } = replicas.of(1)
      const { term } = replica.group()
      replica.receive({ type: 'readAnswer', from: 1, to: 2, term, run, token, index })
    }
    await read('before')
    const before = asked()
    install()
    await node.pass(1000)
    t.equal(replicas.of(1).opened.generation, 1)
    t.strictSame(passed, ['before LEADERSHIP_LOST'])
    await read('behind')
    const behind = asked()
    t.equal(behind.token, before.token, 'tokens begin anew')
    answer(before, 5)
    await node.pass(10)
    t.equal(passed.length, 1)
    answer(behind, 5)
    await node.pass(10)
    t.strictSame(passed.slice(1), ['behind passed'])
    t.strictSame(await node.close(replicas), [])
  })
})

t.test('a node that has stopped does not try any longer', async t => {
  await withSnapshot(0, async ({ node, replicas, install }) => {
    let tries = 0
    node.beforeStore(() => {
      tries += 1
      throw new SillokError('DISK_FULL', 'no space')
    })
    install()
    await node.pass(1500)
    replicas.of(1).close(new SillokError('DISK_FAILED', 'the node has stopped'))
    await node.pass(1500)
    const before = tries
    await node.pass(10_000)
    t.equal(tries, before)
    await node.close(replicas)
    t.strictSame(node.held, [])
  })
})

t.test('a snapshot that is installed at any moment of closing leaves nothing open', async t => {
  for (let place = 0; place < 20; place++) {
    await withSnapshot(5, async ({ node, replicas, install }) => {
      install()
      // At first in the same turn: nothing has ended for it yet.
      if (place > 0) await node.pass(place * 0.5)
      const errors = await node.close(replicas)
      t.strictSame([...errors, ...node.held, ...node.failures], [], `${place}`)
      const after = await node.open()
      t.strictSame(await node.close(after), [], 'what the next opening finds is whole')
    })
  }
})

t.test('a log that wants a file back on a full disk stops no node where a snapshot is installed', async t => {
  await withSnapshot(5, async ({ node, replicas, install }) => {
    node.machine.disk.setFull(true)
    replicas.release(1)
    await node.pass(3000)
    install()
    await node.pass(5000)
    t.strictSame(node.failures, [])
    node.machine.disk.setFull(false)
    await node.pass(5000)
    t.equal(replicas.of(1).opened.generation, 1)
    t.strictSame(await node.close(replicas), [])
    t.strictSame(node.failures, [])
  })
})
