/**
 * One replica of a simulated group: the protocol, its stored log, and a state that is a chain of hashes.
 * Storage and application wait until they are told to go on; a crash loses what waits.
 */
import { assert, must } from '../../../src/base/assert.js'
import { type Entry, entryHeadBytes, entryKinds } from '../../../src/base/entry.js'
import { Random } from '../../../src/base/random.js'
import type { Configuration } from '../../../src/raft/configuration.js'
import { deltaInvariants, type Moment } from '../../../src/raft/invariants.js'
import { MemoryStorage } from '../../../src/raft/memory-storage.js'
import type {
  NeedEntries,
  PeerMessage,
  Ready,
  StorageAppend,
  StorageApply,
  StorageResponse,
} from '../../../src/raft/messages.js'
import { Raft, type RaftOptions } from '../../../src/raft/raft.js'

/** Who hears of what a node does. */
export interface Watcher {
  sent(message: PeerMessage): void
  stored(node: SimulatedNode, append: StorageAppend): void
  applied(node: SimulatedNode, entry: Entry): void
  ready(node: SimulatedNode, ready: Ready): void
}

/** A configuration and the index of the entry that made it. */
interface Membership {
  readonly index: number
  readonly configuration: Configuration
}

/** What may be chosen of a node. */
export type NodeOptions = Partial<Omit<RaftOptions, 'start' | 'replica' | 'partition'>>

export class SimulatedNode {
  readonly id: number
  readonly storage = new MemoryStorage()
  readonly #options: NodeOptions
  readonly #watcher: Watcher
  /** Configurations as of the entries that made them; survives crashes, as the applied state does. */
  #memberships: Membership[]
  #run = 0
  #moment: Moment | undefined
  raft: Raft | undefined
  applied = 0
  appends: StorageAppend[] = []
  /** What the disk has done and this replica was not told, oldest first. */
  unheard: StorageResponse[][] = []
  applies: StorageApply[] = []
  needs: NeedEntries[] = []
  recovering = false

  constructor(id: number, configuration: Configuration, options: NodeOptions, watcher: Watcher) {
    this.id = id
    this.#options = options
    this.#watcher = watcher
    this.#memberships = [{ index: 0, configuration }]
  }

  get alive(): Raft {
    return must(this.raft, `replica ${this.id} is down`)
  }

  /** Starts with what is stored. */
  start(): void {
    const { storage } = this
    this.#run += 1
    this.#memberships = this.#memberships.filter(one => one.index <= this.applied)
    const { index, configuration } = this.#membership()
    const unapplied: number[] = []
    for (let at = this.applied + 1; at <= storage.lastIndex; at++) {
      if (storage.entry(at).kind === entryKinds.configuration) unapplied.push(at)
    }
    const { hardState } = storage
    this.raft = new Raft({
      random: new Random(`${this.id}/${this.#run}`),
      electionTicks: 10,
      uncommittedBytesMax: 2000,
      emptyEntry: () => Buffer.alloc(entryHeadBytes),
      ...this.#options,
      partition: 1,
      replica: this.id,
      start: {
        hardState: { ...hardState, commit: Math.min(hardState.commit, storage.lastIndex) },
        log: storage,
        applied: this.applied,
        configuration,
        configurationIndex: index,
        unappliedConfigurations: unapplied,
        recovering: this.recovering,
      },
    })
    this.#moment = undefined
  }

  /** Stops at once; of the appends that wait, the first so many reached the disk without anybody knowing. */
  crash(storedCount = 0): void {
    for (const append of this.appends.splice(0, storedCount)) this.#store(append)
    this.raft = undefined
    this.appends = []
    this.unheard = []
    this.applies = []
    this.needs = []
  }

  /** Takes what there is to do, and checks what always holds. */
  pump(): void {
    const { raft } = this
    if (raft === undefined) return
    while (raft.hasReady()) {
      const ready = raft.ready()
      const peers: PeerMessage[] = []
      for (const message of ready.messages) {
        if (message.type === 'storageAppend') this.appends.push(message)
        else if (message.type === 'storageApply') this.applies.push(message)
        else if (message.type === 'needEntries') this.needs.push(message)
        else peers.push(message)
      }
      this.#watcher.ready(this, ready)
      for (const message of peers) this.#watcher.sent(message)
    }
    this.check()
  }

