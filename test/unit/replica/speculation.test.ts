/** What is decided and not committed is seen by later decisions, and by nobody else, in no answer. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { Store } from '../../../src/store/store.js'

t.test('a refusal waits for the commit of what it saw', async t => {
  const clock = new SimClock()
  const machine = new SimMachine({ clock, random: new Random('speculation') })
  const pass = (ms: number): Promise<void> =>
    new Promise(resolve => machine.environment.clock.after(ms, resolve))
  await clock.run(async () => {
    const store = await Store.open(machine.environment, 'data')
    await store.define('users', { key: 'id', unique: { email: { fields: ['email'] } } })
    const users = store.collection('users')
    const before = await users.put({ id: 'old', email: 'y', n: 1 })
    // From here on nothing becomes durable.
    machine.disk.setFull(true)
    const told: string[] = []
    const tell = (name: string, promise: Promise<unknown>): void => {
      promise.then(
        () => told.push(`${name}: done`),
        error => told.push(`${name}: ${(error as { code: string }).code}`),
      )
    }
    tell('insert', users.insert({ id: 'u1', email: 'x' }))
    tell('put', users.put({ id: 'old', email: 'z', n: 2 }))
    tell('same value', users.insert({ id: 'u2', email: 'x' }))
    tell('same key', users.insert({ id: 'u1', email: 'w' }))
    tell('condition', users.put({ id: 'old', email: 'y', n: 3 }, { ifVersion: before.version }))
    tell('nothing to delete', users.delete('none'))
    tell(
      'update',
      users.update('old', user => ({ ...user, id: 'old', n: 9 })),
    )
    await pass(500)
    t.strictSame(told, [], 'no answer leaves')
    t.strictSame(await users.get('old'), { id: 'old', email: 'y', n: 1 }, 'reads show what is committed')
    t.equal(await users.get('u1'), undefined)
    t.equal(await users.getBy('email', 'x'), undefined)
    t.equal(await users.count(), 1)
    machine.disk.setFull(false)
    await pass(5000)
    t.strictSame(told.sort(), [
      'condition: CONFLICT',
      'insert: done',
      'nothing to delete: done',
      'put: done',
      'same key: EXISTS',
      'same value: UNIQUE_TAKEN',
      told.find(line => line.startsWith('update')) ?? 'update: an answer',
    ])
    t.equal((await users.get('old'))?.['n'], told.includes('update: done') ? 9 : 2)
    await store.close()
  })
})

t.test('a refusal that was seen is true after a crash, at any moment', async t => {
  for (let seed = 0; seed < 24; seed++) {
    const clock = new SimClock()
    let crashed = (): void => {}
    const machine = new SimMachine({ clock, random: new Random(seed), onCrash: () => crashed() })
    const crash = new Promise<void>(resolve => {
      crashed = resolve
    })
    const refused: { holder: unknown; email: string }[] = []
    const live = async (): Promise<void> => {
      const store = await Store.open(machine.environment, 'data')
      await store.define('users', { key: 'id', unique: { email: { fields: ['email'] } } })
      const users = store.collection('users')
      machine.crashAt(1 + 2 * seed, 'none')
      await Promise.all(
        Array.from({ length: 60 }, async (_, i) => {
          await new Promise<void>(resolve => machine.environment.clock.after(i % 20, resolve))
          const email = `${i % 25}`
          try {
            await users.insert({ id: `${i}`, email })
          } catch (error) {
            const { code, details } = error as { code: string; details: { holder?: unknown } }
            if (code === 'UNIQUE_TAKEN') refused.push({ holder: details.holder, email })
          }
        }),
      )
    }
    await clock.run(Promise.race([live(), crash]))
    const env = machine.restart()
    await clock.run(async () => {
      const store = await Store.open(env, 'data')
      for (const { holder, email } of refused) {
        const found = await store.collection('users').getBy('email', email)
        if (found?.['id'] !== holder)
          t.fail(`seed ${seed}: ${email} was said to be held by ${holder}`, { found })
      }
      await store.close()
    })
  }
  t.pass('every holder that was named is there')
})
