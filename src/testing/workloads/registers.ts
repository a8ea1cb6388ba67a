/** Documents that many clients write, swap, delete and read at once: there is one order that explains it all. */
import type { Random } from '../../base/random.js'
import { checkLinearizability } from '../linearizability.js'
import { register } from '../models.js'
import { HistoryRecorder } from '../recorder.js'
import { checkSessionOrder } from '../session-order.js'
import { isRefused, isUnknown, mustHold, type Told, type Workload, type World } from './workload.js'

const collection = 'registers'

type Document = { readonly id: string; readonly value: number }

/** Registers: so many keys, under so many clients. */
export function registers(nowNs: () => number, { keys = 4, clients = 5 } = {}): Workload {
  const recorder = new HistoryRecorder(nowNs)
  let values = 0

  async function read(world: World, client: string, key: string, random: Random) {
    const level = random.chance(0.2) ? ('stale' as const) : ('linearizable' as const)
    const pending = recorder.begin({ client, op: 'get', key, in: null, level })
    const told = await world.ask(random, store =>
      store.collection<Document>(collection).getVersioned(key, { level }),
    )
    if (told.how === 'answered') pending.ok(told.value?.document.value ?? null)
    else pending.fail()
    return level === 'linearizable' && told.how === 'answered' ? { found: told.value } : undefined
  }

  function settle(told: Told<unknown>, pending: { ok(): void; fail(): void; info(): void }): void {
    if (told.how === 'answered') pending.ok()
    else if (isUnknown(told)) pending.info()
    else pending.fail()
  }

  return {
    name: 'registers',
    clients,
    define: store => store.define(collection, { key: 'id' }),
    async client(world, number, random) {
      for (let run = 0; !world.isOver(); run++) {
        await world.pause(random.below(300))
        const client = `${number}.${run}`
        const key = `k${random.below(keys)}`
        const value = ++values
        const before = await read(world, client, key, random)
        if (before === undefined || random.chance(0.3)) continue
        const { found } = before
        if (random.chance(0.4)) {
          const pending = recorder.begin({ client, op: 'put', key, in: value })
          const put = await world.ask(random, store => store.collection(collection).put({ id: key, value }))
          settle(put, { ...pending, ok: () => pending.ok(null) })
        } else if (random.chance(0.1)) {
          const pending = recorder.begin({ client, op: 'delete', key, in: null })
          const gone = await world.ask(random, store => store.collection(collection).delete(key))
          const existed = gone.how === 'answered' ? gone.value.existed : null
          settle(gone, { ...pending, ok: () => pending.ok(existed) })
        } else {
          const from = found?.document.value ?? null
          const pending = recorder.begin({ client, op: 'cas', key, in: { from, to: value } })
          const ifVersion = found?.version ?? null
          const swap = await world.ask(random, store =>
            store.collection(collection).put({ id: key, value }, { ifVersion }),
          )
          if (isRefused(swap, 'CONFLICT')) pending.ok(false)
          else settle(swap, { ...pending, ok: () => pending.ok(true) })
        }
      }
    },
    async check(store) {
      for (let number = 0; number < keys; number++) {
        const key = `k${number}`
        const pending = recorder.begin({ client: 'the end', op: 'get', key, in: null })
        const found = await store.collection<Document>(collection).get(key)
        pending.ok(found?.value ?? null)
      }
      mustHold(checkLinearizability(recorder.history, register))
      mustHold(checkSessionOrder(recorder.history))
      return recorder.history.length
    },
  }
}
