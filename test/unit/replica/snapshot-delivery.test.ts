/** What becomes of a snapshot that comes in, whole, at a node whose replica wants it, or not any more. */
import t from 'tap'
import type { Connection } from '../../../src/env/network.js'
import type { InstallSnapshot } from '../../../src/raft/messages.js'
import { encodeHello } from '../../../src/replica/hello.js'
import { encodePeerMessage } from '../../../src/replica/message-codec.js'
import type { OpenedReplica } from '../../../src/replica/open-replica.js'
import type { PreparedSnapshot } from '../../../src/replica/prepared-snapshot.js'
import { decodeAnswer, encodeEnd, encodePiece } from '../../../src/replica/snapshot-codec.js'
import type { SnapshotPiece } from '../../../src/replica/snapshot-parcel.js'
import { Switchboard } from '../../../src/replica/switchboard.js'
import { SimNetwork } from '../../../src/sim/sim-network.js'
import { seed } from '../../seed.js'
import { Parcel } from './parcel.js'

t.comment(`SEED=${seed}`)

/** A node that a snapshot is sent to, frame by frame, and what its replica is given. */
class Receiving {
  readonly #parcel: Parcel
  readonly #network: SimNetwork
  readonly switchboard: Switchboard
  readonly given: PreparedSnapshot[] = []
  readonly failures: unknown[] = []
  readonly opened: OpenedReplica
  installs = true
  #senders = 0

  constructor(parcel: Parcel) {
    this.#parcel = parcel
    const { clock, machine } = parcel
    this.#network = new SimNetwork({ clock, random: parcel.random.split('delivery') })
    const receiveSnapshot = (_: InstallSnapshot, prepared: PreparedSnapshot): boolean => {
      this.given.push(prepared)
      return this.installs
    }
    const { cutBytes } = parcel.opened
    const replica = { partition: 1, receiveSnapshot }
    this.opened = { replica, replicaId: 2, cutBytes, generation: 0 } as unknown as OpenedReplica
    this.switchboard = new Switchboard({
      network: this.#network.process('there'),
      clock,
      random: parcel.random.split('board'),
      disk: machine.environment.disk,
      folder: 'there',
      clusterEpoch: 1,
      cluster: 'cluster',
      address: 'there:1',
      addressOf: () => undefined,
      refused: reason => this.failures.push(reason),
      notSent: error => this.failures.push(error),
      failed: error => this.failures.push(error),
    })
    this.switchboard.plug(this.opened)
  }

  /** Somebody who has said hello and sends frames; what he is answered. */
  async sender(): Promise<{
    readonly send: (...frames: Buffer[]) => Promise<void>
    readonly heard: string[]
  }> {
    const number = ++this.#senders
    const connection: Connection = await this.#network.process(`x${number}`).connect('there:1')
    const heard: string[] = []
    connection.onMessage(bytes => {
      const answer = decodeAnswer(1, bytes)
      heard.push(answer.type === 'taken' ? String(answer.frames) : answer.reason)
    })
    connection.send(encodeHello({ purpose: 'snapshot', address: 'x:1', cluster: 'cluster', run: 1, number }))
    const send = async (...frames: Buffer[]): Promise<void> => {
      for (const frame of frames) {
        connection.send(frame)
        await new Promise<void>(resolve => this.#parcel.clock.after(1000, resolve))
      }
    }
    return { send, heard }
  }
}

async function receiving(
  work: (parcel: Parcel, receiving: Receiving, announced: Buffer, pieces: readonly Buffer[]) => Promise<void>,
): Promise<void> {
  const parcel = new Parcel(seed)
  await parcel.run(async (message, pieces: readonly SnapshotPiece[]) => {
    const there = new Receiving(parcel)
    await there.switchboard.listen()
    const frames = [...pieces.map(piece => encodePiece(1, piece)), encodeEnd(1)]
    await work(parcel, there, encodePeerMessage(1, message), frames)
    await there.switchboard.close()
    t.strictSame(there.failures, [])
  })
}

t.test('a whole snapshot is given to the replica; of one that it does not need nothing stays', async t => {
  await receiving(async (parcel, there, announced, pieces) => {
    there.installs = false
    const one = await there.sender()
    await one.send(announced, ...pieces)
    t.equal(there.given.length, 1)
    t.equal(one.heard.at(-1), String(pieces.length + 1))
    t.strictSame(await parcel.left(), [])
    there.installs = true
    const other = await there.sender()
    await other.send(announced, ...pieces)
    t.equal(there.given.length, 2)
    t.strictSame(await parcel.left(), ['1-2.1'])
    const late = await there.sender()
    await late.send(announced)
    t.match(late.heard, [/takes no part/], 'it has ended; the folder is its successor’s')
    t.strictSame(await parcel.left(), ['1-2.1'])
  })
})

t.test('one that comes while another is coming takes its place, and the other is refused', async t => {
  await receiving(async (_, there, announced, [piece = Buffer.alloc(0), ...pieces]) => {
    const [one, other] = [await there.sender(), await there.sender()]
    await one.send(announced, piece)
    await other.send(announced)
    await one.send(piece)
    t.match(one.heard.at(-1), /takes the place of this one/)
    await other.send(piece, ...pieces)
    t.equal(other.heard.at(-1), String(pieces.length + 2))
    t.equal(there.given.length, 1)
  })
})

t.test('a replica that takes no part any more is given nothing, and nothing stays', async t => {
  await receiving(async (parcel, there, announced, pieces) => {
    const one = await there.sender()
    await one.send(announced, ...pieces.slice(0, -1))
    there.switchboard.unplug(1)
    await one.send(...pieces.slice(-1))
    t.match(one.heard.at(-1), /takes no part/)
    t.strictSame(await parcel.left(), [])
    there.switchboard.plug(there.opened)
    const other = await there.sender()
    await other.send(announced, ...pieces)
    t.equal(there.given.length, 1)
  })
})

t.test('a node that closes while a snapshot comes in keeps nothing of it', async t => {
  await receiving(async (parcel, there, announced, pieces) => {
    const one = await there.sender()
    await one.send(announced, ...pieces.slice(0, -1))
    await there.switchboard.close()
    t.strictSame(await parcel.left(), [])
    t.equal(there.given.length, 0)
  })
})
