/**
 * A group of nodes under one seed: clients write and read through whichever node leads, while nodes are
 * crashed (alone, several, all) or stopped, connections break, messages are late, directions are cut,
 * leadership is handed over. What was acknowledged must be there, what was refused must not, no read may be
 * older than what was known before it began; in the end all replicas hold the same log and the same rows.
 */
import { assert, must } from '../../../src/base/assert.js'
import { SillokError } from '../../../src/base/errors.js'
import type { ReplicaId } from '../../../src/base/ids.js'
import { Random } from '../../../src/base/random.js'
import { decodeDocument, encodeDocument } from '../../../src/codec/document.js'
import type { Row } from '../../../src/codec/row.js'
import type { Command } from '../../../src/machine/command.js'
import type { AskedCommand } from '../../../src/machine/command-codec.js'
import { documentBytes } from '../../../src/machine/documents.js'
import { documentKey, schemaKey } from '../../../src/machine/keys.js'
import type { Reply } from '../../../src/machine/reply.js'
import { compileDefinition, encodeSchema } from '../../../src/machine/schema.js'
import type { OpenedReplica } from '../../../src/replica/open-replica.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimNetwork } from '../../../src/sim/sim-network.js'
import { checkAgreement } from '../../../src/testing/world/agreement.js'
import { hostOf } from '../../../src/testing/world/world-node.js'
import { retentionLimits, smallLimits } from '../small-limits.js'
import { GroupNode } from './group-node.js'
import { Register } from './register.js'
import { SharedKeys } from './shared-keys.js'

export interface GroupWorldOptions {
  readonly seed: string
  /** Simulated time for which there are faults. */
  readonly faultMs: number
  /** Instead of kinds of faults by chance: nodes are left behind until only a snapshot helps them. */
  readonly strands?: boolean
  /** The bug to plant: the write-ahead log's commits are not made durable. */
  readonly ignoreSync?: boolean
}

export interface GroupReport {
  crashes: number
  acknowledged: number
  reads: number
  silent: number
  refused: number
  leaders: number
  notSent: number
  installed: number
  regrouped: number
  /** Operations of a history that was found to be linearizable. */
  checked: number
}

const schema = compileDefinition(1, 'places', { key: 'id', unique: { tag: { fields: ['tag'] } } }, 1, 1)
const clientCount = 4
const keysPerClient = 3
/** Clients that write and read the same keys. */
const sharerCount = 6
/** So short that who was away for a second needs a snapshot. */
const shortLog = {
  snapshotLogBytesMin: 1000,
  snapshotLogRatio: 0,
  retainBytes: 0,
  pinBytes: 0,
  trimPauseMs: 1,
}
/** How long a client waits for an answer. */
const patienceMs = 1500
/** After the faults a group has so long to be whole again. */
const healMs = 60_000

const faultKinds = [
  'crash',
  'crashSoon',
  'crashAll',
  'stop',
  'cut',
  'isolate',
  'isolateLeader',
  'break',
  'refuse',
  'storm',
  'transfer',
  'strand',
  'regroup',
] as const

type FaultKind = (typeof faultKinds)[number]

type Answer = Reply | SillokError | 'silence'

export class GroupWorld {
  readonly report: GroupReport = {
    crashes: 0,
    acknowledged: 0,
    reads: 0,
    silent: 0,
    refused: 0,
    leaders: 0,
    notSent: 0,
    installed: 0,
    regrouped: 0,
    checked: 0,
  }
  readonly #options: GroupWorldOptions
  readonly #random: Random
  readonly #clock = new SimClock()
  readonly #cables: SimNetwork
  readonly #nodes: readonly GroupNode[]
  readonly #registers: readonly Register[]
  readonly #kinds: readonly FaultKind[]
  readonly #terms = new Map<number, ReplicaId>()
  #faulty = true
  #fail: (error: unknown) => void = () => {}

