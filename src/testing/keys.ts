/** A history by its keys: each is checked alone. */
import { groupBy } from '../base/group-by.js'
import type { History, Operation } from './history.js'

/** The operations of each key, in the order of their calls. */
export function byKey(history: History): Map<string, Operation[]> {
  return groupBy(
    history.toSorted((a, b) => a.call - b.call),
    operation => operation.key,
  )
}
