/** While the traps are set nothing gets at real time, real timers or real chance. */
import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as timerOfModule } from 'node:timers'
import { setTimeout as promiseOfModule } from 'node:timers/promises'
import t from 'tap'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { trapGlobals } from '../../../src/sim/trapped-globals.js'

const forbidden: readonly (() => unknown)[] = [
  () => Date.now(),
  () => new Date(),
  () => (Date as unknown as () => string)(),
  () => Math.random(),
  () => setTimeout(() => {}, 0),
  () => setInterval(() => {}, 0),
  () => setImmediate(() => {}),
  () => timerOfModule(() => {}, 0),
  () => promiseOfModule(0),
  () => process.hrtime(),
  () => process.hrtime.bigint(),
  () => process.uptime(),
  () => performance.now(),
  () => crypto.randomUUID(),
  () => crypto.getRandomValues(new Uint8Array(1)),
  () => randomUUID(),
  () => randomBytes(1),
]

/** What may be changed, as far as it can be seen. */
function surface(): unknown[] {
  const owners = [globalThis, Date, Math, performance, process, crypto]
  return owners.map(owner => {
    const all = Object.getOwnPropertyDescriptors(owner)
    return Object.entries(all).map(([name, { value, get, ...flags }]) => ({ name, value, get, ...flags }))
  })
}

t.test('whoever wants real time, a timer or chance is told so; the simulated clock goes on', async t => {
  const told: string[] = []
  const before = surface()
  const undo = trapGlobals(error => told.push(error.message))
  const messages: string[] = []
  const clock = new SimClock()
  let year = 0
  let firedMs = 0
  try {
    clock.after(10, () => {
      for (const call of forbidden) {
        try {
          call()
          messages.push(`${call} is let through`)
        } catch (error) {
          messages.push((error as Error).message)
        }
      }
      year = new Date(0).getUTCFullYear() + (new Date(5) instanceof Date ? 0 : 1)
    })
    clock.after(20, () => {
      firedMs = clock.monotonicMs()
    })
    await clock.runFor(30)
  } finally {
    undo()
    undo()
  }
  t.equal(messages.length, forbidden.length)
  for (const message of messages) t.match(message, / inside a simulation: time is a Clock/)
  t.strictSame(told, messages, 'also of those that somebody catches')
  t.equal(year, 1970)
  t.equal(firedMs, 20)
  const after = surface()
  for (const [i, owner] of before.entries()) t.strictSame(after[i], owner)
  for (const call of forbidden) {
    const timer = call()
    if (timer instanceof Object && Symbol.toPrimitive in timer) clearTimeout(timer as NodeJS.Timeout)
  }
})

t.test('what an event throws by a trap comes out of run', async t => {
  const undo = trapGlobals()
  const clock = new SimClock()
  clock.after(1, () => Math.random())
  const error = await clock.runFor(5).then(
    () => undefined,
    (thrown: Error) => thrown.message,
  )
  undo()
  t.match(error, /^Math.random inside a simulation/)
})

t.test('traps are set once', t => {
  const undo = trapGlobals()
  let message = ''
  try {
    trapGlobals()
  } catch (error) {
    message = (error as Error).message
  }
  undo()
  t.match(message, /trapped already/)
  trapGlobals()()
  t.end()
})
