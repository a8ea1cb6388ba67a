/**
 * Imports in named sessions, numbered by row: whoever takes the name over sends everything again from where
 * the session says, and each row is inserted once.
 */
import { isSillokError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Random } from '../../base/random.js'
import type { Session } from '../../store/session.js'
import type { Store } from '../../store/store.js'
import type { Workload, WorldClient } from './workload.js'

const collection = 'rows'

/** Rows that are on their way at once. */
const window = 8

/** So many imports, each by one client that is cut off now and then. */
export function imports({ clients = 2 } = {}): Workload {
  /** Rows of each import that were acknowledged: all up to this one. */
  const done = new Map<number, number>()

  /** From where the session says until it breaks, or the faults are over. */
  async function run(store: Store, world: WorldClient, number: number, random: Random): Promise<void> {
    const session = await store.session({ name: `import ${number}`, numbering: 'caller' })
    for (let row = session.lowWater; !world.isOver(); ) {
      await world.pause(random.below(200))
      const batch = Array.from({ length: 1 + random.below(window) }, (_, at) => row + at)
      await Promise.all(batch.map(one => insert(session, number, one)))
      if (random.chance(0.05)) await insertBeyond(session, number, row + limits.sessionWindow)
      row += batch.length
      done.set(number, Math.max(done.get(number) ?? 0, row - 1))
      release(session, row - 1, random)
      if (random.chance(0.1)) return
    }
  }

  return {
    name: 'imports',
    clients,
    define: store => store.define(collection, { key: 'id' }),
    async client(world, number, random) {
      while (!world.isOver()) {
        await world.pause(random.below(500))
        await world.ask(random, store => run(store, world, number, random))
      }
    },
    async check(store) {
      let count = 0
      for (const [number, last] of done) {
        for (let row = 1; row <= last; row++) {
          const found = await store.collection(collection).get(rowKey(number, row))
          if (found === undefined)
            throw new Error(`row ${row} of import ${number} was acknowledged and is gone`)
          count += 1
        }
      }
      for (let number = 0; number < clients; number++) {
        if ((await store.collection(collection).get(rowKey(number, 'beyond'))) !== undefined)
          throw new Error(`a row beyond the window of import ${number} was refused and is there`)
      }
      return count
    },
  }
}

function rowKey(number: number, row: number | string): string {
  return `${number}.${row}`
}

/**
 * A second execution would meet the first one's document. Of every other import all requests name one key
 * first, so that their kept answers stand together, and go when they are acknowledged.
 */
async function insert(session: Session, number: number, row: number): Promise<void> {
  const document = { id: rowKey(number, row), row }
  const first = { put: { id: `import ${number}` }, in: collection }
  try {
    if (number % 2 === 0) await session.collection(collection).insert(document, { sequence: row })
    else await session.batch([first, { insert: document, in: collection }], { sequence: row })
  } catch (error) {
    if (isSillokError(error, 'EXISTS')) throw new Error(`row ${row} of import ${number} was executed twice`)
    throw error
  }
}

/** No session keeps so many answers: it is refused, whatever became of the rows before. */
async function insertBeyond(session: Session, number: number, row: number): Promise<void> {
  const document = { id: rowKey(number, 'beyond') }
  await session
    .collection(collection)
    .insert(document, { sequence: row })
    .then(
      () => {
        throw new Error(`row ${row} of import ${number} is beyond the window and was taken`)
      },
      (error: unknown) => {
        if (!isSillokError(error, 'WINDOW_FULL')) throw error
      },
    )
}

/** Not always: a session that lags behind is resumed further back. */
function release(session: Session, through: number, random: Random): void {
  if (random.chance(0.8)) session.release(through)
}
