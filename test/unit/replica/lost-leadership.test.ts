/** Nothing that was decided in a leadership that is over is answered, or decided on, in a later one. */
import t from 'tap'
import { must } from '../../../src/base/assert.js'
import { SillokError } from '../../../src/base/errors.js'
import type { ReplicaId } from '../../../src/base/ids.js'
import { Random } from '../../../src/base/random.js'
import { encodeDocument } from '../../../src/codec/document.js'
import type { Command } from '../../../src/machine/command.js'
import { documentKey, schemaKey } from '../../../src/machine/keys.js'
import type { Reply } from '../../../src/machine/reply.js'
import { compileDefinition, encodeSchema } from '../../../src/machine/schema.js'
import type { Replica } from '../../../src/replica/replica.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimNetwork } from '../../../src/sim/sim-network.js'
import { hostOf } from '../../../src/testing/world/world-node.js'
import { seed } from '../../seed.js'
import { GroupNode } from '../../sim/group/group-node.js'

t.comment(`SEED=${seed}`)

const schema = compileDefinition(1, 'places', { key: 'id' }, 1, 1)
const ids = [1, 2, 3] as const

/** Three nodes without faults but those that a test arranges. */
class Three {
  readonly clock = new SimClock()
  readonly #random = new Random(seed)
  readonly cables = new SimNetwork({ clock: this.clock, random: this.#random.split('cables') })
  readonly #nodes: readonly GroupNode[]
  #fail: (error: unknown) => void = () => {}

  constructor() {
    const failed = (error: unknown): void => this.#fail(error)
    this.#nodes = ids.map(
      id =>
        new GroupNode({
          id,
          voters: ids,
          clock: this.clock,
          random: this.#random.split(`node ${id}`),
          limits: {},
          ignoreSync: false,
          cables: this.cables,
          sending: () => {},
          notSent: failed,
          installing: () => {},
          alarmed: failed,
          crashed: () => {},
          failed,
        }),
    )
  }

  async run(work: (leader: ReplicaId) => Promise<void>): Promise<void> {
    const broken = new Promise<never>((_, reject) => {
      this.#fail = reject
    })
    const all = async (): Promise<void> => {
      for (const node of this.#nodes) await node.start()
      const leader = await this.leader(ids)
      const schemas = [[schemaKey(1), encodeSchema(schema)]] as const
      await this.replica(leader).call({ type: 'metaFeed', through: 1, schemas, ended: [] }, {})
      await work(leader)
    }
    await this.clock.run(Promise.race([all(), broken]))
  }

  replica(id: ReplicaId): Replica {
    return must(this.#nodes[id - 1]?.opened, `replica ${id}`).replica
  }

  /** The one of these that leads, once it may decide. */
  async leader(among: readonly ReplicaId[]): Promise<ReplicaId> {
    for (;;) {
      await this.wait(100)
      const found = among.find(id => this.replica(id).group().role === 'leader')
      if (found === undefined) continue
      const { commit, lastIndex } = this.replica(found).group()
      if (commit === lastIndex) return found
    }
  }

  /** Lets this one lead, and waits until it may decide. */
  async lead(one: ReplicaId): Promise<void> {
    for (let tries = 0; this.replica(one).group().role !== 'leader' && tries < 50; tries++) {
      this.replica(await this.leader(ids)).transferLeader(one)
      await this.wait(500)
    }
    await this.leader([one])
  }

  wait(ms: number): Promise<void> {
    return new Promise(resolve => this.clock.after(ms, resolve))
  }

  /** Cuts it off, in both directions. */
  isolate(one: ReplicaId): void {
    for (const other of ids) {
      if (other === one) continue
      this.cables.cut(hostOf(one), hostOf(other))
      this.cables.cut(hostOf(other), hostOf(one))
    }
  }

  /** It hears nobody any more; what it says arrives. */
  deafen(one: ReplicaId): void {
    for (const other of ids) if (other !== one) this.cables.cut(hostOf(other), hostOf(one))
  }

  /** A document that must not be there yet; what comes of it, in words. */
  insert(at: ReplicaId, id: string, told: string[]): void {
    const operation = {
      op: 'put' as const,
      collection: 1,
      key: documentKey(1, id),
      document: encodeDocument({ id }),
      ifVersion: null,
    }
    const command = { type: 'write' as const, operations: [operation], mark: undefined }
    this.#submit(at, command, told)
  }

  /** An empty write of session 7, whose holder has seen the answers below `lowWater`. */
  write(at: ReplicaId, sequence: number, lowWater: number, told: string[]): void {
    const mark = { session: 7, epoch: 1, slot: 5, sequence, lowWater, numbering: 'library' } as const
    this.#submit(at, { type: 'write', operations: [], mark: { ...mark, hash: Buffer.alloc(16) } }, told)
  }

  #submit(at: ReplicaId, command: Command, told: string[]): void {
    const answer = (result: Reply | SillokError): void => {
      told.push(result instanceof SillokError ? result.code : result.ok ? 'ok' : `refused ${result.code}`)
    }
    this.replica(at).submit({ command, sender: {}, bytes: 256, answer })
  }
}

t.test('a message for a replica that this node no longer has changes nothing', async t => {
  const group = new Three()
  await group.run(async leader => {
    const replica = group.replica(leader)
    const { term } = replica.group()
    const to = 9
    replica.receive({ type: 'heartbeat', from: (leader % 3) + 1, to, term: term + 5, commit: 0, round: 1 })
    t.match(replica.group(), { term, role: 'leader' })
  })
})

t.test('who leads again decides on the log that there is then, and answers nothing from before', async t => {
  const group = new Three()
  await group.run(async first => {
    const others = ids.filter(id => id !== first)
    const lost: string[] = []
    const refused: string[] = []
    const again: string[] = []
    const other: string[] = []
    group.isolate(first)
    group.insert(first, 'a', lost)
    await group.wait(50)
    // Refused because of an insertion that never happens.
    group.insert(first, 'a', refused)
    await group.wait(50)
    t.strictSame([lost, refused], [[], []], 'nobody confirms it')
    const second = await group.leader(others)
    for (const id of ['b', 'c', 'd', 'e']) group.insert(second, id, other)
    await group.wait(1000)
    t.strictSame(other, ['ok', 'ok', 'ok', 'ok'])
    group.cables.calm()
    // Until a broken connection is found to be one.
    await group.wait(15_000)
    t.strictSame([lost, refused], [['LEADERSHIP_LOST'], ['LEADERSHIP_LOST']])
    await group.lead(first)
    group.insert(first, 'a', again)
    group.insert(first, 'b', again)
    await group.wait(1000)
    t.strictSame(again.sort(), ['ok', 'refused CONFLICT'])
  })
})

t.test('what an entry that is lost says of a session counts no more', async t => {
  const group = new Three()
  await group.run(async first => {
    const others = ids.filter(id => id !== first)
    const opened = { type: 'openSession', session: 7, epoch: 1, numbering: 'library', metaIndex: 1 } as const
    await group.replica(first).call(opened, {})
    const before: string[] = []
    const lost: string[] = []
    const again: string[] = []
    group.write(first, 1, 1, before)
    await group.wait(100)
    group.isolate(first)
    group.write(first, 2, 2, lost)
    await group.wait(50)
    await group.leader(others)
    group.cables.calm()
    // Until a broken connection is found to be one.
    await group.wait(15_000)
    t.strictSame([before, lost], [['ok'], ['LEADERSHIP_LOST']])
    await group.lead(first)
    group.write(first, 1, 1, again)
    await group.wait(100)
    t.strictSame(again, ['ok'], 'nobody has said that this answer was seen')
  })
})

t.test('a lost leadership answers nobody whose entry may still be committed: it is, and told', async t => {
  const group = new Three()
  await group.run(async first => {
    const told: string[] = []
    group.deafen(first)
    group.insert(first, 'a', told)
    await group.wait(50)
    const second = await group.leader(ids.filter(id => id !== first))
    t.not(group.replica(first).group().role, 'leader', 'it knows that it leads no more')
    t.strictSame(told, [])
    const other: string[] = []
    group.insert(second, 'a', other)
    await group.wait(1000)
    t.strictSame(other, ['refused CONFLICT'], 'the entry was on its way')
    group.cables.calm()
    await group.wait(15_000)
    t.strictSame(told, ['ok'])
  })
})
