/** What a leader does with entries that it had to read first, when the member went on meanwhile. */
import t from 'tap'
import { type Entry, encodeEntry, entryKinds } from '../../../src/base/entry.js'
import type { Core } from '../../../src/raft/core.js'
import type { NeedEntries } from '../../../src/raft/messages.js'
import { Progress } from '../../../src/raft/progress.js'
import { takeLoaded } from '../../../src/raft/replication.js'
import type { Leader } from '../../../src/raft/role.js'

const entryAt = (index: number): Entry =>
  encodeEntry({ partition: 1, index, term: 1, kind: entryKinds.facts }, Buffer.alloc(1))
const entries = [13, 14].map(entryAt)

/** A leader with entries up to 20; what its member 2 gets from 13 on is being read. What leaves is `sent`. */
function world() {
  const sent: { previousIndex: number; entries: readonly Entry[] }[] = []
  const core = {
    log: { commit: 20, term: () => 1, entries: () => [] },
    options: { appendBytesMax: 1000 },
    send: (_: number, message: (typeof sent)[number]) => sent.push(message),
  } as unknown as Core
  const progress = new Progress(2, 12, 13, { appendsMax: 10, bytesMax: 10_000 })
  progress.becomeReplicate()
  progress.loading = 13
  const leader = { progress: new Map([[2, progress]]) } as unknown as Leader
  const request: NeedEntries = { type: 'needEntries', to: 2, term: 1, from: 13, through: 20, bytesMax: 1000 }
  const load = (): void => takeLoaded(core, leader, { type: 'entriesLoaded', request, entries })
  return { sent, progress, load }
}

t.test('what was read goes behind the entry that it follows', async t => {
  const { sent, progress, load } = world()
  load()
  t.strictSame(sent, [{ type: 'append', previousIndex: 12, previousTerm: 1, entries, commit: 20 }])
  t.equal(progress.next, 15)
})

t.test('what was read is not sent to a member that has acknowledged it meanwhile', async t => {
  const { sent, progress, load } = world()
  progress.acknowledged(20)
  t.equal(progress.next, 21)
  load()
  t.strictSame(sent, [])
  t.equal(progress.next, 21)
  t.equal(progress.loading, 0, 'and it waits for nothing any more')
})