  /** Checks this replica, and it against its last moment. */
  check(): void {
    const { raft } = this
    if (raft === undefined) return
    raft.check()
    const { term, vote, leader, commit, applied, role, lastIndex } = raft.status()
    const now = { term, vote, leader, commit, applied, isLeader: role === 'leader', lastIndex }
    const before = this.#moment
    for (const { sentence, holds } of before === undefined ? [] : deltaInvariants) {
      assert(
        holds(must(before, 'a moment'), now),
        () => `${sentence} ${JSON.stringify({ id: this.id, before, now })}`,
      )
    }
    this.#moment = now
  }

  /** The oldest append that waits is durable. */
  storeOne(): void {
    const append = this.appends.shift()
    if (append === undefined) return
    this.#store(append)
    for (const response of append.responses) {
      if (response.type === 'storageAppended' || response.to === this.id) this.raft?.step(response)
      else this.#watcher.sent(response)
    }
    this.pump()
  }

  /** The oldest append that waits is durable; others hear of it, this replica not yet. */
  storeUnheard(): void {
    const append = this.appends.shift()
    if (append === undefined) return
    this.#store(append)
    const own: StorageResponse[] = []
    for (const response of append.responses) {
      if (response.type === 'storageAppended' || response.to === this.id) own.push(response)
      else this.#watcher.sent(response)
    }
    this.unheard.push(own)
    this.pump()
  }

  /** This replica hears of the oldest such append; `again`: and will once more. */
  hear(again = false): void {
    const [oldest] = this.unheard
    if (oldest === undefined || this.raft === undefined) return
    if (!again) this.unheard.shift()
    for (const response of oldest) this.raft.step(response)
    this.pump()
  }

  /** Applies up to so many of the entries that wait. */
  applySome(countMax: number): void {
    const [range] = this.applies
    if (range === undefined) return
    const through = Math.min(range.through, this.applied + countMax)
    while (this.applied < through) this.#apply(this.storage.entry(this.applied + 1))
    if (this.applied >= range.through) this.applies.shift()
    this.alive.step({ type: 'storageApplied', index: this.applied })
    this.pump()
  }

  /** The oldest read of the log comes back, or fails. */
  loadOne(fails = false): void {
    const request = this.needs.shift()
    if (request === undefined) return
    const { from, through, bytesMax } = request
    const entries = fails ? 'failed' : this.storage.read(from, through, bytesMax)
    this.alive.step({ type: 'entriesLoaded', request, entries })
    this.pump()
  }

  /** Makes a snapshot of what is applied and drops the log before it, but for the last so many entries. */
  compact(keep: number): void {
    if (this.applied < this.storage.firstIndex || this.appends.some(one => one.snapshot !== undefined)) return
    const { index, configuration } = this.#membership()
    this.storage.takeSnapshot(this.applied, configuration, index)
    this.storage.compact(this.applied - keep)
  }

  /** The configuration that is applied. */
  get configuration(): Configuration {
    return this.#membership().configuration
  }

  #membership(): Membership {
    return must(this.#memberships.at(-1), 'a configuration')
  }

  #store(append: StorageAppend): void {
    const { snapshot } = append
    this.storage.store(append)
    if (snapshot !== undefined) {
      this.applied = snapshot.index
      this.#memberships = [{ index: snapshot.configurationIndex, configuration: snapshot.configuration }]
      this.applies = this.applies.filter(range => range.through > snapshot.index)
    }
    this.#watcher.stored(this, append)
  }

  #apply(entry: Entry): void {
    this.applied = entry.index
    if (entry.kind === entryKinds.configuration) {
      const configuration = this.alive.applyConfiguration(entry)
      this.#memberships.push({ index: entry.index, configuration })
    }
    this.#watcher.applied(this, entry)
  }
}
