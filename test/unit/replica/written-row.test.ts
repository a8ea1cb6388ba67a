/** What an entry gave a row is read once it is applied, from the log of whichever replica is here then. */
import t from 'tap'
import { entryKinds, sealEntry } from '../../../src/base/entry.js'
import { SillokError } from '../../../src/base/errors.js'
import { encodeDocument } from '../../../src/codec/document.js'
import { encodeFacts } from '../../../src/codec/facts.js'
import { documentKey } from '../../../src/machine/keys.js'
import type { ReadEntries } from '../../../src/replica/index-source.js'
import { type WrittenIn, writtenRow } from '../../../src/replica/written-row.js'

const key = documentKey(1, 'a')
const value = encodeDocument({ id: 'a' })

/** A log in which entry 5 writes the row. */
function log(reads: number[], refusal: () => SillokError | undefined = () => undefined): ReadEntries {
  return async function* (from) {
    reads.push(from)
    const refused = refusal()
    if (refused !== undefined) throw refused
    const facts = [{ op: 'put', key, value, prev0: 0, prev1: 0 }] as const
    yield [sealEntry(encodeFacts(0, facts), { partition: 1, index: from, term: 1, kind: entryKinds.facts })]
  }
}

t.test('it is waited for until it is applied, though other things wake who waits', async t => {
  const partition = { applied: 3, replica: {}, readable: async () => {} }
  const reads: number[] = []
  let woken = 0
  const beyond = async (index: number): Promise<void> => {
    t.equal(index, 4)
    t.strictSame(reads, [])
    woken += 1
    if (woken === 3) partition.applied = 5
  }
  const source = { partition, read: log(reads), beyond } as unknown as WrittenIn
  t.strictSame(await writtenRow(source, key, 5), value)
  t.strictSame([woken, reads], [3, [5]])
})

t.test('when another replica takes the place of the one whose log is read, its log is read', async t => {
  const partition = {
    applied: 9,
    replica: { isReplaced: true },
    readable: async () => {
      partition.replica = { isReplaced: false }
    },
  }
  const reads: number[] = []
  const closed = new SillokError('CLOSED', 'the log is closed')
  const read = log(reads, () => (partition.replica.isReplaced ? closed : undefined))
  const source = { partition, read, beyond: async () => {} } as unknown as WrittenIn
  t.strictSame(await writtenRow(source, key, 5), value)
  t.equal(reads.length, 2)
  const ended = { ...source, read: log(reads, () => closed) }
  await t.rejects(writtenRow(ended, key, 5), { code: 'CLOSED' }, 'a store that is closed stays closed')
  const truncated = log(reads, () => new SillokError('LOG_TRUNCATED', 'gone'))
  await t.rejects(writtenRow({ ...source, read: truncated }, key, 5), { code: 'LOG_TRUNCATED' })
})
