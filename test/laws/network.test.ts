/** Every network keeps the laws of the door to other nodes. */
import t from 'tap'
import { Random } from '../../src/base/random.js'
import { RealNetwork } from '../../src/env/real-network.js'
import { SimClock } from '../../src/sim/sim-clock.js'
import { SimNetwork } from '../../src/sim/sim-network.js'
import { testLaws } from '../../src/testing/law.js'
import { networkLaws } from '../../src/testing/network-laws.js'
import { seed } from '../seed.js'
import { tapTest } from './tap-test.js'

t.comment(`SEED=${seed}`)
const random = new Random(seed)

testLaws(
  networkLaws,
  check => {
    const network = new RealNetwork({ signMs: 100 })
    const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
    const own = random.split('real')
    return check({ near: network, far: network, host: '127.0.0.1', wait, silenceMs: 600, random: own })
  },
  tapTest('real'),
)

for (const latencyMs of [
  [0, 0],
  [0.05, 2],
  [0, 300],
] as const) {
  testLaws(
    networkLaws,
    check => {
      const clock = new SimClock()
      const network = new SimNetwork({ clock, random: random.split('network'), latencyMs })
      const subject = {
        near: network.process('a'),
        far: network.process('b'),
        host: 'b',
        wait: (ms: number): Promise<void> => new Promise(resolve => clock.after(ms, resolve)),
        silenceMs: 9000,
        random: random.split('simulated'),
      }
      return clock.run(() => check(subject))
    },
    tapTest(`simulated, latency ${latencyMs.join(' to ')} ms`),
  )
}
