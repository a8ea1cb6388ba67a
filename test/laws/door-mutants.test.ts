/** The laws of disks and key-value stores find one that breaks one of them. */
import t from 'tap'
import { Random } from '../../src/base/random.js'
import { MemoryDisk } from '../../src/env/memory-disk.js'
import { MemoryKeyValueStores } from '../../src/env/memory-key-value.js'
import { RealClock } from '../../src/env/real-clock.js'
import { diskLaws } from '../../src/testing/disk-laws.js'
import { keyValueLaws } from '../../src/testing/key-value-laws.js'
import { diskMutants, keyValueMutants, mutatedDisk, mutatedStores } from './door-mutants.js'
import { checkMutants } from './mutants.js'

const random = new Random('doors')

t.test('each law of disks finds the disk that breaks it', async t => {
  await checkMutants(t, diskLaws, diskMutants, {}, (mutant, check) =>
    check({ disk: mutatedDisk(new MemoryDisk(new RealClock()), mutant), folder: '', random }),
  )
})

t.test('each law of key-value stores finds the stores that break it', async t => {
  await checkMutants(t, keyValueLaws, keyValueMutants, {}, (mutant, check) => {
    const stores = new MemoryKeyValueStores(new MemoryDisk(new RealClock()))
    return check({ stores: mutatedStores(stores, mutant), folder: '/data', random })
  })
})
