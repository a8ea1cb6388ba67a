/**
 * Power that goes at all nodes at once, and bits that turn in a minority's files. `TIMES` and `SEED` come
 * from the environment: 30 in `npm test`, 1,000 and more in campaigns.
 */
import t from 'tap'
import { assert, must } from '../../../src/base/assert.js'
import { isSillokError } from '../../../src/base/errors.js'
import { Random } from '../../../src/base/random.js'
import { nodeFolder } from '../../../src/testing/world/world-node.js'
import { seed } from '../../seed.js'
import { smallLimits } from '../small-limits.js'
import { Cluster, partitions } from './cluster.js'
import { Load } from './load.js'

const times = Number(process.env['TIMES'] ?? 10)
t.comment(`SEED=${seed} TIMES=${times}`)
t.setTimeout(0)

/** In one cluster: what clients were told is kept, and looked at as a whole. */
const timesPerCluster = 10

/** Has that happen to clusters with clients at work, `times` in all; how many operations were looked at. */
async function underLoad(
  happen: (cluster: Cluster, random: Random, times: number) => Promise<void>,
): Promise<number> {
  let checked = 0
  for (let done = 0; done < times; done += timesPerCluster) {
    const own = `${seed}.${done}`
    const limits = { ...smallLimits(new Random(own)), deadlineMs: 4000 }
    await Cluster.run({ seed: own, limits }, async cluster => {
      const load = new Load(cluster)
      await load.begin()
      await happen(cluster, cluster.random.split('script'), Math.min(times - done, timesPerCluster))
      checked += await load.end()
    })
  }
  return checked
}

t.test(
  `power lost at all nodes at once, ${times} times under load: nothing lost, nothing doubled`,
  async t => {
    const checked = await underLoad(async (cluster, random, count) => {
      for (let time = 0; time < count; time++) {
        await cluster.pause(random.below(random.pick([300, 2000])))
        for (const node of cluster.nodes) node.crash(random.pick(['none', 'any']))
        const starts = cluster.nodes.map(async node => {
          await cluster.pause(random.below(500))
          await node.start()
          assert(node.failure === undefined, () => `node ${node.id}: ${node.failure}`)
        })
        await Promise.all(starts)
        await cluster.until(() => partitions.every(one => cluster.leader(one) !== undefined), 'a leader')
      }
    })
    t.comment(`${checked} operations were looked at`)
    t.ok(checked > 5 * times)
  },
)

t.test(
  `a bit turned in a minority's files at rest, ${times} times: refused or mended, nothing lost`,
  async t => {
    const ends = { opened: 0, refused: 0, 'refused later': 0 }
    const checked = await underLoad(async (cluster, random, count) => {
      // The same one each time: what rots and is not read yet must not add up to a majority.
      const victim = random.pick(cluster.nodes)
      for (let time = 0; time < count; time++) {
        await cluster.pause(random.below(1500))
        if (random.chance(0.5)) await victim.stop()
        else victim.crash('all')
        const where = random.pick(['/wal/', '/partitions/', '/'])
        const path = must(
          victim.machine.disk.rotAny(random, one => one.startsWith(`${nodeFolder}${where}`)),
          'a file',
        )
        cluster.told.push(`${cluster.clock.monotonicMs()} a bit of ${path} turns`)
        victim.crash('none')
        await victim.start()
        if (victim.failure === undefined) {
          ends.opened += 1
          await cluster.pause(random.below(1000))
        }
        const { failure } = victim
        if (failure === undefined) continue
        assert(isSillokError(failure, 'DAMAGED'), () => `${path}: ${failure}`)
        ends.refused += 1
        await cluster.replace(victim)
      }
      // What it did not read yet: the files as a whole.
      const isWhole = async (): Promise<boolean> => {
        for (const partition of partitions) {
          const { segments } = must(victim.partition(partition), 'a partition').opened
          const reading = segments.read(segments.firstIndex, { bytesMax: Number.MAX_SAFE_INTEGER })
          const isDamaged = await reading.then(
            () => false,
            (error: unknown) => isSillokError(error, 'DAMAGED'),
          )
          if (isDamaged) return false
        }
        return true
      }
      if (!(await isWhole())) {
        ends['refused later'] += 1
        await cluster.replace(victim)
      }
    })
    t.comment(`${JSON.stringify(ends)}, ${checked} operations were looked at`)
    t.ok(checked > 5 * times)
  },
)
