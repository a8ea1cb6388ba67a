/**
 * The protocol by itself, without disk and network: how many entries and messages go through a group in one
 * process, and what idle groups take of processor and memory.
 *
 * `node --expose-gc dist/bench/raft.js [seconds]`: storage is memory and durable at once, messages arrive in
 * the turn in which they are sent. An entry counts when all replicas have applied it.
 */
import { cpus } from 'node:os'
import { must } from '../src/base/assert.js'
import { entryHeadBytes, entryKinds } from '../src/base/entry.js'
import { Random } from '../src/base/random.js'
import { MemoryStorage } from '../src/raft/memory-storage.js'
import type { PeerMessage } from '../src/raft/messages.js'
import { Raft } from '../src/raft/raft.js'

const collectGarbage = must(globalThis.gc, '--expose-gc')
const seconds = Number(process.argv[2] ?? 5)
const bodyBytes = 128
const tickMs = 100
const idleGroups = 1000
/** Entries that stay in the log of each replica. */
const keptEntries = 4096

function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

/** One replica with its log in memory. */
class Member {
  readonly storage = new MemoryStorage()
  readonly raft: Raft
  readonly #group: Group

  constructor(group: Group, replica: number, voters: readonly number[]) {
    this.#group = group
    const configuration = { voters, outgoing: [], learners: [], learnersNext: [], autoLeave: false }
    this.raft = new Raft({
      partition: 1,
      replica,
      random: new Random(`bench/${replica}`),
      electionTicks: 10,
      uncommittedBytesMax: 2 ** 26,
      emptyEntry: () => Buffer.alloc(entryHeadBytes),
      start: { hardState: this.storage.hardState, log: this.storage, applied: 0, configuration },
    })
  }

  /** Does what the protocol says, until it says nothing more. */
  pump(): void {
    const { raft, storage } = this
    while (raft.hasReady()) {
      for (const message of raft.ready().messages) {
        if (message.type === 'storageAppend') {
          storage.store(message)
          for (const response of message.responses) {
            if (response.type === 'storageAppended') raft.step(response)
            else this.#group.sent.push(response)
          }
        } else if (message.type === 'storageApply') {
          raft.step({ type: 'storageApplied', index: message.through })
        } else if (message.type === 'needEntries') throw new Error('all entries are at hand')
        else this.#group.sent.push(message)
      }
    }
  }

  /** Drops what all have applied from the log, now and then. */
  compact(): void {
    const { firstIndex, lastIndex } = this.storage
    if (lastIndex - firstIndex > 2 * keptEntries) this.storage.compact(lastIndex - keptEntries)
  }
}

/** All replicas of a group; messages are taken in the order in which they were sent. */
class Group {
  readonly members: readonly Member[]
  readonly leader: Member
  sent: PeerMessage[] = []
  messages = 0

  constructor(size: number) {
    const voters = Array.from({ length: size }, (_, n) => n + 1)
    this.members = voters.map(replica => new Member(this, replica, voters))
    this.leader = must(this.members[0], 'a replica')
    this.leader.raft.campaign()
    this.run()
    if (this.leader.raft.role !== 'leader') throw new Error('the first replica does not lead')
  }

  tick(): void {
    for (const { raft } of this.members) raft.tick()
    this.run()
  }

  /** Until nothing is left to do. */
  run(): void {
    for (const member of this.members) member.pump()
    while (this.sent.length > 0) {
      const { sent } = this
      this.sent = []
      this.messages += sent.length
      for (const message of sent) must(this.members[message.to - 1], 'a replica').raft.step(message)
      for (const member of this.members) member.pump()
    }
  }
}

/** Proposes batch by batch, each when the one before is applied everywhere. */
function throughput(size: number, batch: number): void {
  const group = new Group(size)
  const { raft } = group.leader
  const round = (): void => {
    for (let n = 0; n < batch; n++) {
      const proposed = raft.propose(Buffer.allocUnsafe(entryHeadBytes + bodyBytes), entryKinds.facts)
      if ('dropped' in proposed) throw new Error(proposed.dropped)
    }
    group.run()
    for (const member of group.members) member.compact()
  }
  const rounds = (ms: number): number => {
    const endMs = performance.now() + ms
    let done = 0
    for (; performance.now() < endMs; done++) round()
    return done
  }
  rounds(1000)
  const [beganMs, messages] = [performance.now(), group.messages]
  const entries = rounds(seconds * 1000) * batch
  const tookMs = performance.now() - beganMs
  for (const { raft } of group.members) {
    const { applied, lastIndex } = raft.status()
    if (applied !== lastIndex || lastIndex !== group.leader.storage.lastIndex)
      throw new Error('not all applied')
  }
  const perSecond = (count: number): string => Math.round((count * 1000) / tookMs).toLocaleString('en')
  console.log(
    `${size} replicas, ${String(batch).padStart(2)} entries at a time: ` +
      `${perSecond(entries)} entries/s, ${perSecond(group.messages - messages)} messages/s`,
  )
}

/** Groups of three that do nothing but tick: bytes of a replica, and the share of a processor. */
async function idle(): Promise<void> {
  const before = heapBytes()
  const groups = Array.from({ length: idleGroups }, () => new Group(3))
  for (let n = 0; n < 50; n++) for (const group of groups) group.tick()
  const bytes = (heapBytes() - before) / (3 * idleGroups)
  const share = async (work: () => void): Promise<number> => {
    const [cpu, beganMs] = [process.cpuUsage(), performance.now()]
    const timer = setInterval(work, tickMs)
    await new Promise(resolve => setTimeout(resolve, seconds * 1000))
    clearInterval(timer)
    const { user, system } = process.cpuUsage(cpu)
    return (user + system) / 10 / (performance.now() - beganMs)
  }
  const nothing = await share(() => {})
  const ticking = await share(() => {
    for (const group of groups) group.tick()
  })
  console.log(
    `${idleGroups} idle groups of 3 in one process, a tick each ${tickMs} ms: ${ticking.toFixed(1)} % ` +
      `of a processor (the share of a node is ${(ticking / 3).toFixed(1)} %; nothing takes ` +
      `${nothing.toFixed(1)} %), ` +
      `${Math.round(bytes)} bytes of heap for each replica`,
  )
}

console.log(
  `Node ${process.versions.node}, ${cpus()[0]?.model}, bodies of ${bodyBytes} bytes, ${seconds} s each`,
)
for (const size of [3, 5]) for (const batch of [1, 64]) throughput(size, batch)
await idle()
