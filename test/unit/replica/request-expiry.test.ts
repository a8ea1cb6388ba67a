/** A look at the kept request ids counts only if it has seen them all. */
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { requestPrefix } from '../../../src/machine/keys.js'
import type { Partition } from '../../../src/replica/partition.js'
import { RequestExpiry } from '../../../src/replica/request-expiry.js'
import type { ScanRange } from '../../../src/state/scan.js'
import { World } from '../state/world.js'

t.test('a look that the closing of the state cuts short puts off nothing: the next one follows', async t => {
  const world = new World('expiry')
  await world.clock.run(async () => {
    await world.open()
    const { state } = world
    for (let n = 1; n <= 2000; n++) {
      const fact = { op: 'put', value: Buffer.alloc(16), prev0: 0, prev1: 0 } as const
      state.apply(n, [{ ...fact, key: `${requestPrefix}\0${String(n).padStart(5, '0')}` }], n)
    }
    await state.flush()
    const looks: string[] = []
    let isCut = true
    const partition = {
      logTime: () => limits.requestIdLifeMs - 1,
      recordTime: () => {},
      call: async () => {},
      state: {
        partitionRows: () => [['mk', {}]],
        scan: (range: ScanRange) => {
          looks.push('look')
          const scan = state.scan(range)
          if (isCut) void scan.end()
          return scan
        },
      },
    }
    const expiry = new RequestExpiry(partition as unknown as Partition, limits)
    await t.rejects(expiry.expire(), { code: 'CLOSED' })
    isCut = false
    await expiry.expire()
    t.equal(looks.length, 2, 'it looked again')
    await expiry.expire()
    t.equal(looks.length, 2, 'and then knows when the next look is due')
  })
})
