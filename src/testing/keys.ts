/** Parts of a history: its keys, and whatever else its operations have in common. */
import type { History, Operation } from './history.js'

/** The operations of each key, in the order of their calls. */
export function byKey(history: History): Map<string, Operation[]> {
  return grouped(
    history.toSorted((a, b) => a.call - b.call),
    operation => operation.key,
  )
}

/** The things by name, in their order. */
export function grouped<T, Name>(things: Iterable<T>, nameOf: (thing: T) => Name): Map<Name, T[]> {
  const groups = new Map<Name, T[]>()
  for (const thing of things) {
    const name = nameOf(thing)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [thing])
    else group.push(thing)
  }
  return groups
}
