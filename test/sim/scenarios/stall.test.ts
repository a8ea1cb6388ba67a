/** An event loop that stands still is no dead node, and what it slept through is not answered from memory. */
import t from 'tap'
import { assert, must } from '../../../src/base/assert.js'
import type { LoopPhase } from '../../../src/sim/sim-process-clock.js'
import { seed } from '../../seed.js'
import { Cluster, electionMsMax, partitions, type Thing } from './cluster.js'

t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

const phases: readonly LoopPhase[] = ['timers', 'poll', 'check']

for (const phase of phases) {
  t.test(`a follower whose event loop stands still in '${phase}' causes no election`, async t => {
    await Cluster.run({ seed: `${seed}.${phase}` }, async cluster => {
      const leader = await cluster.leaderOfAll()
      const terms = cluster.terms()
      for (const follower of cluster.others(leader)) {
        for (const ms of [300, 1000, 1500, 2500, 5000]) {
          follower.machine.clock.stall(ms, phase)
          const answered = await leader.ask(store =>
            store.collection<Thing>('things').put({ id: 'a', n: ms }),
          )
          assert(answered.how === 'answered', 'the others go on')
          await cluster.pause(ms)
          await eachTurn(cluster, () => {
            for (const partition of partitions)
              assert(follower.group(partition).role === 'follower', () => `after ${ms} ms it campaigns`)
          })
          await cluster.pause(2 * electionMsMax)
          assert(cluster.terms().join() === terms.join(), () => `after ${ms} ms there was an election`)
          assert(cluster.leader() === leader, 'leadership stays')
          const read = await follower.ask(store => store.collection<Thing>('things').get('a'))
          assert(read.how === 'answered' && read.value?.n === ms, 'it reads what it slept through')
        }
      }
    })
    t.pass()
  })

  t.test(
    `a leader that stands still in '${phase}' for less than any election takes keeps its place`,
    async t => {
      await Cluster.run({ seed: `${seed}.${phase}` }, async cluster => {
        const leader = await cluster.leaderOfAll()
        const terms = cluster.terms()
        for (const ms of [300, 500, 800]) {
          leader.machine.clock.stall(ms, phase)
          await cluster.pause(ms + 2 * electionMsMax)
          assert(cluster.terms().join() === terms.join(), () => `after ${ms} ms there was an election`)
        }
      })
      t.pass()
    },
  )

  t.test(
    `a leader that slept in '${phase}' while others elected shows nothing old, and doubles nothing`,
    async t => {
      await Cluster.run({ seed: `${seed}.${phase}` }, async cluster => {
        const old = await cluster.leaderOfAll()
        const [other] = cluster.others(old)
        const { clock } = old.machine
        await old.ask(store => store.collection<Thing>('things').put({ id: 'a', n: 1 }))
        const session = await other.ask(store => store.session())
        assert(session.how === 'answered', 'a session')
        // On their way when the loop stops: some are proposed, some not, none is answered.
        const inFlight = ['x', 'y'].map(element => ({
          element,
          requestId: `request ${element}`,
          told: old.ask(store => append(store.collection<Thing>('things'), element, `request ${element}`)),
        }))
        const own = other.ask(() => session.value.collection<Thing>('things').insert({ id: 'own', n: 1 }))
        await cluster.pause(1)
        clock.stall(8000, phase)
        const reads = ['a'].flatMap(key => {
          const read = () => old.ask(store => store.collection<Thing>('things').get(key))
          return [inProcess(clock.arrive.bind(clock), read), inProcess(clock.soon.bind(clock), read)]
        })
        await cluster.until(() => cluster.leader() !== old, 'another leader', 10, 3 * electionMsMax)
        const changed = await other.ask(store => store.collection<Thing>('things').put({ id: 'a', n: 2 }))
        assert(changed.how === 'answered', 'the others go on')
        for (const read of await Promise.all(reads)) {
          assert(
            read.how === 'answered' && read.value?.n === 2,
            () => `an old state: ${JSON.stringify(read)}`,
          )
        }
        assert((await own).how === 'answered', 'the write of the session took effect once')
        for (const { element, requestId, told } of inFlight) {
          const first = await told
          const again = await other.ask(store =>
            append(store.collection<Thing>('things'), element, requestId),
          )
          assert(again.how === 'answered', () => `asked again: ${JSON.stringify(again)}`)
          const isSame = first.how !== 'answered' || first.value?.version === again.value?.version
          assert(isSame, 'one answer')
        }
        const found = await old.ask(store => store.collection<Thing>('things').get('list'))
        assert(found.how === 'answered', 'a list')
        t.strictSame([...(must(found.value, 'the list').list ?? [])].sort(), ['x', 'y'])
      })
    },
  )
}

type Things = import('../../../src/store/collection.js').Collection<Thing>

function append(things: Things, element: string, requestId: string) {
  return things.update('list', before => ({ id: 'list', list: [...(before?.list ?? []), element] }), {
    requestId,
  })
}

/** The call is made in the process, when that one goes on. */
function inProcess<T>(when: (call: () => void) => void, call: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => when(() => void call().then(resolve, reject)))
}

/** Looks again and again within this moment and the next milliseconds, between any two calls in a process. */
async function eachTurn(cluster: Cluster, look: () => void): Promise<void> {
  for (let turn = 0; turn < 1000; turn++) {
    await new Promise<void>(resolve => cluster.clock.soon(resolve))
    look()
  }
  for (let ms = 0; ms < 200; ms++) {
    await cluster.pause(1)
    look()
  }
}
