/** Of the snapshots for a replica one comes in at a time: the newest that its senders have not given up. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import type { InstallSnapshot } from '../../../src/raft/messages.js'
import type { OpenedReplica } from '../../../src/replica/open-replica.js'
import { SnapshotIntakes } from '../../../src/replica/snapshot-intakes.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'

const configuration = { voters: [1, 2], outgoing: [], learners: [], learnersNext: [], autoLeave: false }

function messageOf(term: number, to = 2): InstallSnapshot {
  const snapshot = { index: 9, term: 1, configuration, configurationIndex: 0 }
  return { type: 'installSnapshot', from: 1, to, term, snapshot }
}

async function world(
  work: (intakes: SnapshotIntakes, folders: () => Promise<readonly string[]>) => Promise<void>,
): Promise<void> {
  const clock = new SimClock()
  const { disk } = new SimMachine({ clock, random: new Random('intakes') }).environment
  const into = { replicaId: 2, cutBytes: 1000, generation: 4 } as OpenedReplica
  const intakes = new SnapshotIntakes({
    disk,
    clock,
    folder: 'node',
    clusterEpoch: 1,
    replicaOf: partition => (partition === 1 ? into : undefined),
    installing: () => t.fail('nothing is whole'),
    failed: error => t.fail(String(error)),
  })
  await clock.run(async () => {
    await disk.makeFolder('node')
    await work(intakes, () => disk.list('node'))
  })
}

t.test(
  'a newer one takes the place of one that is still coming, of the same leader or a later one',
  async t => {
    await world(async (intakes, folders) => {
      for (const term of [3, 3, 5]) {
        const intake = await intakes.begin(1, messageOf(term))
        await intake.take({ type: 'cut', term: 1 })
        t.strictSame(await folders(), ['1-2.5'])
        const next = await intakes.begin(1, messageOf(term))
        await t.rejects(intake.take({ type: 'state', bytes: Buffer.alloc(1) }), { code: 'UNAVAILABLE' })
        await intake.abandon()
        t.strictSame(await folders(), ['1-2.5'], 'what is given up late takes nothing from the newer one')
        await next.take({ type: 'cut', term: 1 })
      }
    })
  },
)

t.test('one of an earlier leader is refused, and so is any while one is being taken over', async t => {
  await world(async intakes => {
    const intake = await intakes.begin(1, messageOf(5))
    await t.rejects(intakes.begin(1, messageOf(4)), { code: 'OVERLOADED' })
    const finished = intake.finish()
    await t.rejects(intakes.begin(1, messageOf(9)), { code: 'OVERLOADED' })
    await t.rejects(finished, { name: 'SillokError' })
    await intake.abandon()
    await (await intakes.begin(1, messageOf(4))).abandon()
  })
})

t.test('of several that come at once one is taken in', async t => {
  await world(async intakes => {
    await intakes.begin(1, messageOf(2))
    const begun = await Promise.allSettled([3, 3, 3].map(term => intakes.begin(1, messageOf(term))))
    t.strictSame(begun.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected'])
  })
})

t.test('there must be a replica that it is for, and what is given up leaves nothing', async t => {
  await world(async (intakes, folders) => {
    await t.rejects(intakes.begin(2, messageOf(1)), { code: 'UNAVAILABLE' })
    await t.rejects(intakes.begin(1, messageOf(1, 3)), { code: 'UNAVAILABLE' })
    const intake = await intakes.begin(1, messageOf(1))
    await intake.abandon()
    t.strictSame(await folders(), [])
  })
})
