/** A snapshot arrives whole and in order, or its sender hears that it did not and nothing is left of it. */
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import { encodeFrame } from '../../../src/codec/frame.js'
import type { InstallSnapshot } from '../../../src/raft/messages.js'
import { encodeHello, type Hello } from '../../../src/replica/hello.js'
import type { BeginIntake } from '../../../src/replica/incoming-snapshot.js'
import { encodePeerMessage } from '../../../src/replica/message-codec.js'
import { decodeAnswer, encodeAnswer, encodeEnd, encodePiece } from '../../../src/replica/snapshot-codec.js'
import type { SnapshotPiece } from '../../../src/replica/snapshot-parcel.js'
import { seed } from '../../seed.js'
import { numbered, TransportWorld } from './transport-world.js'

t.comment(`SEED=${seed}`)

const configuration = { voters: [1, 2], outgoing: [], learners: [], learnersNext: [], autoLeave: false }
const message: InstallSnapshot = {
  type: 'installSnapshot',
  from: 1,
  to: 2,
  term: 3,
  snapshot: { index: 9, term: 3, configuration, configurationIndex: 0 },
}
const cut: SnapshotPiece = { type: 'cut', term: 2 }
const entries: SnapshotPiece = { type: 'entries', bytes: Buffer.alloc(5, 9) }
const hello: Hello = { purpose: 'snapshot', address: 'x:1', cluster: 'cluster', run: 1, number: 1 }

function state(length: number, fill: number): SnapshotPiece {
  return { type: 'state', bytes: Buffer.alloc(length, fill) }
}

/** Writes down what comes; each piece takes that long. */
class Told {
  readonly lines: string[] = []
  pieceMs = 0
  refuses: string | undefined
  failsAt: number | undefined
  failsToAbandon = false
  readonly #world: TransportWorld

  constructor(world: TransportWorld) {
    this.#world = world
  }

  readonly begin: BeginIntake = async (partition, { snapshot }) => {
    if (this.refuses !== undefined) throw new SillokError('OVERLOADED', this.refuses)
    this.lines.push(`begin ${partition} ${snapshot.index}`)
    let pieces = 0
    return {
      take: async piece => {
        await this.#world.wait(this.pieceMs)
        if (++pieces === this.failsAt) throw new SillokError('DISK_FULL', 'no room')
        const what = piece.type === 'cut' ? piece.term : `${piece.bytes.length}x${piece.bytes[0]}`
        this.lines.push(`${piece.type} ${what}`)
      },
      finish: async () => void this.lines.push('finish'),
      abandon: async () => {
        this.lines.push('abandon')
        if (this.failsToAbandon) throw new SillokError('DISK_FAILED', 'it does not go')
      },
    }
  }
}

/** Two nodes, `a` that sends and `b` that takes in. */
async function transfer(
  work: (
    world: TransportWorld,
    told: Told,
    send: (pieces: AsyncIterable<SnapshotPiece>) => Promise<void>,
  ) => Promise<void>,
): Promise<void> {
  const world = new TransportWorld(seed)
  const told = new Told(world)
  await world.run(async () => {
    const a = await world.start('a')
    await world.start('b', 'cluster', told.begin)
    await work(world, told, async pieces => await a.transport.sendSnapshot('b:1', 7, message, pieces))
  })
}

async function* few(): AsyncGenerator<SnapshotPiece> {
  yield cut
  yield state(1000, 1)
  yield entries
}

const fewLines = ['begin 7 9', 'cut 2', 'state 1000x1', 'entries 5x9', 'finish']

t.test('what is sent arrives in order, then it is finished', async t => {
  await transfer(async (_, told, send) => {
    await send(few())
    t.strictSame(told.lines, fewLines)
  })
})

t.test('messages between the two nodes go on meanwhile, and the other way round', async t => {
  await transfer(async (world, told, send) => {
    const [a, b] = world.nodes
    told.pieceMs = 1000
    const sending = send(few())
    await world.wait(100)
    a?.transport.send('b:1', 1, numbered(0, 1))
    b?.transport.send('a:1', 1, numbered(1, 2))
    await world.wait(100)
    t.equal(b?.delivered.length, 1)
    t.equal(a?.delivered.length, 1)
    await sending
    t.strictSame(told.lines, fewLines)
    t.strictSame([a?.unreachable, b?.unreachable, b?.refused], [[], [], []])
  })
})

