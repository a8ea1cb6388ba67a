/** Faults in the files of a real store: `FAULTS` sets how many, `npm run soak -- verify` plants more. */
import t from 'tap'
import { seed } from '../seed.js'
import { VerifyWorld, verifyKilled } from './verify-world.js'

const { FAULTS: count = '45' } = process.env
t.comment(`SEED=${seed}`)
t.setTimeout(120_000)

t.test('every planted fault is found and its file named, and verify changes nothing', async t => {
  const world = new VerifyWorld(seed)
  t.teardown(() => world.remove())
  const { counts } = await world.prepare()
  t.comment(counts)
  t.ok(counts.rows > 3900 && counts.entries > 2000, 'all of it is read')
  const report = await world.run(Number(count))
  t.comment(report)
  t.equal(report.faults + report.tornEnds, Number(count))
})

t.test('what a kill leaves is no fault, at whatever moment it came', async t => {
  const report = await verifyKilled(seed, 6)
  t.comment(report)
  t.ok(report.looks >= 2)
})
