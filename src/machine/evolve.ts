/**
 * What a committed entry does to the state: exactly what its facts say, and nothing is read.
 *
 * So replicas may run different releases, and replaying entries over newer or holed state converges.
 */
import { type Entry, entryBody, entryHeadBytes, entryKinds, entryLevel } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { LogTime } from '../base/ids.js'
import { decodeFacts, type Facts } from '../codec/facts.js'

/**
 * The facts of the entry: none for an empty one. Throws UPGRADE_REQUIRED for what this release does not know.
 */
export function evolve(entry: Entry): Facts {
  if (entry.level > entryLevel) throw unknown(entry, `format level ${entry.level}`)
  if (entry.kind === entryKinds.facts) return decodeFacts(entryBody(entry))
  const isWithoutFacts = entry.kind === entryKinds.empty || entry.kind === entryKinds.configuration
  if (isWithoutFacts) return { time: timeOf(entry), facts: [] }
  throw unknown(entry, `kind ${entry.kind}`)
}

/** The log time of an entry, whatever its kind: every body begins with it, in 6 bytes. */
export function timeOf(entry: Entry): LogTime {
  return entryBody(entry).readUIntLE(0, 6)
}

/** Room for the head, and the body of an entry that tells the log time and nothing else. */
export function timeEntry(time: LogTime): Buffer {
  const bytes = Buffer.alloc(entryHeadBytes + 6)
  bytes.writeUIntLE(time, entryHeadBytes, 6)
  return bytes
}

function unknown(entry: Entry, what: string): SillokError {
  const message = `entry ${entry.index} of partition ${entry.partition} has ${what}, unknown to this release`
  return new SillokError('UPGRADE_REQUIRED', message)
}
