/**
 * One replica of a group of one, driven by hand: what it hands out is written down as text, nothing happens
 * by itself.
 */
import type { Entry } from '../../../src/base/entry.js'
import { entryHeadBytes, entryKinds } from '../../../src/base/entry.js'
import { Random } from '../../../src/base/random.js'
import type { Outbound, StorageResponse } from '../../../src/raft/messages.js'
import { Raft, type RaftOptions } from '../../../src/raft/raft.js'

export class Driven {
  readonly raft: Raft
  readonly lines: string[] = []
  /** Everything handed to the log, in order. */
  readonly entries: Entry[] = []
  #responses: StorageResponse[][] = []

  constructor(options: Partial<RaftOptions> = {}) {
    this.raft = new Raft({
      partition: 1,
      replica: 1,
      voters: [1],
      random: new Random('raft'),
      electionTicks: 10,
      uncommittedBytesMax: 1000,
      start: { hardState: { term: 0, vote: 0, commit: 0 }, lastIndex: 0, lastTerm: 0, applied: 0 },
      emptyEntry: () => Buffer.alloc(entryHeadBytes),
      ...options,
    })
  }

  /** Takes every Ready there is and writes it down; returns the lines since the last call. */
  take(): string[] {
    while (this.raft.hasReady()) {
      const { messages, readStates, soft } = this.raft.ready()
      if (soft !== undefined) this.lines.push(`${soft.role} of term ${soft.term}`)
      for (const message of messages) this.#write(message)
      for (const read of readStates) this.lines.push(`read ${read.token} at ${read.index}`)
    }
    return this.lines.splice(0)
  }

  /** The log has made the oldest append durable: its responses are stepped. */
  stored(): string[] {
    for (const response of this.#responses.shift() ?? []) this.raft.step(response)
    return this.take()
  }

  /** The responses of the oldest append, kept by the test to be stepped later. */
  withhold(): StorageResponse[] {
    return this.#responses.shift() ?? []
  }

  /** The state has applied everything up to index. */
  applied(index: number): string[] {
    this.raft.step({ type: 'storageApplied', index })
    return this.take()
  }

  propose(bytes: number): string {
    const proposed = this.raft.propose(Buffer.alloc(entryHeadBytes + bytes), entryKinds.facts)
    return 'dropped' in proposed ? proposed.dropped : `${proposed.index} in term ${proposed.term}`
  }

  /** A leader whose first entry is durable, committed and applied. */
  lead(): this {
    this.raft.campaign()
    this.take()
    this.stored()
    this.stored()
    this.applied(this.raft.status().commit)
    return this
  }

  #write(message: Outbound): void {
    if (message.type === 'storageApply') {
      this.lines.push(`apply ${message.from}..${message.through}`)
      return
    }
    const { hardState, entries, responses } = message
    this.entries.push(...entries)
    this.#responses.push([...responses])
    const parts = [
      hardState && `term ${hardState.term} vote ${hardState.vote} commit ${hardState.commit}`,
      entries.length > 0 && `entries ${entries.map(({ index, term }) => `${index}/${term}`).join(' ')}`,
      ...responses.map(one =>
        one.type === 'voteStored' ? `-> vote ${one.term}` : `-> ${one.index}/${one.term}`,
      ),
    ]
    this.lines.push(`store ${parts.filter(Boolean).join(', ')}`)
  }
}
