/**
 * Traps for what a simulation must not touch: real time, real timers, real chance.
 *
 * While they are set, whoever reads the wall clock or the monotonic one, starts a timer or draws from the
 * system's chance gets an Error that says so: by the global names, and by the modules of Node (`node:timers`,
 * `node:timers/promises`, `node:crypto`), however they were imported. What was taken out of them before (as
 * `const { now } = Date`) is not seen, nor is what Node itself uses inside. The simulated clock's own turn of
 * the event loop goes on; promises, `queueMicrotask` and `process.nextTick` are no source of disorder and
 * stay.
 */
import { assert } from '../base/assert.js'

/** Names of properties of one object. */
type Place = readonly [object: object, prefix: string, names: readonly string[]]

const timerNames = ['setTimeout', 'setInterval', 'setImmediate']

let isSet = false

/**
 * Sets the traps; what is returned takes them away, and everything is as it was. `told` hears of each one
 * that was stepped into, though somebody may have caught the error.
 */
export function trapGlobals(told: (error: Error) => void = () => {}): () => void {
  assert(!isSet, 'the globals are trapped already')
  isSet = true
  const undo: (() => void)[] = []
  const trap = (name: string) => (): never => {
    const error = new Error(`${name} inside a simulation: time is a Clock, chance is a Random`)
    told(error)
    throw error
  }
  const put = (object: object, name: string, value: unknown): void => {
    const old = Object.getOwnPropertyDescriptor(object, name)
    undo.push(() => {
      if (old === undefined) Reflect.deleteProperty(object, name)
      else Object.defineProperty(object, name, old)
    })
    Object.defineProperty(object, name, {
      value,
      configurable: true,
      writable: true,
      enumerable: old?.enumerable === true,
    })
  }
  for (const [object, prefix, names] of places()) {
    for (const name of names) if (name in object) put(object, name, trap(`${prefix}${name}`))
  }
  const hrtime = Object.assign(trap('process.hrtime'), { bigint: trap('process.hrtime.bigint') })
  put(process, 'hrtime', hrtime)
  const { Date: date } = globalThis
  put(globalThis, 'Date', datesWithoutPresent(date, trap('new Date()')))
  const { syncBuiltinESMExports } = process.getBuiltinModule('node:module')
  syncBuiltinESMExports()
  return () => {
    if (!isSet) return
    isSet = false
    for (const one of undo.splice(0).toReversed()) one()
    syncBuiltinESMExports()
  }
}

function places(): Place[] {
  return [
    [globalThis, '', timerNames],
    [process.getBuiltinModule('node:timers'), 'timers.', timerNames],
    [process.getBuiltinModule('node:timers/promises'), 'timers/promises.', timerNames],
    [globalThis.Date, 'Date.', ['now']],
    [globalThis.performance, 'performance.', ['now']],
    [process, 'process.', ['uptime']],
    [Math, 'Math.', ['random']],
    [globalThis.crypto, 'crypto.', ['randomUUID', 'getRandomValues']],
    [
      process.getBuiltinModule('node:crypto'),
      'crypto.',
      ['randomUUID', 'randomBytes', 'randomInt', 'randomFill', 'randomFillSync'],
    ],
  ]
}

/** The same class, but for the present: `new Date()` and `Date()` step into the trap. */
function datesWithoutPresent(date: DateConstructor, trap: () => never): DateConstructor {
  return new Proxy(date, {
    construct: (target, given, made) =>
      given.length === 0 ? trap() : (Reflect.construct(target, given, made) as object),
    apply: trap,
  })
}
