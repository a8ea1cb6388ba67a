/**
 * Groups of nodes in simulation, each with its log, segments and state on a disk of its own. `SEED` and
 * `WORLDS` come from the environment.
 */
import t from 'tap'
import { seed } from '../seed.js'
import { type GroupReport, GroupWorld } from './group/group-world.js'

const worlds = Number(process.env['WORLDS'] ?? 4)

t.setTimeout(240_000)

t.test(
  'a group keeps what it acknowledged and shows no old state, whatever crashes and gets lost',
  async t => {
    t.comment(`seed ${seed}, ${worlds} worlds`)
    const total: Partial<Record<keyof GroupReport, number>> = {}
    for (let world = 0; world < worlds; world++) {
      const report = await new GroupWorld({ seed: `${seed}.${world}`, faultMs: 10_000 }).run()
      for (const [name, count] of Object.entries(report) as [keyof GroupReport, number][]) {
        total[name] = (total[name] ?? 0) + count
      }
    }
    t.comment(JSON.stringify(total))
    t.ok((total.acknowledged ?? 0) > 50 * worlds, 'there was something to lose')
    t.ok((total.leaders ?? 0) >= worlds, 'leadership moved')
  },
)

t.test(
  'a node that was left behind goes on from a snapshot, wherever its installation is cut short',
  async t => {
    let installed = 0
    for (let world = 0; world < worlds / 2; world++) {
      const group = new GroupWorld({ seed: `${seed}.${world}`, faultMs: 20_000, strands: true })
      installed += (await group.run()).installed
    }
    t.comment(`${installed} snapshots installed, half of them crashed on the way`)
    t.ok(installed > 0)
  },
)

t.test('without the sync of the write-ahead log such a group loses what it acknowledged', async t => {
  const failures: string[] = []
  for (let world = 0; world < 5 && failures.length === 0; world++) {
    const group = new GroupWorld({ seed: `${seed}.${world}`, faultMs: 10_000, ignoreSync: true })
    await group.run().catch((error: Error) => failures.push(error.message))
  }
  t.comment(failures[0])
  t.equal(failures.length, 1)
})
