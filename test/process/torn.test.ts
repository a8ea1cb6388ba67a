/** The log's last batch, torn and damaged, as a whole store meets it. `npm run soak -- torn`: every byte. */
import t from 'tap'
import { seed } from '../seed.js'
import { damageAcknowledged, tearLast } from './torn-forms.js'

t.comment(`SEED=${seed}`)
t.setTimeout(120_000)

for (const kind of ['small', 'large', 'opening'] as const) {
  t.test(
    `a torn last batch (${kind}) is there whole or not at all, and nothing before it is lost`,
    async t => {
      const report = await tearLast(seed, kind, 29)
      t.comment(report)
      t.ok(report.whole > 0 && report.absent > 30)
    },
  )
}

for (const follower of ['witness', 'batch', 'close'] as const) {
  t.test(`a store refuses when a byte of a batch is damaged that a ${follower} follows`, async t => {
    t.ok((await damageAcknowledged(seed, follower, 17)) > 200)
    t.ok((await damageAcknowledged(seed, follower, 37, true)) > 100)
  })
}
