/**
 * A leader that was deposed and does not know it answers nothing from its old state: neither what a majority
 * has overwritten, nor what is proposed there and was never committed.
 */
import t from 'tap'
import { assert } from '../../../src/base/assert.js'
import type { Told } from '../../../src/testing/workloads/workload.js'
import { seed } from '../../seed.js'
import { Cluster, type Thing } from './cluster.js'
import type { ClusterNode } from './cluster-node.js'

t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

type Things = import('../../../src/store/collection.js').Collection<Thing>

function asked<T>(node: ClusterNode, call: (things: Things) => Promise<T>): Promise<Told<T>> {
  return node.ask(store => call(store.collection<Thing>('things')))
}

function show(told: Told<unknown>): string {
  return told.how === 'refused' ? `${told.error.code} ${told.error.outcome}` : told.how
}

/** Calls at a node whose answers are looked at while others are still to come. */
class Asks {
  readonly told: Record<string, Told<unknown>> = {}
  readonly #node: ClusterNode
  readonly #all: Promise<void>[] = []

  constructor(node: ClusterNode) {
    this.#node = node
  }

  ask(name: string, call: (things: Things) => Promise<unknown>): void {
    const asking = asked(this.#node, call).then(answer => {
      this.told[name] = answer
    })
    this.#all.push(asking)
  }

  async end(): Promise<Record<string, string>> {
    await Promise.all(this.#all)
    return Object.fromEntries(Object.entries(this.told).map(([name, one]) => [name, show(one)]))
  }
}

t.test('a leader that hears nobody refuses nothing, and a deposed one nothing from old state', async t => {
  await Cluster.run({ seed }, async cluster => {
    const old = await cluster.leaderOfAll()
    const [other] = cluster.others(old)
    await asked(old, things => things.insert({ id: 'gone', email: 'free' }))
    await asked(old, things => things.insert({ id: 'versioned', n: 1 }))
    cluster.isolate(old)
    const asks = new Asks(old)
    // Proposed here, and perhaps never committed: a refusal because of it would show it.
    asks.ask('in flight', things => things.insert({ id: 'a', email: 'wanted' }))
    asks.ask('taken by one in flight', things => things.insert({ id: 'b', email: 'wanted' }))
    asks.ask('exists in flight', things => things.insert({ id: 'a' }))
    asks.ask('taken', things => things.insert({ id: 'c', email: 'free' }))
    asks.ask('exists', things => things.insert({ id: 'gone' }))
    asks.ask('conflict', things => things.put({ id: 'versioned', n: 2 }, { ifVersion: null }))
    asks.ask('absent', things => things.delete('new'))
    asks.ask('read', async things => ({ found: await things.get('gone') }))
    await cluster.pause(500)
    t.ok(old.partition(1)?.leads, 'it believes to lead')
    t.strictSame(asks.told, {}, 'it answers nothing')
    await cluster.until(() => ![undefined, old].includes(cluster.leader()), 'another leader')
    for (const id of ['gone', 'versioned']) {
      const deleted = await asked(other, things => things.delete(id))
      t.equal(deleted.how, 'answered', 'the others go on')
    }
    await asked(other, things => things.insert({ id: 'new', n: 1 }))
    // So long that what was said on its connections is not under way any more: they are lost.
    await cluster.pause(8000)
    t.notOk(old.partition(1)?.leads, 'it has heard nobody for too long')
    t.strictSame(asks.told, {}, 'still it answers nothing')
    cluster.join()
    const answers = await asks.end()
    for (const name of ['taken', 'exists', 'conflict', 'absent']) t.equal(answers[name], 'answered', name)
    // The first may be decided behind the others: it was on its way when the leadership was lost.
    const inOrder = {
      'in flight': 'answered',
      'taken by one in flight': 'UNIQUE_TAKEN not-applied',
      'exists in flight': 'EXISTS not-applied',
    }
    const overtaken = {
      'in flight': 'EXISTS not-applied',
      'taken by one in flight': 'answered',
      'exists in flight': 'answered',
    }
    t.match(answers, answers['in flight'] === 'answered' ? inOrder : overtaken)
  })
})

t.test(
  'whom a majority has deposed answers as the newest state has it, also when it hears them again',
  async t => {
    let deceived = 0
    const counts: Record<string, number> = {}
    for (let run = 0; run < 12; run++) {
      await Cluster.run({ seed: `${seed}.${run}` }, async cluster => {
        const old = await cluster.leaderOfAll()
        const [other] = cluster.others(old)
        await asked(old, things => things.insert({ id: 'gone', email: 'free' }))
        await asked(old, things => things.insert({ id: 'versioned', n: 1 }))
        cluster.isolate(old)
        await cluster.until(() => ![undefined, old].includes(cluster.leader()), 'another leader', 1)
        for (const id of ['gone', 'versioned']) {
          const deleted = await asked(other, things => things.delete(id))
          assert(deleted.how === 'answered', () => `the others go on: ${show(deleted)}`)
        }
        if (old.partition(1)?.leads === true) deceived += 1
        const asks = new Asks(old)
        const askAll = (when: string): void => {
          asks.ask(`taken ${when}`, things => things.insert({ id: `c ${when}`, email: 'free' }))
          asks.ask(`let go ${when}`, things => things.delete(`c ${when}`))
          asks.ask(`exists ${when}`, things => things.insert({ id: 'gone' }))
          asks.ask(`gone ${when}`, things => things.delete('gone'))
          asks.ask(`conflict ${when}`, things => things.put({ id: 'versioned' }, { ifVersion: null }))
          asks.ask(`versioned ${when}`, things => things.delete('versioned'))
        }
        askAll('while it is cut off')
        cluster.join()
        const answers = await asks.end()
        // What was on a connection that breaks has an unknown outcome.
        for (const [name, answer] of Object.entries(answers)) {
          assert(['answered', 'UNAVAILABLE unknown'].includes(answer), () => `${name}: ${answer}`)
          counts[answer] = (counts[answer] ?? 0) + 1
        }
      })
    }
    t.comment(`${deceived} of 12 believed to lead when they were asked: ${JSON.stringify(counts)}`)
    t.pass()
  },
)
