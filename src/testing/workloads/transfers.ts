/** Money that goes from account to account in batches: at no moment that is seen is it more or less. */
import type { Store } from '../../store/store.js'
import { isRefused, type Workload } from './workload.js'

const collection = 'accounts'

type Account = { readonly id: string; readonly money: number }

const each = 100

/** So many accounts, under so many clients. */
export function transfers({ accounts = 4, clients = 3 } = {}): Workload {
  const ids = Array.from({ length: accounts }, (_, number) => `a${number}`)
  let looks = 0
  let isFounded = false

  async function total(store: Store): Promise<number> {
    const found = await store.collection<Account>(collection).getMany(ids)
    return found.reduce((sum, one) => sum + (one?.money ?? 0), 0)
  }

  function mustBeWhole(sum: number): void {
    looks += 1
    if (sum !== accounts * each && (isFounded || sum !== 0)) {
      throw new Error(`there were ${sum} of ${accounts * each} in all accounts at one moment`)
    }
  }

  return {
    name: 'transfers',
    clients,
    async define(store) {
      await store.define(collection, { key: 'id' })
      if (isFounded) return
      const steps = ids.map(id => ({ insert: { id, money: each }, in: collection }))
      await store.batch(steps).catch((error: unknown) => {
        if (!isRefused({ how: 'refused', error: error as never }, 'EXISTS')) throw error
      })
      isFounded = true
    },
    async client(world, _, random) {
      while (!world.isOver()) {
        await world.pause(random.below(400))
        const told = await world.ask(random, async store => {
          if (random.chance(0.5)) return mustBeWhole(await total(store))
          const from = random.pick(ids)
          const to = random.pick(ids.filter(id => id !== from))
          const all = store.collection<Account>(collection)
          const [giver, taker] = await Promise.all([all.getVersioned(from), all.getVersioned(to)])
          if (giver === undefined || taker === undefined) return mustBeWhole(await total(store))
          const money = random.below(giver.document.money + 1)
          const put = { in: collection }
          await store.batch([
            { ...put, put: { id: from, money: giver.document.money - money }, ifVersion: giver.version },
            { ...put, put: { id: to, money: taker.document.money + money }, ifVersion: taker.version },
          ])
        })
        if (told.how === 'refused' && told.error.code === 'EXISTS') throw told.error
      }
    },
    async check(store) {
      mustBeWhole(await total(store))
      return looks
    },
  }
}
