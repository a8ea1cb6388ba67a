/** What scans that are open at once see, against every form that each row ever had. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import { makeRow, type Row } from '../../../src/codec/row.js'
import { memoryEnvironment } from '../../../src/env/memory-environment.js'
import { Layers } from '../../../src/state/layers.js'
import { seed } from '../../seed.js'

t.comment(`seed ${seed}`)

const keys = ['da', 'db', 'dc', 'dd']

t.test('each open reader sees the rows as of its index, whichever others begin and end', async t => {
  const store = await memoryEnvironment().keyValue.open('rows', { writeBufferBytes: 3000 })
  let comparedCount = 0
  for (let n = 0; n < 30; n++) {
    const random = new Random(seed).split(`layers ${n}`)
    const layers = new Layers(store, 0)
    const history = new Map<string, { index: number; row: Row | null }[]>(keys.map(key => [key, []]))
    const open: number[] = []
    for (let index = 1; index <= 80; index++) {
      const key = random.pick(keys)
      const row = random.chance(0.2) ? null : makeRow(key, index, random.bytes(4))
      layers.set(key, row, index, history.get(key)?.length === 0)
      history.get(key)?.push({ index, row })
      if (random.chance(0.3)) {
        layers.openReader(index)
        open.push(index)
      }
      if (open.length > 0 && random.chance(0.3)) {
        const [closed] = open.splice(random.below(open.length), 1)
        layers.closeReader(closed ?? 0)
      }
      for (const reader of open) {
        for (const [key, forms] of history) {
          const expected = forms.findLast(form => form.index <= reader)?.row
          const seen = layers.active.at(key, reader)
          comparedCount += 1
          if (seen !== expected) throw new Error(`seed ${seed}: ${key} as of ${reader} is ${seen?.version}`)
        }
      }
    }
    await layers.close()
  }
  t.ok(comparedCount > 1000, `compared ${comparedCount} times`)
})
