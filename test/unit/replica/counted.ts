/** An environment that knows what is open: files and key-value stores. */
import type { Environment } from '../../../src/env/environment.js'

/** The environment, and what was opened there and not closed. */
export interface Counted {
  readonly env: Environment
  readonly open: ReadonlySet<string>
  /** Called before a key-value store is opened; may throw. */
  beforeStore: (folder: string) => void
}

interface Closable {
  close(): Promise<void>
}

/** Counts in that environment. */
export function counted(env: Environment): Counted {
  const open = new Set<string>()
  let opened = 0
  const note = <T extends Closable>(one: T, name: string): T => {
    const id = `${++opened} ${name}`
    open.add(id)
    const close = async (): Promise<void> => {
      await one.close()
      open.delete(id)
    }
    return overlaid(one, { close } as Partial<T>)
  }
  const { disk, keyValue } = env
  const counts: Counted = {
    env: {
      ...env,
      disk: overlaid(disk, {
        open: async (path, options) => note(await disk.open(path, options), path),
      }),
      keyValue: overlaid(keyValue, {
        open: async (folder, options) => {
          counts.beforeStore(folder)
          return note(await keyValue.open(folder, options), folder)
        },
      }),
    },
    open,
    beforeStore: () => {},
  }
  return counts
}

/** All of the object but for these members. */
function overlaid<T extends object>(one: T, members: Partial<T>): T {
  return new Proxy(one, {
    get: (target, name) => {
      if (name in members) return Reflect.get(members, name) as unknown
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
}
