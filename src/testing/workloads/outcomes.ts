/**
 * Inserts under request ids of which it is asked what became of them: what is told stays so, and what was
 * fenced never comes.
 */
import type { Random } from '../../base/random.js'
import type { Store } from '../../store/store.js'
import { isRefused, untilTold, type Workload, type WorldClient } from './workload.js'

const collection = 'requests'

/** So many clients. */
export function outcomes({ clients = 2 } = {}): Workload {
  /** Whether it is there in the end, as far as that was told. */
  const told = new Map<string, boolean>()
  let keys = 0

  async function one(world: WorldClient, random: Random): Promise<void> {
    const id = `r${++keys}`
    let requestId: string | undefined
    const insert = (store: Store): Promise<unknown> => {
      requestId ??= store.requestId()
      return store.collection(collection).insert({ id }, { requestId })
    }
    // Not all wait for their answers: what is asked then may be ahead of the request.
    const sent = world.ask(random, insert)
    const first = random.chance(0.5) ? await sent : undefined
    if (first === undefined) await world.pause(random.below(300))
    if (first?.how === 'answered') told.set(id, true)
    const ownId = requestId
    if (ownId === undefined) return
    const answer = await untilTold(world, random, store => store.outcome(ownId, { collection, key: id }))
    if (answer.how !== 'answered') return
    const isThere = answer.value.state === 'committed'
    if (answer.value.state === 'refused') throw new Error(`${id}: ${answer.value.error.message}`)
    const isRefusedFirst = first?.how === 'refused' && first.error.outcome === 'not-applied'
    if (isRefusedFirst && isThere) throw new Error(`${id} was refused, and then committed`)
    if (told.get(id) === true && !isThere) throw new Error(`${id} was acknowledged, and then fenced`)
    told.set(id, isThere)
    if (random.chance(0.5)) return
    const again = await untilTold(world, random, insert)
    if (isRefused(again, 'EXISTS')) throw new Error(`the insert of ${id} was executed twice`)
    if (again.how === 'answered' && !isThere) throw new Error(`${id} was fenced, and then inserted`)
    if (isRefused(again, 'REQUEST_FENCED') && isThere) throw new Error(`${id} was there, and then fenced`)
    const late = await sent
    if (late.how === 'answered' && !isThere) throw new Error(`${id} was fenced, and acknowledged`)
  }

  return {
    name: 'outcomes',
    clients,
    define: store => store.define(collection, { key: 'id' }),
    async client(world, _, random) {
      while (!world.isOver()) {
        await world.pause(random.below(800))
        await one(world, random)
      }
    },
    async check(store) {
      const there = new Set<string>()
      for await (const { id } of store.collection<{ id: string }>(collection).scan()) there.add(id)
      for (const [id, isThere] of told) {
        if (there.has(id) !== isThere)
          throw new Error(`${id} is ${isThere ? 'gone' : 'there'}, though it was told otherwise`)
      }
      return told.size
    },
  }
}
