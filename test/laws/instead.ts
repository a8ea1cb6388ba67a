/** Objects of which some methods do something else. */

/** Methods instead of those of T; each is given what it stands before. */
export type Instead<T> = {
  readonly [Name in keyof T]?: T[Name] extends (...args: infer Args) => infer Answer
    ? (inner: T, ...args: Args) => Answer
    : never
}

/** The object, with these methods instead of its own. */
export function withInstead<T extends object>(inner: T, instead: object): T {
  return new Proxy(inner, {
    get(target, name) {
      const own: unknown = Reflect.get(instead, name)
      if (typeof own === 'function') return (...args: unknown[]) => own(target, ...args)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
