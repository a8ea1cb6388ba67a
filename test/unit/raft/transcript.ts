/**
 * One replica of a group of one, driven by hand: what it hands out is written down as text, nothing happens
 * by itself.
 */
import { type Entry, encodeEntry, entryHeadBytes, entryKinds } from '../../../src/base/entry.js'
import { Random } from '../../../src/base/random.js'
import { simpleConfiguration } from '../../../src/raft/configuration.js'
import { MemoryStorage } from '../../../src/raft/memory-storage.js'
import type { HardState, Outbound, StorageAppend, StorageResponse } from '../../../src/raft/messages.js'
import { Raft, type RaftOptions } from '../../../src/raft/raft.js'

/** What the replica finds. */
export interface Found {
  readonly hardState: HardState
  readonly lastIndex: number
  readonly lastTerm: number
  readonly applied: number
}

const nothing: Found = { hardState: { term: 0, vote: 0, commit: 0 }, lastIndex: 0, lastTerm: 0, applied: 0 }

export class Driven {
  readonly raft: Raft
  readonly lines: string[] = []
  /** Everything handed to the log, in order. */
  readonly entries: Entry[] = []
  readonly #storage = new MemoryStorage()
  #appends: StorageAppend[] = []

  constructor({ start = nothing, ...options }: Partial<Omit<RaftOptions, 'start'>> & { start?: Found } = {}) {
    const { hardState, lastIndex, lastTerm: term, applied } = start
    this.#storage.store(
      appendOf(
        Array.from({ length: lastIndex }, (_, place) =>
          encodeEntry({ partition: 1, index: place + 1, term, kind: entryKinds.facts }, Buffer.alloc(1)),
        ),
      ),
    )
    const configuration = simpleConfiguration([1])
    this.raft = new Raft({
      partition: 1,
      replica: 1,
      random: new Random('raft'),
      electionTicks: 10,
      uncommittedBytesMax: 1000,
      start: { hardState, log: this.#storage, applied, configuration },
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
    for (const response of this.withhold()) this.raft.step(response)
    return this.take()
  }

  /** The responses of the oldest append, kept by the test to be stepped later. */
  withhold(): readonly StorageResponse[] {
    const append = this.#appends.shift()
    if (append === undefined) return []
    this.#storage.store(append)
    return append.responses
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
    if (message.type !== 'storageAppend') throw new Error(`a group of one says ${message.type}`)
    const { hardState, entries, responses } = message
    this.entries.push(...entries)
    this.#appends.push(message)
    const parts = [
      hardState && `term ${hardState.term} vote ${hardState.vote} commit ${hardState.commit}`,
      entries.length > 0 && `entries ${entries.map(({ index, term }) => `${index}/${term}`).join(' ')}`,
      ...responses.map(one => (one.type === 'voteAnswer' ? `-> vote ${one.term}` : acknowledged(one))),
    ]
    this.lines.push(`store ${parts.filter(Boolean).join(', ')}`)
  }
}

function acknowledged(one: StorageResponse): string | undefined {
  if (one.type === 'storageAppended') return `-> stable ${one.index}/${one.entryTerm}`
  return one.type === 'appended' ? `-> own ${one.index}` : undefined
}

function appendOf(entries: readonly Entry[]): StorageAppend {
  return { type: 'storageAppend', hardState: undefined, snapshot: undefined, entries, responses: [] }
}
