/** Every network keeps the laws of the door to other nodes. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import { RealNetwork } from '../../../src/env/real-network.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimNetwork } from '../../../src/sim/sim-network.js'
import { networkLaws } from './network-laws.js'

const { SEED: seed = String(Date.now()) } = process.env
t.comment(`SEED=${seed}`)
const random = new Random(seed)

networkLaws(
  'real',
  () => {
    const network = new RealNetwork({ signMs: 100 })
    const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
    return { near: network, far: network, host: '127.0.0.1', run: work => work(), wait, silenceMs: 600 }
  },
  random.split('real'),
)

for (const latencyMs of [
  [0, 0],
  [0.05, 2],
  [0, 300],
] as const) {
  networkLaws(
    `simulated, latency ${latencyMs.join(' to ')} ms`,
    () => {
      const clock = new SimClock()
      const network = new SimNetwork({ clock, random: random.split('network'), latencyMs })
      return {
        near: network.process('a'),
        far: network.process('b'),
        host: 'b',
        run: work => clock.run(work),
        wait: ms => new Promise(resolve => clock.after(ms, resolve)),
        silenceMs: 9000,
      }
    },
    random.split('simulated'),
  )
}
