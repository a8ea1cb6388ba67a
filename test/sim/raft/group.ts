/**
 * A group of simulated replicas and the network between them, with what must hold of all of them together:
 *
 *   one leader a term; logs that agree on an entry agree on all before it; what is committed stays, is on
 *   the disks of a quorum, and is in the log of every later leader; all apply the same entries; an
 *   acknowledgement and a vote leave only when they are durable; a read sees what was committed when it was
 *   asked for.
 */
import { assert } from '../../../src/base/assert.js'
import { type Entry, entryKinds } from '../../../src/base/entry.js'
import type { Configuration } from '../../../src/raft/configuration.js'
import type { PeerMessage, Ready, StorageAppend } from '../../../src/raft/messages.js'
import { type NodeOptions, SimulatedNode, type Watcher } from './node.js'

/** What an entry is, for comparison. */
interface Identity {
  readonly term: number
  readonly checksum: number
}

export class SimulatedGroup implements Watcher {
  readonly nodes = new Map<number, SimulatedNode>()
  /** Messages on their way, oldest first. */
  network: PeerMessage[] = []
  /** The newest of all that was ever sent. */
  sentBefore: PeerMessage[] = []
  /** Links over which nothing gets, as `from>to`. */
  readonly cut = new Set<string>()
  readonly #leaders = new Map<number, number>()
  /** By index and term: the term of the entry before, and the checksum. */
  readonly #entries = new Map<string, { readonly before: number; readonly checksum: number }>()
  /** By index. */
  readonly #committed: (Identity | undefined)[] = []
  /** In which term the leader of each was that committed it. */
  readonly #committedIn: number[] = []
  readonly #commitSeen = new Map<number, number>()
  /** Reads that are not answered, as `node/run/token`: the highest index committed when it was asked for. */
  readonly #reads = new Map<string, number>()
  /** A test acts as a replica: what that leads or commits is known to nobody here. */
  hasActors = false
  commit = 0
  readsAnswered = 0
  readsDropped = 0
  alarms = 0

  constructor(ids: readonly number[], configuration: Configuration, options: NodeOptions = {}) {
    for (const id of ids) {
      const node = new SimulatedNode(id, configuration, options, this)
      this.nodes.set(id, node)
      node.start()
    }
  }

  node(id: number): SimulatedNode {
    const node = this.nodes.get(id)
    assert(node !== undefined, `no replica ${id}`)
    return node
  }

  get all(): readonly SimulatedNode[] {
    return [...this.nodes.values()]
  }

  /** The leader of the highest term among those that run. */
  get leader(): SimulatedNode | undefined {
    const leaders = this.all.filter(node => node.raft?.role === 'leader')
    return leaders.sort((a, b) => b.alive.term - a.alive.term)[0]
  }

  /** Takes the message off the network and gives it to whom it is for. */
  deliver(place: number, repeats = false): void {
    const message = this.network[place]
    if (message === undefined) return
    if (!repeats) this.network.splice(place, 1)
    const node = this.nodes.get(message.to)
    const arrives = node?.raft !== undefined && !this.cut.has(`${message.from}>${message.to}`)
    if (arrives) {
      node.raft?.step(message)
      node.pump()
    }
    if (message.type === 'installSnapshot' && !repeats) this.reportSnapshot(message, arrives)
  }

  drop(place: number): void {
    const [message] = this.network.splice(place, 1)
    if (message?.type === 'installSnapshot') this.reportSnapshot(message, false)
  }

  /** Asks for a read; its answer is checked when it comes. */
  read(node: SimulatedNode, by: 'round' | 'lease' = 'round'): number | undefined {
    const token = this.ask(node, by)
    node.pump()
    return token
  }

  /** As `read`, while the turn of the node goes on. */
  ask(node: SimulatedNode, by: 'round' | 'lease' = 'round'): number | undefined {
    const token = node.raft?.readIndex(by)
    if (token !== undefined) this.#reads.set(`${node.id}/${token}`, this.commit)
    return token
  }

