/** Sorted rows in memory: what a sorted list would hold, and frozen views that stay as they were. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import { MemoryRows } from '../../../src/env/memory-rows.js'
import { seed } from '../../seed.js'

t.comment(`SEED=${seed}`)

type Model = Map<string, string>

const list = (rows: MemoryRows, reverse = false): [string, string][] =>
  [...rows.range({ reverse })].map(([key, value]) => [key.toString(), value.toString()])
const sorted = (model: Model): [string, string][] => [...model].sort(([a], [b]) => (a < b ? -1 : 1))

t.test('rows and all views of them are right through random changes', async t => {
  const random = new Random(seed)
  const live: { rows: MemoryRows; model: Model }[] = [{ rows: new MemoryRows(), model: new Map() }]
  for (let step = 0; step < 20_000; step++) {
    const { rows, model } = random.pick(live)
    // Phases that grow and phases that empty.
    const share = Math.floor(step / 4000) % 2 === 0 ? 0.2 : 0.8
    const key = `k${100_000 + random.below(900)}`
    if (random.chance(share)) {
      rows.delete(Buffer.from(key))
      model.delete(key)
    } else {
      rows.put(Buffer.from(key), Buffer.from(String(step)))
      model.set(key, String(step))
    }
    if (random.chance(0.002)) {
      live.push({ rows: rows.clone(), model: new Map(model) })
      if (live.length > 4) live.splice(random.below(live.length), 1)
    }
    if (step % 500 > 0) continue
    for (const one of live) {
      if (JSON.stringify(list(one.rows)) !== JSON.stringify(sorted(one.model))) t.fail(`step ${step}`)
      if (one.rows.count !== one.model.size) t.fail(`count at step ${step}`)
      t.equal(one.rows.get(Buffer.from(key))?.toString(), one.model.get(key))
    }
  }
  for (const one of live) {
    t.strictSame(list(one.rows), sorted(one.model))
    t.strictSame(list(one.rows, true), sorted(one.model).reverse())
    for (const key of one.model.keys()) one.rows.delete(Buffer.from(key))
    t.equal(one.rows.count, 0)
    t.strictSame(list(one.rows), [])
  }
})

t.test('a hundred thousand ascending rows take their time, but not long', async t => {
  const rows = new MemoryRows()
  const start = performance.now()
  for (let i = 0; i < 100_000; i++) rows.put(Buffer.from(`k${1_000_000 + i}`), Buffer.from('v'))
  t.comment(`${Math.round((performance.now() - start) * 10)} ns a put`)
  t.equal(rows.count, 100_000)
  t.equal(rows.get(Buffer.from('k1054321'))?.toString(), 'v')
  t.ok(performance.now() - start < 3000)
})