  constructor(options: GroupWorldOptions) {
    this.#options = options
    this.#random = new Random(options.seed)
    const size = this.#random.pick([3, 3, 5, 5])
    const voters = Array.from({ length: size }, (_, place) => place + 1)
    this.#cables = new SimNetwork({ clock: this.#clock, random: this.#random.split('cables') })
    const kinds = faultKinds.filter(() => this.#random.chance(0.5))
    const drawn = kinds.length > 0 ? kinds : faultKinds
    this.#kinds = options.strands === true ? ['strand', 'strand', 'regroup', 'stop'] : drawn
    const limits = {
      ...smallLimits(this.#random.split('limits')),
      ...(this.#random.chance(0.7) && retentionLimits(this.#random.split('retention'))),
      ...(options.strands === true && { ...retentionLimits(this.#random), ...shortLog }),
    }
    this.#nodes = voters.map(
      id =>
        new GroupNode({
          id,
          voters,
          clock: this.#clock,
          random: this.#random.split(`node ${id}`),
          limits,
          ignoreSync: options.ignoreSync === true,
          cables: this.#cables,
          sending: to => this.#sending(id, to),
          notSent: () => {
            this.report.notSent += 1
          },
          installing: () => this.#installing(id),
          alarmed: alarm => this.#fail(new Error(`an alarm: ${JSON.stringify(alarm)}`)),
          crashed: () => this.#crashed(id),
          failed: error => this.#fail(error),
        }),
    )
    this.#registers = Array.from(
      { length: clientCount * keysPerClient },
      (_, number) => new Register(`k${number}`),
    )
  }

  /** From an empty disk to the end. Throws what was found wrong, naming seed and moment. */
  async run(): Promise<GroupReport> {
    const broken = new Promise<never>((_, reject) => {
      this.#fail = reject
    })
    try {
      await this.#clock.run(Promise.race([this.#live(), broken]))
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause)
      throw new Error(`seed ${this.#options.seed}, at ${this.#clock.monotonicMs()} ms: ${what}`, { cause })
    }
    this.report.leaders = this.#terms.size
    return this.report
  }

  async #live(): Promise<void> {
    await Promise.all(this.#nodes.map(node => node.start()))
    await this.#define()
    const clients = this.#registers.map((register, number) => this.#client(register, number))
    const shared = new SharedKeys({
      nowMs: () => this.#clock.monotonicMs(),
      ask: command => this.#ask(command),
      read: async key => {
        const { opened } = this.#random.pick(this.#nodes)
        return opened && (await this.#readAt(opened, key))
      },
    })
    for (let number = 0; number < sharerCount; number++) clients.push(this.#share(shared, number))
    for (const client of clients) client.catch(error => this.#fail(error))
    await this.#faults()
    this.#cables.calm()
    await this.#within(Promise.all(clients), 'the clients are not served')
    this.report.checked = shared.check()
    await this.#heal()
    await this.#verify()
    // The power goes on all nodes at once, and what was not synced with it.
    for (const node of this.#nodes) node.crash('none')
    await this.#heal()
    await this.#verify()
    const folders = await Promise.all(this.#nodes.map(node => node.folders()))
    assert(
      folders.every(names => names.length === 1),
      () => `folders: ${JSON.stringify(folders)}`,
    )
  }

  async #define(): Promise<void> {
    const schemas = [[schemaKey(1), encodeSchema(schema)]] as const
    const command: Command = { type: 'metaFeed', through: 1, schemas, ended: [] }
    for (;;) {
      await this.#pause(50)
      const opened = this.#nodes.find(({ id }) => id === this.#leader())?.opened
      const isDone = opened?.replica.call(command, {}).then(
        () => true,
        () => false,
      )
      if (await isDone) return
    }
  }

  // --- Clients: each writes its own registers, and reads those of all

  async #client(register: Register, number: number): Promise<void> {
    const random = this.#random.split(`client ${number}`)
    while (this.#faulty) {
      await this.#pause(random.below(60))
      if (random.chance(0.4)) await this.#read(random.pick(this.#registers), random)
      else if (register.isKnown || random.chance(0.5)) await this.#write(register, random)
      else await this.#read(register, random)
    }
  }

  async #write(register: Register, random: Random): Promise<void> {
    const base = register.known
    const value = register.attempt()
    const tag = random.chance(0.5) ? { tag: `t${random.below(3)}` } : {}
    const operation = {
      op: 'put' as const,
      collection: 1,
      key: documentKey(1, register.key),
      document: encodeDocument({ id: register.key, value, ...tag }),
      ifVersion: base?.version ?? null,
    }
    const answer = await this.#ask({ type: 'write', operations: [operation], mark: undefined })
    if (answer === 'silence') {
      this.report.silent += 1
      register.unknown(value)
    } else if (answer instanceof SillokError) {
      if (answer.outcome === 'unknown') register.unknown(value)
      else register.never(value)
    } else if (answer.ok) {
      this.report.acknowledged += 1
      register.written(value, answer.version)
    } else {
      this.report.refused += 1
      register.refused(value, answer.code, base)
    }
  }

  /** A linearizable read at any node. */
  async #read(register: Register, random: Random): Promise<void> {
    const opened = random.pick(this.#nodes).opened
    if (opened === undefined) return
    const floor = register.known
    const row = await this.#readAt(opened, register.key)
    if (row !== undefined) register.seen(row, floor)
  }

  /** A linearizable read there; undefined: it was not answered. */
  async #readAt(opened: OpenedReplica, key: string): Promise<Row | null | undefined> {
    const isReadable = await this.#withPatience<boolean>(resolve =>
      opened.replica.readBarrier(error => resolve(error === undefined)),
    )
    if (isReadable !== true) return undefined
    this.report.reads += 1
    return readRow(opened, key)
  }

  async #share(shared: SharedKeys, number: number): Promise<void> {
    const random = this.#random.split(`sharer ${number}`)
    for (let run = 0; this.#faulty; run++) {
      await this.#pause(random.below(100))
      await shared.step(`${number}.${run}`, random)
    }
  }

  /** Asks who leads or any node, which asks who leads then, until that takes the command. */
  async #ask(command: AskedCommand): Promise<Answer> {
    for (;;) {
      const leader = this.#nodes.find(({ id }) => id === this.#leader())
      const node = this.#random.chance(0.7) && leader ? leader : this.#random.pick(this.#nodes)
      if (node.opened !== undefined) {
        const answer = await this.#withPatience<Reply | SillokError>(answer =>
          node.submit({ command, sender: {}, bytes: 256, answer }),
        )
        if (!(answer instanceof SillokError) || answer.code !== 'NOT_LEADER') return answer
      }
      await this.#pause(50)
    }
  }

