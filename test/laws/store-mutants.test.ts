/** The laws of a store find a store that breaks one of them. */
import t from 'tap'
import { open } from '../../src/index.js'
import { storeLaws } from '../../src/testing/store-laws.js'
import { checkMutants } from './mutants.js'
import { mutated, storeMutants } from './store-mutants.js'

t.test('each law of a store finds the store that breaks it', async t => {
  await checkMutants(t, storeLaws, storeMutants, {}, async (mutant, check) => {
    const store = await open({ memory: true })
    try {
      await check(mutated(store, mutant))
    } finally {
      await store.close()
    }
  })
})
