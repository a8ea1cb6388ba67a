/** What Raft wants stored goes to the log in its order, and what it says then leaves when it is durable. */
import t from 'tap'
import { type Entry, encodeEntry, entryKinds } from '../../../src/base/entry.js'
import { SillokError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import type { Inbound, PeerMessage, StorageAppend } from '../../../src/raft/messages.js'
import { Memberships } from '../../../src/replica/memberships.js'
import { RaftStorage, type RaftStorageParts } from '../../../src/replica/raft-storage.js'
import type { Append } from '../../../src/wal/partition-log.js'
import { decodeHardState, registerKinds } from '../../../src/wal/registers.js'
import type { Wal } from '../../../src/wal/wal.js'

const entryOf = (index: number, bytes: number): Entry =>
  encodeEntry({ partition: 1, index, term: 2, kind: entryKinds.facts }, Buffer.alloc(bytes))

/** A log that writes down what it is given, and makes it durable when it is told to. */
class Beside {
  readonly appends: Append[] = []
  readonly #waiting: ((error?: SillokError) => void)[] = []
  readonly stepped: Inbound[] = []
  readonly sent: PeerMessage[] = []
  readonly storage: RaftStorage

  constructor(isRecovering = false) {
    const append = (one: Append, done: (error?: SillokError) => void): void => {
      this.appends.push(one)
      this.#waiting.push(done)
    }
    const parts: Omit<RaftStorageParts, 'log' | 'wal'> & { wal: Pick<Wal, 'append'> } = {
      partition: 1,
      replica: 1,
      wal: { append },
      memberships: Memberships.of([1, 2]),
      isRecovering,
      step: response => this.stepped.push(response),
      send: message => this.sent.push(message),
    }
    this.storage = new RaftStorage(parts as RaftStorageParts)
  }

  /** The next append is durable, or never will be. */
  next(error?: SillokError): void {
    this.#waiting.shift()?.(error)
  }
}

const appendOf = (entries: readonly Entry[], commit: number): StorageAppend => ({
  type: 'storageAppend',
  snapshot: undefined,
  entries,
  hardState: { term: 2, vote: 1, commit },
  responses: [
    { type: 'storageAppended', term: 2, index: 3, entryTerm: 2, snapshotIndex: undefined },
    { type: 'appended', from: 1, to: 1, term: 2, index: 3 },
    { type: 'appended', from: 1, to: 2, term: 2, index: 3 },
  ],
})

t.test('what is more than a batch holds is stored in parts, none of which knows of a commit behind it', t => {
  const beside = new Beside()
  const entries = [1, 2, 3].map(index => entryOf(index, limits.entryBytesMax - 1000))
  beside.storage.append(appendOf(entries, 3))
  t.strictSame(
    beside.appends.map(one => one.entries?.map(({ index }) => index)),
    [[1], [2], [3]],
  )
  const registers = beside.appends.flatMap(one => one.registers ?? [])
  t.strictSame(
    registers.map(({ kind, payload }) => [kind, decodeHardState(payload).commit]),
    [[registerKinds.hardState, 1]],
    'a crash behind the first part leaves a log that reaches to its commit',
  )
  for (const _ of [1, 2]) {
    beside.next()
    t.strictSame([beside.stepped, beside.sent], [[], []], 'nothing is said before all of it is durable')
  }
  beside.next()
  t.strictSame(
    beside.stepped.map(({ type }) => type),
    ['storageAppended', 'appended'],
    'what it says to itself does not leave',
  )
  t.match(beside.sent, [{ type: 'appended', to: 2 }])
  t.end()
})

t.test('what never becomes durable is never told', t => {
  const beside = new Beside()
  beside.storage.append(appendOf([entryOf(1, 10)], 1))
  beside.next(new SillokError('DISK_FAILED', 'the disk'))
  t.strictSame([beside.stepped, beside.sent], [[], []])
  t.end()
})

t.test('the beginning and the end of a recovery are each written once', t => {
  const beside = new Beside()
  beside.storage.noteRecovery(false, 7)
  t.equal(beside.appends.length, 0)
  for (const isRecovering of [true, true, false, false]) beside.storage.noteRecovery(isRecovering, 7)
  const told = beside.appends.map(one => one.registers?.map(({ kind, payload }) => [kind, payload.length]))
  t.strictSame(told, [[[registerKinds.recovering, 8]], [[registerKinds.recovering, 0]]])
  const after = new Beside(true)
  after.storage.noteRecovery(true, 7)
  t.equal(after.appends.length, 0, 'the log has it')
  t.end()
})
