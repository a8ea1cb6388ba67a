/**
 * Counters and lists, each change a request with an id, sent again and again, to any node, until its answer
 * is known: each has exactly one effect.
 */
import type { Store } from '../../store/store.js'
import { checkExactlyOnce } from '../exactly-once.js'
import type { Value } from '../history.js'
import { HistoryRecorder, type Pending } from '../recorder.js'
import { isRefused, mustHold, settle, untilTold, type Workload } from './workload.js'

const collection = 'counters'

type Document = { readonly id: string; readonly sum?: number; readonly list?: readonly number[] }

/** Counters and lists: so many of each, under so many clients. */
export function counters(nowNs: () => number, { keys = 2, clients = 4 } = {}): Workload {
  const recorder = new HistoryRecorder(nowNs)
  let elements = 0

  const change = (key: string, element: number) => (before: Document | undefined) =>
    key.startsWith('s')
      ? { id: key, sum: (before?.sum ?? 0) + 1 }
      : { id: key, list: [...(before?.list ?? []), element] }

  return {
    name: 'counters',
    clients,
    define: store => store.define(collection, { key: 'id' }),
    async client(world, number, random) {
      for (let run = 0; !world.isOver(); run++) {
        await world.pause(random.below(500))
        const key = `${random.pick(['s', 'l'])}${random.below(keys)}`
        const client = `${number}.${run}`
        const element = ++elements
        const pending = key.startsWith('s')
          ? recorder.begin({ client, op: 'incr', key, in: 1 })
          : recorder.begin({ client, op: 'append', key, in: element })
        let requestId: string | undefined
        const told = await untilTold(world, random, (store: Store) => {
          requestId ??= store.requestId()
          return store.collection<Document>(collection).update(key, change(key, element), { requestId })
        })
        // It took effect, and what it wrote is not known any more.
        if (isRefused(told, 'LOG_TRUNCATED')) pending.ok(null)
        // Ten tries met ten other changes: the request was refused, and that is its answer.
        else settle(pending as Pending<'incr'>, told, () => null)
      }
    },
    async check(store) {
      const finals = new Map<string, Value>()
      for (const { key } of recorder.history) {
        const found = await store.collection<Document>(collection).get(key)
        finals.set(key, found?.sum ?? found?.list ?? null)
      }
      mustHold(checkExactlyOnce(recorder.history, finals))
      return recorder.history.length
    },
  }
}
