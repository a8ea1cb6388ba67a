/**
 * Inserts of many documents that nobody waits for one by one: what was answered is there, what was refused as
 * not applied is not, and of the rest nobody knows.
 */
import { assert } from '../../base/assert.js'
import { SillokError } from '../../base/errors.js'
import { unjustified } from '../world/justified.js'
import { isUnknown, type Told, type Workload } from './workload.js'

const collection = 'bursts'

/** Bursts of inserts, each of so many documents, under so many clients. */
export function bursts({ size = 60, clients = 2 } = {}): Workload {
  const answered = new Set<string>()
  const unknown = new Set<string>()
  let asked = 0

  return {
    name: 'bursts',
    clients,
    define: store => store.define(collection, { key: 'id' }),
    async client(world, number, random) {
      for (let run = 0; !world.isOver(); run++) {
        await world.pause(random.below(4000))
        const ids = Array.from({ length: 1 + random.below(size) }, (_, n) => `${number}.${run}.${n}`)
        asked += ids.length
        const told = await world.ask(random, store => {
          const documents = store.collection<{ readonly id: string }>(collection)
          return Promise.all(ids.map(id => tellOf(documents.insert({ id }))))
        })
        ids.forEach((id, n) => {
          const one = told.how === 'answered' ? told.value[n] : told
          const wrong = one?.how === 'refused' ? unjustified(one.error, {}) : undefined
          assert(wrong === undefined, () => `${id}: ${wrong}`)
          if (one?.how === 'answered') answered.add(id)
          else if (one !== undefined && isUnknown(one)) unknown.add(id)
        })
      }
    },
    async check(store) {
      const there = new Set<string>()
      for await (const { id } of store.collection<{ id: string }>(collection).scan()) there.add(id)
      for (const id of answered) assert(there.has(id), () => `${id} was inserted, and is not there`)
      for (const id of there) {
        assert(answered.has(id) || unknown.has(id), () => `${id} is there, and its insert was refused`)
      }
      return asked
    },
  }
}

function tellOf<T>(call: Promise<T>): Promise<Told<T>> {
  return call.then(
    (value): Told<T> => ({ how: 'answered', value }),
    (error: unknown): Told<T> => {
      if (!(error instanceof SillokError)) throw error
      return { how: 'refused', error }
    },
  )
}
