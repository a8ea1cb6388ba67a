/** What all replicas of a group that came together must have alike: log, sealed segments, group, state. */
import { assert, must } from '../../base/assert.js'
import type { LogIndex } from '../../base/ids.js'
import { encodeMembership } from '../../replica/memberships.js'
import type { OpenedReplica } from '../../replica/open-replica.js'

/** Throws what two of them differ in, or what of one does not fit. All have applied the same entries. */
export async function checkAgreement(opened: readonly OpenedReplica[]): Promise<void> {
  const through = Math.min(...opened.map(({ state }) => state.applied))
  compareStates(opened)
  const begin = Math.max(...opened.map(({ segments }) => segments.firstIndex))
  const [first, ...others] = await Promise.all(opened.map(one => bytesOf(one, begin, through)))
  for (const bytes of others) assert(bytes.equals(must(first, 'a log')), 'two logs differ')
  compareSegments(opened)
  const groups = opened.map(({ memberships }) => encodeMembership(memberships.newest).toString())
  assert(new Set(groups).size === 1, () => `groups differ: ${groups.join(' ')}`)
  for (const { state } of opened) {
    const { slots } = await state.scrub()
    assert(slots.length === 0, () => `digests do not fit in slots ${slots.join(', ')}`)
  }
}

function compareStates(opened: readonly OpenedReplica[]): void {
  const applied = opened.map(({ state }) => state.applied)
  assert(new Set(applied).size === 1, () => `they have applied ${applied.join(', ')}`)
  const [digests, ...rest] = opened.map(({ state }) => Buffer.from(state.digests().slice().buffer))
  for (const one of rest) assert(one.equals(must(digests, 'digests')), 'two states differ')
}

/** Sealed segments of the same entries are the same files. */
function compareSegments(opened: readonly OpenedReplica[]): void {
  const seen = new Map<LogIndex, { readonly lastIndex: LogIndex; readonly sha256: Buffer }>()
  for (const { segments } of opened) {
    for (const segment of segments.sealed) {
      const other = seen.get(segment.firstIndex)
      seen.set(segment.firstIndex, segment)
      const isSame =
        other === undefined || (other.lastIndex === segment.lastIndex && other.sha256.equals(segment.sha256))
      assert(isSame, () => `two segments from entry ${segment.firstIndex} differ`)
    }
  }
}

/** The log from that entry through the other one. */
async function bytesOf({ segments }: OpenedReplica, begin: LogIndex, through: LogIndex): Promise<Buffer> {
  await segments.sync()
  const entries = await segments.read(begin, { bytesMax: Number.MAX_SAFE_INTEGER })
  assert((entries.at(-1)?.index ?? begin - 1) >= through, 'the segments hold all that is applied')
  return Buffer.concat(entries.filter(({ index }) => index <= through).map(entry => entry.bytes))
}