t.test('a slow receiver sets the pace: few pieces are ahead of it', async t => {
  await transfer(async (_, told, send) => {
    told.pieceMs = 10
    let made = 0
    let ahead = 0
    async function* many(): AsyncGenerator<SnapshotPiece> {
      for (; made < 100; made++) {
        ahead = Math.max(ahead, made - told.lines.length)
        yield state(1024 * 1024, made)
      }
    }
    await send(many())
    t.equal(told.lines.length, 102)
    t.ok(ahead >= 2 && ahead <= 5, `${ahead} ahead`)
  })
})

t.test('a snapshot that is not wanted is refused with the reason, before any of it is read', async t => {
  await transfer(async (_, told, send) => {
    told.refuses = 'another one is coming in'
    let read = 0
    async function* pieces(): AsyncGenerator<SnapshotPiece> {
      read += 1
      yield* few()
    }
    await t.rejects(send(pieces()), { code: 'UNAVAILABLE', message: /another one is coming in/ })
    t.strictSame(told.lines, [])
    t.equal(read, 0)
  })
})

t.test('what fails on either side ends it: the sender is told, the receiver gives up', async t => {
  await transfer(async (world, told, send) => {
    told.failsAt = 2
    await t.rejects(send(few()), { code: 'UNAVAILABLE', message: /no room/ })
    await world.wait(100)
    t.strictSame(told.lines, ['begin 7 9', 'cut 2', 'abandon'])
  })
  await transfer(async (world, told, send) => {
    async function* broken(): AsyncGenerator<SnapshotPiece> {
      yield cut
      throw new SillokError('DAMAGED', 'the file')
    }
    await t.rejects(send(broken()), { code: 'DAMAGED' })
    await world.wait(1000)
    t.equal(told.lines.at(-1), 'abandon')
    t.notOk(told.lines.includes('finish'))
  })
})

t.test('a cut cable, a death, a close: the sender is told, and the receiver gives up what came', async t => {
  const ends: Record<string, (world: TransportWorld) => unknown> = {
    'a cut': world => world.network.cut('a', 'b'),
    'a cut of the answers': world => world.network.cut('b', 'a'),
    'a break': world => world.network.break('a', 'b'),
    'a close of the sender': world => world.nodes[0]?.transport.close(),
    'a close of the receiver': world => world.nodes[1]?.transport.close(),
  }
  for (const [name, end] of Object.entries(ends)) {
    await transfer(async (world, told, send) => {
      told.pieceMs = 100
      let returned = false
      async function* endless(): AsyncGenerator<SnapshotPiece> {
        try {
          for (;;) yield cut
        } finally {
          returned = true
        }
      }
      const sending = t.rejects(send(endless()), { code: 'UNAVAILABLE' }, name)
      await world.wait(1000)
      await end(world)
      await sending
      t.ok(returned, 'the file is closed')
      await world.wait(10_000)
      t.equal(told.lines.at(-1), 'abandon', name)
    })
  }
  await transfer(async (world, told, send) => {
    told.pieceMs = 100
    const sending = t.rejects(send(few()), { code: 'UNAVAILABLE' })
    await world.wait(150)
    const [, b] = world.nodes
    if (b) world.kill(b)
    await sending
  })
})

t.test(
  'a closed transport finishes what it takes in before its close resolves, and sends nothing',
  async t => {
    await transfer(async (world, told, send) => {
      told.pieceMs = 300
      const sending = t.rejects(send(few()), { code: 'UNAVAILABLE' })
      await world.wait(100)
      await world.nodes[1]?.transport.close()
      t.equal(told.lines.at(-1), 'abandon')
      await sending
      await world.nodes[0]?.transport.close()
      await t.rejects(send(few()), { code: /CLOSED|UNAVAILABLE/ })
    })
  },
)

t.test('who does not answer, or answers what cannot be, is given up', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    const a = await world.start('a')
    const answers: Record<string, (sent: number) => Buffer | undefined> = {
      'no answer for 60 s': () => undefined,
      'an answer to frame 5': () => encodeAnswer(7, { type: 'taken', frames: 5 }),
      'an answer to frame 0': () => encodeAnswer(7, { type: 'taken', frames: 0 }),
      'an answer of partition 8': () => encodeAnswer(8, { type: 'taken', frames: 1 }),
      'is no answer': () => encodeEnd(7),
      'no whole head': () => Buffer.from('rubbish'),
      'do not like it': () => encodeAnswer(7, { type: 'refused', reason: 'I do not like it' }),
    }
    for (const [why, answer] of Object.entries(answers)) {
      const door = world.network.process('z')
      const listener = await door.listen('z:1', connection => {
        let seen = 0
        connection.onMessage(() => {
          const said = ++seen > 1 ? answer(seen) : undefined
          if (said !== undefined) connection.send(said)
        })
      })
      await t.rejects(a.transport.sendSnapshot('z:1', 7, message, few()), { message: new RegExp(why) }, why)
      await listener.close()
      door.kill()
    }
  })
})

