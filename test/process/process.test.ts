/** Real processes, killed at any moment: nothing lost, nothing doubled. `npm run soak` goes further. */
import t from 'tap'
import { seed } from '../seed.js'
import { killFeed } from './feed-world.js'
import { KillWorld } from './kill-world.js'
import { ResumeWorld } from './resume-world.js'

t.comment(`SEED=${seed}`)

for (const small of [true, false]) {
  const size = small ? 'small' : 'usual'
  t.test(`what was acknowledged survives kills at any moment, once (${size} limits)`, async t => {
    const report = await new KillWorld({ seed: `${seed}.${size}`, kills: 10, small }).run()
    t.comment(report)
    t.equal(report.kills, 10)
    t.ok(report.acknowledged > 0)
  })
}

t.test('a named feed of changes has no gap and repeats nothing acknowledged, after kills', async t => {
  const report = await killFeed(seed, 8)
  t.comment(report)
  t.ok(report.changes > 0 && report.acknowledgements > 0)
})

t.test('a resumed session doubles nothing, and the killed holder is fenced', async t => {
  const report = await new ResumeWorld(seed).run(3)
  t.comment(report)
  t.ok(report.fenced > 0 && report.again > 0)
})
