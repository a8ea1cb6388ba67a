/** One name, two holders, at two nodes: the newer one fences the older, and nothing is there twice. */
import t from 'tap'
import { assert, must } from '../../../src/base/assert.js'
import type { Session } from '../../../src/store/session.js'
import { seed } from '../../seed.js'
import { Cluster, type Thing } from './cluster.js'
import type { ClusterNode } from './cluster-node.js'

t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

const rows = 60

/** Sends the rows of an import under their numbers, some at once; how each ended. */
async function send(cluster: Cluster, node: ClusterNode, session: Session, from: number): Promise<string[]> {
  const ends: Promise<string>[] = []
  for (let row = from; row <= rows; row++) {
    const things = session.collection<Thing>('things')
    const asked = node.ask(() => things.insert({ id: `row ${row}`, email: `${row}` }, { sequence: row }))
    ends.push(asked.then(one => (one.how === 'refused' ? `${one.error.code} ${one.error.outcome}` : one.how)))
    if (row % 4 === 0) await cluster.pause(5)
  }
  return await Promise.all(ends)
}

t.test(
  'two clients that resume one named session at two nodes: one is fenced, nothing is doubled',
  async t => {
    let fenced = 0
    for (let run = 0; run < 8; run++) {
      await Cluster.run({ seed: `${seed}.${run}` }, async cluster => {
        const leader = await cluster.leaderOfAll()
        const [one, two] = run % 2 === 0 ? cluster.others(leader) : [leader, ...cluster.others(leader)]
        const nodes = [one, must(two, 'another node')] as const
        const take = (node: ClusterNode) =>
          node.ask(store => store.session({ name: 'import', numbering: 'caller' }))
        const first = await take(nodes[0])
        assert(first.how === 'answered', 'a session')
        const sending = send(cluster, nodes[0], first.value, 1)
        await cluster.pause(10 * run)
        const second = await take(nodes[1])
        assert(second.how === 'answered', 'the same session')
        assert(second.value.epoch === first.value.epoch + 1, 'the next epoch')
        const ends = await send(cluster, nodes[1], second.value, second.value.lowWater)
        for (const [at, end] of ends.entries()) assert(end === 'answered', () => `row ${at}: ${end}`)
        for (const [at, end] of (await sending).entries()) {
          // The second holder may have sent the row too: this one does not know what became of it.
          assert(['answered', 'FENCED unknown'].includes(end), () => `row ${at} of the first: ${end}`)
          if (end !== 'answered') fenced += 1
        }
        const late = await nodes[0].ask(() => {
          const things = first.value.collection<Thing>('things')
          return things.insert({ id: 'late' }, { sequence: rows + 1 })
        })
        assert(late.how === 'refused' && late.error.code === 'FENCED', 'the older holder is fenced')
        const writes = await cluster.writes(leader)
        assert(writes.size === rows, () => `${writes.size} rows`)
        for (const [key, count] of writes) assert(count === 1, () => `${key} was written ${count} times`)
      })
    }
    t.comment(`${fenced} rows were refused`)
    t.ok(fenced > 0)
  },
)

t.test('of two that resume it in the same moment one holds it in the end', async t => {
  for (let run = 0; run < 8; run++) {
    await Cluster.run({ seed: `${seed}.${run}` }, async cluster => {
      const leader = await cluster.leaderOfAll()
      const [one, two] = cluster.others(leader)
      const nodes = [one, must(two, 'another node')]
      const taken = await Promise.all(nodes.map(node => node.ask(store => store.session({ name: 'both' }))))
      const epochs = taken.map(told => (told.how === 'answered' ? told.value.epoch : 0))
      assert([...epochs].sort().join() === '1,2', () => `epochs ${epochs.join()}`)
      for (const [at, told] of taken.entries()) {
        assert(told.how === 'answered', 'a session')
        const written = await must(nodes[at], 'a node').ask(() =>
          told.value.collection<Thing>('things').insert({ id: `of ${at}` }),
        )
        const isNewest = told.value.epoch === 2
        const isFenced = written.how === 'refused' && written.error.code === 'FENCED'
        assert(isNewest ? written.how === 'answered' : isFenced, () => JSON.stringify([epochs, at, written]))
      }
    })
  }
  t.pass()
})