  crash(node: SimulatedNode, storedCount = 0): void {
    node.crash(storedCount)
    this.#commitSeen.delete(node.id)
    for (const key of this.#reads.keys()) if (key.startsWith(`${node.id}/`)) this.#reads.delete(key)
  }

  /** Lets everything that waits happen, in order, until nothing is left to do. */
  settle(): void {
    for (let round = 0; round < 10_000; round++) {
      let isQuiet = this.network.length === 0
      for (const node of this.all) {
        node.pump()
        isQuiet &&= node.appends.length + node.applies.length + node.needs.length === 0
        while (node.unheard.length > 0) node.hear()
        while (node.appends.length > 0) node.storeOne()
        while (node.applies.length > 0) node.applySome(Number.MAX_SAFE_INTEGER)
        while (node.needs.length > 0) node.loadOne()
      }
      const count = this.network.length
      for (let i = 0; i < count; i++) this.deliver(0)
      if (isQuiet && this.network.length === 0) return
    }
    assert(false, 'the group does not come to rest')
  }

  /** Ticks all that run, and settles, so often. */
  tick(count = 1): void {
    for (let i = 0; i < count; i++) {
      for (const node of this.all) node.raft?.tick()
      this.settle()
    }
  }

  // --- Watcher

  sent(message: PeerMessage): void {
    this.#checkPromise(message)
    this.network.push(message)
    this.sentBefore.push(message)
    if (this.sentBefore.length > 2000) this.sentBefore = this.sentBefore.slice(1000)
  }

  stored(node: SimulatedNode, { entries }: StorageAppend): void {
    for (const { index, term, bytes } of entries) {
      const before = node.storage.term(index - 1) ?? -1
      const checksum = bytes.readUInt32LE(0)
      const known = this.#entries.get(`${index}/${term}`)
      if (known === undefined) this.#entries.set(`${index}/${term}`, { before, checksum })
      else {
        const isSame = known.checksum === checksum && (known.before === before || before === -1)
        assert(
          isSame,
          () => `entry ${index}/${term} of replica ${node.id} is another, or follows another one`,
        )
      }
    }
  }

  applied(node: SimulatedNode, entry: Entry): void {
    const committed = this.#committed[entry.index]
    const isSame = committed?.term === entry.term && committed.checksum === entry.bytes.readUInt32LE(0)
    if (this.hasActors) return
    assert(
      isSame,
      () => `replica ${node.id} applies ${entry.index}/${entry.term}, committed is ${committed?.term}`,
    )
  }

  ready(node: SimulatedNode, { readStates, alarms, soft }: Ready): void {
    const { role, term, commit } = node.alive.status()
    if (role === 'leader') {
      const leader = this.#leaders.get(term) ?? node.id
      assert(leader === node.id, () => `replicas ${leader} and ${node.id} lead in term ${term}`)
      this.#leaders.set(term, node.id)
      if (soft !== undefined) this.#checkCompleteness(node)
    }
    this.#takeCommit(node, commit, role === 'leader')
    this.alarms += alarms.length
    for (const { token, index } of readStates) {
      const atLeast = this.#reads.get(`${node.id}/${token}`)
      assert(atLeast !== undefined, () => `replica ${node.id} answers read ${token} twice, or nobody asked`)
      this.#reads.delete(`${node.id}/${token}`)
      if (index === undefined) this.readsDropped += 1
      else {
        this.readsAnswered += 1
        assert(index >= atLeast, () => `a read at ${index} on ${node.id}, ${atLeast} was committed before it`)
      }
    }
  }

  /** What a replica promises must be on its disk. */
  #checkPromise(message: PeerMessage): void {
    const { storage } = this.node(message.from)
    if (message.type === 'appended') {
      const { lastIndex } = storage
      assert(
        message.index <= lastIndex,
        () => `${message.from} acknowledges ${message.index} of ${lastIndex}`,
      )
    } else if (message.type === 'voteAnswer' && message.granted && !message.pre) {
      const { term, vote } = storage.hardState
      const isStored = term > message.term || (term === message.term && vote === message.to)
      assert(
        isStored,
        () => `${message.from} votes for ${message.to} in ${message.term}, stored is ${vote} in ${term}`,
      )
    }
  }

  #takeCommit(node: SimulatedNode, commit: number, isLeader: boolean): void {
    if (this.hasActors) return
    const seen = this.#commitSeen.get(node.id) ?? node.storage.firstIndex - 1
    for (let index = seen + 1; index <= commit; index++) {
      const entry = this.#entryOf(node, index)
      if (entry === undefined) continue
      const known = this.#committed[index]
      if (known === undefined) {
        assert(isLeader, () => `replica ${node.id} commits ${index}, which no leader did`)
        this.#committed[index] = entry
        this.#committedIn[index] = node.alive.term
        this.commit = Math.max(this.commit, index)
        this.#checkDurable(node.alive.status().configuration, index, entry.term)
      } else {
        const isSame = known.term === entry.term && known.checksum === entry.checksum
        assert(isSame, () => `replica ${node.id} commits ${index}/${entry.term}, committed is ${known.term}`)
      }
    }
    this.#commitSeen.set(node.id, Math.max(seen, commit))
  }

  /** The entry as the replica has it: stored, or on its way to the disk. */
  #entryOf(node: SimulatedNode, index: number): Identity | undefined {
    for (const append of node.appends.toReversed()) {
      const entry = append.entries.find(one => one.index === index)
      if (entry !== undefined) return { term: entry.term, checksum: entry.bytes.readUInt32LE(0) }
      if (append.snapshot !== undefined && append.snapshot.index >= index) return undefined
    }
    if (index < node.storage.firstIndex || index > node.storage.lastIndex) return undefined
    const entry = node.storage.entry(index)
    return { term: entry.term, checksum: entry.bytes.readUInt32LE(0) }
  }

  #checkDurable(configuration: Configuration, index: number, term: number): void {
    const has = (id: number) => {
      const { storage } = this.node(id)
      return storage.term(index) === term || storage.firstIndex > index
    }
    for (const half of [configuration.voters, configuration.outgoing]) {
      const count = half.filter(has).length
      assert(
        half.length === 0 || count * 2 > half.length,
        () => `entry ${index}/${term} is committed, and on ${count} disks of ${half}`,
      )
    }
  }

  #checkCompleteness(node: SimulatedNode): void {
    for (let index = node.storage.firstIndex; index <= this.commit; index++) {
      const committed = this.#committed[index]
      const own = this.#entryOf(node, index)
      // An old leader that is heard of late knows nothing of what later ones committed.
      const isLater = (this.#committedIn[index] ?? 0) > node.alive.term
      assert(
        committed === undefined || isLater || own?.term === committed.term,
        () => `replica ${node.id} leads ${node.alive.term} without entry ${index}/${committed?.term}`,
      )
    }
  }

  /** Whoever carries snapshots tells the sender how it ended. */
  protected reportSnapshot(message: PeerMessage, arrives: boolean): void {
    const sender = this.nodes.get(message.from)
    sender?.raft?.reportSnapshot(message.to, arrives)
    sender?.pump()
  }
}

/** True for what a user proposed. */
export function isFacts(entry: Entry): boolean {
  return entry.kind === entryKinds.facts
}
