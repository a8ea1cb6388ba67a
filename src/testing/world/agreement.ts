/** What all replicas of a group that came together must have alike: log, sealed segments, group, state. */
import { assert, must } from '../../base/assert.js'
import type { Entry } from '../../base/entry.js'
import { isSillokError } from '../../base/errors.js'
import type { LogIndex } from '../../base/ids.js'
import { encodeMembership } from '../../replica/memberships.js'
import type { OpenedReplica } from '../../replica/open-replica.js'

/** Throws what two of them differ in, or what of one does not fit. All have applied the same entries. */
export async function checkAgreement(opened: readonly OpenedReplica[]): Promise<void> {
  const through = Math.min(...opened.map(({ state }) => state.applied))
  compareStates(opened)
  const logs = await Promise.all(opened.map(one => logOf(one, through)))
  const begin = Math.max(...logs.map(log => log[0]?.index ?? through + 1))
  const [first, ...others] = logs.map(log =>
    Buffer.concat(log.filter(({ index }) => index >= begin).map(({ bytes }) => bytes)),
  )
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

/** Reads all that it holds. False if that is damaged, which only one whose files rot may be. */
export async function isIntact({ segments, state }: OpenedReplica, hasRot: boolean): Promise<boolean> {
  try {
    await state.scrub()
    await entriesOf(segments)
    return true
  } catch (error) {
    if (!isSillokError(error, 'DAMAGED') || !hasRot) throw error
    return false
  }
}

/** Sealed segments that have an entry in common are the same files: all cut the log at the same entries. */
function compareSegments(opened: readonly OpenedReplica[]): void {
  const all = opened.flatMap(({ segments }) => segments.sealed).sort((a, b) => a.firstIndex - b.firstIndex)
  all.forEach((segment, at) => {
    const before = all[at - 1]
    if (before === undefined || before.lastIndex < segment.firstIndex) return
    const isSame = before.firstIndex === segment.firstIndex && before.lastIndex === segment.lastIndex
    assert(isSame && before.sha256.equals(segment.sha256), () => {
      const [one, other] = [before, segment].map(({ firstIndex, lastIndex }) => `${firstIndex}-${lastIndex}`)
      return `the segments ${one} and ${other} of two replicas differ`
    })
  })
}

/** The entries that its log has, through that one. */
async function logOf({ segments }: OpenedReplica, through: LogIndex): Promise<readonly Entry[]> {
  await segments.sync()
  const entries = await entriesOf(segments)
  assert(
    (entries.at(-1)?.index ?? segments.firstIndex - 1) >= through,
    'the segments hold all that is applied',
  )
  return entries.filter(({ index }) => index <= through)
}

/** All of them; again if the log is trimmed meanwhile. */
async function entriesOf(segments: OpenedReplica['segments']): Promise<readonly Entry[]> {
  for (;;) {
    try {
      return await segments.read(segments.firstIndex, { bytesMax: Number.MAX_SAFE_INTEGER })
    } catch (error) {
      if (!isSillokError(error, 'LOG_TRUNCATED')) throw error
    }
  }
}
