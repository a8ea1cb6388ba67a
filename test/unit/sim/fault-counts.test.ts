/** Each kind of fault happens in a world that arranges them by chance, and is counted. */
import t from 'tap'
import { FaultCounts, faultKinds } from '../../../src/sim/fault-counts.js'
import { trapGlobals } from '../../../src/sim/trapped-globals.js'
import { seed } from '../../seed.js'
import { FaultWorld } from './fault-world.js'

t.comment(`SEED=${seed}`)

/** Worlds that are run at most until each kind was seen. */
const worldsMax = 60

t.test('every kind of fault takes effect in worlds that arrange them by chance', async t => {
  const faults = new FaultCounts()
  const undo = trapGlobals()
  try {
    for (let i = 0; i < worldsMax && (i < 3 || faults.missing().length > 0); i++) {
      const world = new FaultWorld(`${seed}/${i}`)
      await world.run(200)
      faults.add(world.faults)
    }
  } finally {
    undo()
  }
  t.comment(JSON.stringify(faults))
  t.strictSame(faults.missing(), [])
  t.ok(faultKinds.length >= 20)
  t.equal(new Set(faultKinds).size, faultKinds.length)
})

t.test('the same seed gives the same run under all faults, another one another', async t => {
  const story = async (name: string): Promise<string> => {
    const world = new FaultWorld(`${seed}/${name}`)
    await world.run(100)
    return world.story.join('\n')
  }
  t.equal(await story('one'), await story('one'))
  t.not(await story('one'), await story('other'))
})

t.test('counts start at nothing, and add up', t => {
  const [one, other] = [new FaultCounts(), new FaultCounts()]
  t.strictSame(one.missing(), [...faultKinds])
  one.count('cut')
  other.count('cut', 2)
  other.count('pause', 0)
  one.add(other)
  t.equal(one.of('cut'), 3)
  t.strictSame(one.missing(['cut', 'pause']), ['pause'])
  t.strictSame(Object.keys(one.toJSON()), [...faultKinds])
  t.end()
})