t.test('who sends what cannot be is refused or cut off, and the node goes on', async t => {
  const begin = encodePeerMessage(7, message)
  const piece = encodePiece(7, cut)
  const said: Record<string, readonly Buffer[]> = {
    'another message first': [encodePeerMessage(7, numbered(1, 1))],
    'a piece first': [piece],
    rubbish: [Buffer.from('rubbish')],
    'a flipped bit': [begin, flipped(piece)],
    'another partition': [begin, encodePiece(8, cut)],
    'no piece': [begin, encodeFrame(99, 7, Buffer.alloc(3))],
    'an end with a body': [begin, encodeFrame(23, 7, Buffer.alloc(3))],
    'a cut of three bytes': [begin, encodeFrame(20, 7, Buffer.alloc(3))],
    'begun twice': [begin, begin],
    'too far ahead': [begin, ...Array.from({ length: 20 }, () => piece)],
  }
  for (const [name, frames] of Object.entries(said)) {
    await transfer(async (world, told, send) => {
      const stranger = await world.network.process('x').connect('b:1')
      const heard: string[] = []
      let isClosed = false
      stranger.onMessage(bytes => heard.push(decodeAnswer(bytes.readUInt32LE(8), bytes).type))
      stranger.onClose(() => {
        isClosed = true
      })
      stranger.send(encodeHello(hello))
      for (const frame of frames) stranger.send(frame)
      await world.wait(100)
      t.ok(isClosed || heard.at(-1) === 'refused', name)
      t.ok(told.lines.length === 0 || told.lines.at(-1) === 'abandon', `${name}: ${told.lines}`)
      told.lines.length = 0
      await send(few())
      t.strictSame(told.lines, fewLines, 'the node goes on')
    })
  }
})

t.test('who sends nothing more is cut off after a minute, and what came is given up', async t => {
  for (const frames of [
    [],
    [encodePeerMessage(7, message)],
    [encodePeerMessage(7, message), encodePiece(7, cut)],
  ]) {
    await transfer(async (world, told) => {
      const stranger = await world.network.process('x').connect('b:1')
      let closedMs = 0
      stranger.onMessage(() => {})
      stranger.onClose(() => {
        closedMs = world.clock.monotonicMs()
      })
      stranger.send(encodeHello(hello))
      for (const frame of frames) stranger.send(frame)
      await world.wait(59_000)
      t.equal(closedMs, 0)
      await world.wait(3000)
      t.ok(closedMs > 0)
      t.equal(told.lines.at(-1), frames.length === 0 ? undefined : 'abandon')
    })
  }
})

t.test('what takes long to check is waited for: the longer the more was sent', async t => {
  await transfer(async (world, told, send) => {
    async function* much(): AsyncGenerator<SnapshotPiece> {
      yield cut
      for (let mib = 0; mib < 50; mib++) yield state(1024 * 1024, mib)
      // All of that is dealt with.
      await world.wait(1000)
      told.pieceMs = 61_500
      yield entries
      await world.wait(1000)
      told.pieceMs = 0
      for (let more = 0; more < 5; more++) yield entries
    }
    await send(much())
    t.equal(told.lines.at(-1), 'finish')
  })
})

t.test('a receiver that has something to do is not waiting for the other side', async t => {
  await transfer(async (world, told) => {
    told.pieceMs = 70_000
    const sender = await world.network.process('x').connect('b:1')
    sender.onMessage(() => {})
    sender.send(encodeHello(hello))
    for (const frame of [encodePeerMessage(7, message), encodePiece(7, cut), encodePiece(7, cut)])
      sender.send(frame)
    sender.send(encodeEnd(7))
    await world.wait(150_000)
    t.strictSame(told.lines, ['begin 7 9', 'cut 2', 'cut 2', 'finish'])
  })
})

t.test('what is given up and cannot be removed harms nobody', async t => {
  await transfer(async (world, told, send) => {
    told.failsAt = 2
    told.failsToAbandon = true
    await t.rejects(send(few()), { code: 'UNAVAILABLE', message: /no room/ })
    told.failsAt = undefined
    const sending = t.rejects(send(few()), { code: 'UNAVAILABLE' })
    world.network.cut('a', 'b')
    await sending
    await world.nodes[1]?.transport.close()
  })
})

t.test('a node that is not there, or that never answers, is unavailable', async t => {
  const world = new TransportWorld(seed)
  await world.run(async () => {
    const a = await world.start('a')
    await t.rejects(a.transport.sendSnapshot('nowhere:1', 7, message, few()), { code: 'UNAVAILABLE' })
  })
})

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1
  return copy
}
