/**
 * Work as another process would do it: at another time, in another time zone and locale, with other chance.
 * What depends on none of them does the same there as here.
 */

/** A moment far from now, on another day of the week. */
const otherMs = 4_102_444_799_999
const zones = ['Pacific/Kiritimati', 'America/St_Johns']

/** Puts something else in a place until what it returns is called. */
function replace(holder: object, name: string, make: (before: unknown) => unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(holder, name)
  if (before?.configurable !== true) return () => {}
  const value = make(Reflect.get(holder, name))
  Object.defineProperty(holder, name, {
    value,
    configurable: true,
    writable: true,
    enumerable: before.enumerable ?? false,
  })
  return () => void Object.defineProperty(holder, name, before)
}

function otherDate(before: unknown): unknown {
  return new Proxy(before as DateConstructor, {
    construct: (target, args, asked) =>
      Reflect.construct(target, args.length === 0 ? [otherMs] : args, asked),
    apply: target => new target(otherMs).toString(),
    get: (target, name) => (name === 'now' ? () => otherMs : Reflect.get(target, name)),
  })
}

function otherZone(): () => void {
  const before = process.env['TZ']
  process.env['TZ'] = zones.find(zone => zone !== before) ?? 'UTC'
  return () => {
    if (before === undefined) delete process.env['TZ']
    else process.env['TZ'] = before
  }
}

/**
 * Runs the work there. Whatever else runs in this process meanwhile is there too: so the work waits for
 * nothing but promises that are settled already.
 */
export async function elsewhere<T>(work: () => Promise<T>): Promise<T> {
  const date = otherDate(Reflect.get(globalThis, 'Date'))
  const refused = (): never => {
    throw new Error('what depends on a locale differs between processes (Intl)')
  }
  const texts = String.prototype
  const backs = [
    otherZone(),
    replace(Reflect.get(globalThis, 'Date').prototype, 'constructor', () => date),
    replace(globalThis, 'Date', () => date),
    replace(globalThis, 'Intl', before => new Proxy(before as object, { get: refused })),
    replace(Math, 'random', () => () => 0.999),
    replace(Reflect.get(globalThis, 'performance') as object, 'now', () => () => otherMs),
    replace(texts, 'localeCompare', otherOrder),
    replace(texts, 'toLocaleLowerCase', () => textItself),
    replace(texts, 'toLocaleUpperCase', () => textItself),
    replace(Number.prototype, 'toLocaleString', () => () => 'a number elsewhere'),
  ]
  try {
    return await work()
  } finally {
    for (const back of backs.reverse()) back()
  }
}

function textItself(this: string): string {
  return `${this}`
}

function otherOrder(before: unknown): unknown {
  return function (this: string, ...args: unknown[]): number {
    return -(before as (...args: unknown[]) => number).apply(this, args)
  }
}
