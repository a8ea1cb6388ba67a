/** Sign-ups with an e-mail that is unique: no two are there at once, and who is refused met the other one. */

import { HistoryRecorder } from '../recorder.js'
import { checkUniqueClaims } from '../unique-claims.js'
import { isRefused, isUnknown, mustHold, type Workload } from './workload.js'

const collection = 'users'

type User = { readonly id: string; readonly email: string; readonly city: string }

const cities = ['Seoul', 'Busan', 'Jeju']

/** Sign-ups of so many e-mails by so many clients. */
export function signUps(nowNs: () => number, { emails = 6, clients = 4 } = {}): Workload {
  const recorder = new HistoryRecorder(nowNs)
  return {
    name: 'sign-ups',
    clients,
    define: store =>
      store.define(collection, {
        key: 'id',
        unique: { email: { fields: ['email'], normalize: ['trim', 'nfc', 'fold'] } },
        indexes: {
          byCity: { type: 'secondary', fields: ['city'] },
          text: { type: 'search', fields: ['city', 'email'] },
        },
      }),
    async client(world, number, random) {
      const own: string[] = []
      for (let run = 0; !world.isOver(); run++) {
        await world.pause(random.below(400))
        const client = `${number}.${run}`
        const leaving = own.length > 0 && random.chance(0.4) ? own.shift() : undefined
        if (leaving !== undefined) {
          const pending = recorder.begin({ client, op: 'delete', key: leaving, in: null })
          const told = await world.ask(random, store => store.collection(collection).delete(leaving))
          if (told.how === 'answered') pending.ok(told.value.existed)
          else if (isUnknown(told)) pending.info()
          else pending.fail()
          continue
        }
        const key = `u${number}.${run}`
        const email = `e${random.below(emails)}`
        const pending = recorder.begin({ client, op: 'insert', key, in: email })
        const user: User = {
          id: key,
          email: random.chance(0.5) ? email : ` ${email.toUpperCase()}`,
          city: random.pick(cities),
        }
        const told = await world.ask(random, store => store.collection<User>(collection).insert(user))
        if (told.how === 'answered') {
          pending.ok(true)
          own.push(key)
        } else if (isRefused(told, 'UNIQUE_TAKEN')) pending.ok(false)
        else if (isUnknown(told)) {
          pending.info()
          own.push(key)
        } else pending.fail()
      }
    },
    async check(store) {
      mustHold(checkUniqueClaims(recorder.history))
      const users = store.collection<User>(collection)
      const byEmail = new Map<string, string>()
      for await (const user of users.scan()) {
        const email = user.email.trim().toLowerCase()
        const other = byEmail.get(email)
        if (other !== undefined) throw new Error(`${other} and ${user.id} are both there with ${email}`)
        byEmail.set(email, user.id)
        const holder = await users.getBy('email', email)
        if (holder?.id !== user.id) throw new Error(`${email} is held by ${holder?.id}`)
        const { status } = recorder.history.find(({ key, op }) => op === 'insert' && key === user.id) ?? {}
        if (status !== 'ok' && status !== 'info')
          throw new Error(`${user.id} is there, though it was ${status}`)
      }
      const deleted = new Set(recorder.history.filter(({ op }) => op === 'delete').map(({ key }) => key))
      for (const { op, key, out } of recorder.history) {
        if (op !== 'insert' || out !== true || deleted.has(key)) continue
        if ((await users.get(key)) === undefined) throw new Error(`${key} was acknowledged and is gone`)
      }
      return recorder.history.length
    },
  }
}
