/** Random schedules over the bare protocol: nothing that must hold is ever broken, and then it goes on. */
import t from 'tap'
import { caught, mutants } from './mutants.js'
import { runSchedule } from './schedule.js'

const seed = process.env['SEED'] ?? '1'
const count = Number(process.env['COUNT'] ?? 60)
t.comment(`SEED=${seed} COUNT=${count}`)

t.test(
  'under drops, repetitions, crashes, cuts and changes every invariant holds; then it goes on',
  async t => {
    const sum = { committed: 0, changes: 0, reads: 0 }
    for (let i = 0; i < count; i++) {
      const { committed, changes, reads } = runSchedule(`${seed}.${i}`, 800)
      sum.committed += committed
      sum.changes += changes
      sum.reads += reads
    }
    t.comment(JSON.stringify(sum))
    t.ok(sum.committed > 10 * count, 'entries were committed')
    t.ok(sum.changes > count / 2, 'configurations changed')
    t.ok(sum.reads > count, 'reads were answered')
  },
)

// Without pre-votes: an old leader, and a candidate whose terms stay behind.
t.test('one in an old term whom nobody tells of newer ones is the one end without progress', async t => {
  for (const found of ['v1.799', 'v1.11150']) t.ok(runSchedule(found, 1500).committed > 0)
})

// Those that a few schedules find; the others: `node dist/test/sim/raft/main.js --mutants`.
const quick = [
  'votes twice in a term',
  'votes for a shorter log',
  'sends its vote before that is durable',
  'acknowledges before the entries are durable',
  'counts only the incoming half',
  'proposes a change beside another',
  'applies what is not durable here',
  'shortens its log by a delayed append',
]

t.test('the schedules find known bugs', async t => {
  for (const name of quick) {
    const mutant = mutants.find(one => one.name === name)
    const found = mutant && (await caught(mutant, { seed: 'mutant', count: 60, steps: 800 }))
    t.ok(found, `${name}: ${found?.message.slice(0, 100) ?? 'not found'}`)
  }
})
