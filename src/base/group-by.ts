/** Things that belong together. */

/** The things by name, in their order. */
export function groupBy<T, Name>(things: Iterable<T>, nameOf: (thing: T) => Name): Map<Name, T[]> {
  const groups = new Map<Name, T[]>()
  for (const thing of things) {
    const name = nameOf(thing)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [thing])
    else group.push(thing)
  }
  return groups
}
