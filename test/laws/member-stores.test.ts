/** The store of each node of a simulated cluster keeps the laws of a store. */
import t from 'tap'
import { must } from '../../src/base/assert.js'
import { Random } from '../../src/base/random.js'
import { SimClock } from '../../src/sim/sim-clock.js'
import { SimMachine } from '../../src/sim/sim-machine.js'
import { SimNetwork } from '../../src/sim/sim-network.js'
import { IndexTypes } from '../../src/store/index-types.js'
import { Store } from '../../src/store/store.js'
import type { Law } from '../../src/testing/law.js'
import { storeLaws } from '../../src/testing/store-laws.js'
import type { StoreLike } from '../../src/testing/store-like.js'
import { seed } from '../seed.js'

t.comment(`SEED=${seed}`)
t.setTimeout(120_000)

const nodes = [1, 2, 3]
const addressOf = (node: number): string => `node${node}:1`

/** A cluster of three, whose stores are ready. */
function cluster(clock: SimClock, random: Random): Promise<Store[]> {
  const cables = new SimNetwork({ clock, random: random.split('cables') })
  const opening = nodes.map(node => {
    const network = { cables, host: `node${node}` }
    const machine = new SimMachine({ clock, random: random.split(`machine ${node}`), network })
    return Store.open(machine.environment, 'data', {}, {}, new IndexTypes(), {
      network: machine.network,
      cluster: 'laws',
      node,
      address: addressOf(node),
      addressOf: (_, replica) => addressOf(replica),
      founders: { replica: node, voters: nodes },
    })
  })
  return Promise.all(opening)
}

/** What of the laws does not hold, by title: all at once, but for the last, which closes the store. */
async function broken(store: StoreLike, laws: readonly Law<StoreLike>[]): Promise<[string, string][]> {
  const found: [string, string][] = []
  const check = (law: Law<StoreLike>): Promise<unknown> =>
    law.check(store).catch((error: unknown) => found.push([law.title, String(error)]))
  await Promise.all(laws.slice(0, -1).map(check))
  await check(must(laws.at(-1), 'a last law'))
  return found
}

for (const node of nodes) {
  t.test(`the laws hold at node ${node} of three`, async t => {
    const clock = new SimClock()
    await clock.run(async () => {
      const stores = await cluster(clock, new Random(`${seed} ${node}`))
      t.same(await broken(must(stores[node - 1], 'a store'), storeLaws), [])
      await Promise.all(stores.map(store => store.close()))
    })
  })
}

t.test('who has taken a named feed holds it, also while its node does not show that yet', async t => {
  const clock = new SimClock()
  await clock.run(async () => {
    const stores = await cluster(clock, new Random(seed))
    const feeds = storeLaws.filter(({ title }) => title.startsWith('a named feed'))
    t.equal(feeds.length, 2)
    for (let n = 0; n < 60; n++) {
      for (const law of feeds) {
        const found = await law.check(must(stores[n % 3], 'a store')).catch(String)
        if (found !== undefined) t.fail(`${law.title}, try ${n}`, { found })
      }
    }
    await Promise.all(stores.map(store => store.close()))
  })
})