  #withPatience<T>(begin: (resolve: (value: T) => void) => void): Promise<T | 'silence'> {
    return new Promise(resolve => {
      begin(resolve)
      this.#clock.after(patienceMs, () => resolve('silence'))
    })
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => this.#clock.after(ms, resolve))
  }

  // --- Faults

  async #faults(): Promise<void> {
    const random = this.#random.split('faults')
    const end = this.#clock.monotonicMs() + this.#options.faultMs
    while (this.#clock.monotonicMs() < end) {
      await this.#pause(random.below(700))
      await this.#fault(random)
    }
    this.#faulty = false
    for (const node of this.#nodes) node.crashIfDue()
  }

  /** One fault of the kinds that this world has; each world has others, so that rare ones are met alone. */
  async #fault(random: Random): Promise<void> {
    const node = random.pick(this.#nodes)
    const other = random.pick(this.#nodes)
    const leader = this.#nodes.find(({ id }) => id === this.#leader()) ?? node
    const mode = random.pick(['all', 'none', 'any', 'any'] as const)
    const faults: Record<FaultKind, () => void | Promise<void>> = {
      crash: () => node.crash(mode),
      crashSoon: () => random.pick([node, leader]).crashSoon(1 + random.below(60), mode),
      crashAll: () => {
        if (random.chance(0.2)) for (const one of this.#nodes) one.crash(mode)
      },
      stop: () => void node.stop().catch(error => this.#fail(error)),
      cut: () => this.#cut(node.id, other.id),
      isolate: () => this.#isolate(node.id),
      isolateLeader: () => this.#isolate(leader.id),
      break: () => {
        for (const one of this.#nodes) if (one === other || random.chance(0.3)) this.#break(node.id, one.id)
      },
      refuse: () => this.#cables.refuse(hostOf(node.id)),
      storm: () => this.#cables.storm([0.05, random.pick([1, 30, 300])]),
      transfer: () => leader.opened?.replica.transferLeader(other.id),
      strand: () => this.#strand(node.id, random),
      regroup: () => this.#regroup(leader, node.id),
    }
    if (random.chance(0.3)) this.#cables.calm()
    else await faults[random.pick(this.#kinds)]()
  }

  /** The others go on for a while without it; sometimes it is away. */
  async #strand(id: ReplicaId, random: Random): Promise<void> {
    this.#isolate(id)
    await this.#pause(1500 + random.below(2000))
    if (random.chance(0.3)) this.#node(id).crash('any')
    this.#cables.calm()
    await this.#pause(1500)
  }

  /** Takes a vote, or gives it back; whether anybody does so now is the leader's to say. */
  #regroup({ opened }: GroupNode, id: ReplicaId): void {
    const group = opened?.replica.group()
    if (opened === undefined || group?.role !== 'leader') return
    const { voters } = group.configuration
    if (voters.includes(id) && (voters.length <= 3 || id === opened.replicaId)) return
    const type = voters.includes(id) ? 'addLearner' : 'addVoter'
    opened.replica.changeGroup({ type: 'simple', steps: [{ type, replica: id }] }).then(
      () => {
        this.report.regrouped += 1
      },
      () => {},
    )
  }

  #isolate(id: ReplicaId): void {
    for (const node of this.#nodes) {
      this.#cut(id, node.id)
      this.#cut(node.id, id)
    }
  }

  #cut(from: ReplicaId, to: ReplicaId): void {
    if (from !== to) this.#cables.cut(hostOf(from), hostOf(to))
  }

  #break(from: ReplicaId, to: ReplicaId): void {
    if (from !== to) this.#cables.break(hostOf(from), hostOf(to))
  }

  /** That takes some messages, and operations of two disks: in the middle of it something happens. */
  #sending(from: ReplicaId, to: ReplicaId): void {
    if (!this.#faulty || this.#random.chance(0.5)) return
    const mode = this.#random.pick(['all', 'none', 'any'] as const)
    const faults = [
      () => this.#break(from, to),
      () => this.#cut(from, to),
      () => this.#cut(to, from),
      () => this.#node(from).crash(mode),
      () => this.#node(to).crashSoon(1 + this.#random.below(20), mode),
      () =>
        void this.#node(from)
          .stop()
          .catch(error => this.#fail(error)),
      () =>
        void this.#node(to)
          .stop()
          .catch(error => this.#fail(error)),
    ]
    this.#clock.after(this.#random.below(this.#random.pick([5, 50])), this.#random.pick(faults))
  }

  /** That takes some operations of the disk, each of which may be the last. */
  #installing(id: ReplicaId): void {
    this.report.installed += 1
    const mode = this.#random.pick(['all', 'none', 'any'] as const)
    if (this.#faulty && this.#random.chance(0.5)) this.#node(id).crashSoon(1 + this.#random.below(40), mode)
  }

  #crashed(id: ReplicaId): void {
    this.report.crashes += 1
    const pause = this.#random.below(this.#random.pick([30, 3000]))
    this.#clock.after(pause, () => {
      const start = this.#node(id).start()
      start.catch(error => this.#fail(error))
    })
  }

  // --- The end

  /** No faults any more: everybody comes back, one leads, and all have what it has. */
  async #heal(): Promise<void> {
    this.#cables.calm()
    await this.#within(this.#whole(), 'the group does not come together')
  }

  async #whole(): Promise<void> {
    for (;;) {
      await this.#pause(50)
      const leader = this.#leader()
      if (leader === undefined) continue
      const { replica } = must(this.#node(leader).opened, 'the leader')
      const { commit, lastIndex } = replica.group()
      const isSame = (node: GroupNode): boolean => node.opened?.replica.applied === commit
      if (commit === lastIndex && this.#nodes.every(isSame)) return
    }
  }

  async #within<T>(work: Promise<T>, otherwise: string): Promise<T> {
    const late = this.#pause(healMs).then(() => {
      throw new Error(
        `${otherwise}: ${JSON.stringify(this.#nodes.map(node => node.opened?.replica.group()))}`,
      )
    })
    return await Promise.race([work, late])
  }

  async #verify(): Promise<void> {
    const opened = this.#nodes.map(node => must(node.opened, `node ${node.id}`))
    for (const register of this.#registers) {
      for (const one of opened) register.seen(readRow(one, register.key), register.known)
    }
    await checkAgreement(opened)
    const tags = this.#registers.map(({ key }) => tagOf(readRow(must(opened[0], 'a replica'), key)))
    const held = tags.filter(tag => tag !== undefined)
    assert(new Set(held).size === held.length, () => `a tag is held twice: ${held.join(', ')}`)
  }

  /** Who leads in the newest term, if the node is up; two leaders of one term end the world. */
  #leader(): ReplicaId | undefined {
    let newest: { readonly id: ReplicaId; readonly term: number } | undefined
    for (const { id, opened } of this.#nodes) {
      const group = opened?.replica.group()
      if (group?.role !== 'leader') continue
      const known = this.#terms.get(group.term)
      if (known !== undefined && known !== id)
        this.#fail(new Error(`${known} and ${id} lead in term ${group.term}`))
      this.#terms.set(group.term, id)
      if (newest === undefined || group.term > newest.term) newest = { id, term: group.term }
    }
    return newest?.id
  }

  #node(id: ReplicaId): GroupNode {
    return must(this.#nodes[id - 1], `node ${id}`)
  }
}

function readRow({ state }: OpenedReplica, key: string): Row | null {
  const row = documentKey(1, key)
  const known = state.lookup(row)
  if (known !== undefined) return known
  const loaded = state.loadSync([row])
  const found = loaded.get(row) ?? null
  loaded.release()
  return found
}

function tagOf(row: Row | null): unknown {
  return row === null ? undefined : decodeDocument(documentBytes(row.value))['tag']
}
