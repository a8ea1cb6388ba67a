/**
 * Crashes of the whole store in simulation. `SEED` and `CRASHES` come from the environment; more: `npm run
 * sim`.
 */
import t from 'tap'
import { seed } from '../seed.js'
import { runWorlds } from './worlds.js'

const crashes = Number(process.env['CRASHES'] ?? 250)

t.setTimeout(240_000)

t.test('what was acknowledged survives every crash, once, and the rest is whole or absent', async t => {
  t.comment(`seed ${seed}, ${crashes} crashes`)
  const report = await runWorlds({ seed, crashes })
  t.comment(JSON.stringify(report))
  t.ok(report.crashes >= crashes)
  t.ok(report.acknowledged > crashes, 'there was something to lose')
  t.ok(report.replayed > 0, 'retries met their kept replies')
  t.ok(report.remade > 0, 'indexes were made again')
  t.ok(
    report.fromSnapshot > 0 && report.trimmed > 0,
    'states were made from snapshots, logs had lost their head',
  )
})

t.test('without the sync of the write-ahead log the same worlds fail within 50 crashes', async t => {
  const failure = await runWorlds({ seed, crashes: 50, ignoreSync: true }).then(
    report => `none: ${JSON.stringify(report)}`,
    (error: Error) => error,
  )
  t.type(failure, Error, `seed ${seed}`)
})
