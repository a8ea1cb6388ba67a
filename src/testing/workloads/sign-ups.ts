/** Sign-ups with an e-mail that is unique: no two are there at once, and who is refused met the other one. */
import type { Random } from '../../base/random.js'
import type { Collection } from '../../store/collection.js'
import type { Store } from '../../store/store.js'
import { HistoryRecorder } from '../recorder.js'
import { checkUniqueClaims } from '../unique-claims.js'
import { isRefused, isUnknown, mustHold, settle, type Workload, type WorldClient } from './workload.js'

const collection = 'users'

type User = { readonly id: string; readonly email: string; readonly city: string }

const cities = ['Seoul', 'Busan', 'Jeju']

/** Sign-ups of so many e-mails by so many clients. */
export class SignUps implements Workload {
  readonly name = 'sign-ups'
  readonly clients: number
  readonly #emails: number
  readonly #recorder: HistoryRecorder

  constructor(nowNs: () => number, { emails = 6, clients = 4 } = {}) {
    this.clients = clients
    this.#emails = emails
    this.#recorder = new HistoryRecorder(nowNs)
  }

  define(store: Store): Promise<void> {
    return store.define(collection, {
      key: 'id',
      unique: { email: { fields: ['email'], normalize: ['trim', 'nfc', 'fold'] } },
      indexes: {
        byCity: { type: 'secondary', fields: ['city'] },
        text: { type: 'search', fields: ['city', 'email'] },
      },
    })
  }

  async client(world: WorldClient, number: number, random: Random): Promise<void> {
    const own: string[] = []
    for (let run = 0; !world.isOver(); run++) {
      await world.pause(random.below(400))
      const client = `${number}.${run}`
      const leaving = own.length > 0 && random.chance(0.4) ? own.shift() : undefined
      if (leaving !== undefined) await this.#leave(world, client, leaving, random)
      else if (await this.#enter(world, client, random)) own.push(`u${client}`)
    }
  }

  async check(store: Store): Promise<number> {
    const { history } = this.#recorder
    mustHold(checkUniqueClaims(history))
    const users = store.collection<User>(collection)
    await this.#checkThose(users)
    const deleted = new Set(history.filter(({ op }) => op === 'delete').map(({ key }) => key))
    for (const { op, key, out } of history) {
      if (op !== 'insert' || out !== true || deleted.has(key)) continue
      if ((await users.get(key)) === undefined) throw new Error(`${key} was acknowledged and is gone`)
    }
    await checkCities(users)
    return history.length
  }

  async #leave(world: WorldClient, client: string, key: string, random: Random): Promise<void> {
    const pending = this.#recorder.begin({ client, op: 'delete', key, in: null })
    const told = await world.ask(random, store => store.collection(collection).delete(key))
    settle(pending, told, ({ existed }) => existed)
  }

  /** Whether the user is there now, or may be. */
  async #enter(world: WorldClient, client: string, random: Random): Promise<boolean> {
    const email = `e${random.below(this.#emails)}`
    const id = `u${client}`
    const pending = this.#recorder.begin({ client, op: 'insert', key: id, in: email })
    const written = random.chance(0.5) ? email : ` ${email.toUpperCase()}`
    const user: User = { id, email: written, city: random.pick(cities) }
    const told = await world.ask(random, store => store.collection<User>(collection).insert(user))
    if (isRefused(told, 'UNIQUE_TAKEN')) pending.ok(false)
    else settle(pending, told, () => true)
    return told.how === 'answered' || isUnknown(told)
  }

  /** Who is there holds his e-mail, alone, and was not refused. */
  async #checkThose(users: Collection<User>): Promise<void> {
    const byEmail = new Map<string, string>()
    for await (const { id, email: written } of users.scan()) {
      const email = written.trim().toLowerCase()
      const other = byEmail.get(email)
      if (other !== undefined) throw new Error(`${other} and ${id} are both there with ${email}`)
      byEmail.set(email, id)
      const holder = await users.getBy('email', email)
      if (holder?.id !== id) throw new Error(`${email} is held by ${holder?.id}, not by ${id}`)
      const insert = this.#recorder.history.find(({ key, op }) => op === 'insert' && key === id)
      if (insert?.status === 'fail' || insert?.out === false)
        throw new Error(`${id} is there, though refused`)
    }
  }
}

/** Both indexes are the function of the documents that they say they are. */
async function checkCities(users: Collection<User>): Promise<void> {
  const all: User[] = []
  for await (const user of users.scan()) all.push(user)
  for (const city of cities) {
    const expected = all.filter(user => user.city === city).map(({ id }) => id)
    const found: string[] = []
    for await (const { id } of users.find('byCity', { eq: [city] })) found.push(id)
    const page = await users.search('text', city, { limit: 1000 })
    const hits = page.hits.map(({ document }) => document.id).sort()
    const same = (ids: readonly string[]): boolean => [...ids].sort().join() === [...expected].sort().join()
    if (!same(found))
      throw new Error(`byCity shows ${found.join()} in ${city}, and there are ${expected.join()}`)
    if (!same(hits))
      throw new Error(`a search for ${city} finds ${hits.join()}, and there are ${expected.join()}`)
  }
}
