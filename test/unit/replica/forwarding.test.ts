/** A request to another node is answered once: by it, as one that never left, or as one that may have. */
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import type { Address } from '../../../src/env/network.js'
import type { Reply } from '../../../src/machine/reply.js'
import type { Ticket } from '../../../src/replica/admission.js'
import { Forwarding } from '../../../src/replica/forwarding.js'
import { SimClock } from '../../../src/sim/sim-clock.js'

const done: Reply = { ok: true, version: 5, value: null }
const names = (name: string) => ({ type: 'unsubscribe', name }) as const

/** Nodes a and b; what they send waits in `frames` until it is carried. */
class Pair {
  readonly clock = new SimClock()
  readonly frames: {
    readonly from: Address
    readonly to: Address
    readonly frame: Buffer
    readonly notSent: (() => void) | undefined
  }[] = []
  /** What b is asked to decide. */
  readonly tickets: Ticket[] = []
  readonly told: string[] = []
  readonly a = this.start('a', 'first')
  readonly b = this.start('b', 'first')

  start(name: Address, run: string): Forwarding {
    return new Forwarding({
      clock: this.clock,
      random: new Random(`${name} ${run}`),
      send: (to, frame, notSent) => this.frames.push({ from: name, to, frame, notSent }),
      submit: (partition, ticket) => {
        this.tickets.push(ticket)
        return partition === 1
      },
    })
  }

  ask(name: string, sender: object = {}, { by = this.a, partition = 1 } = {}): void {
    const answer = (result: Reply | SillokError): void => {
      const what = result instanceof SillokError ? `${result.code} ${result.outcome}` : `ok ${result.ok}`
      this.told.push(`${name}: ${what}`)
    }
    by.ask('b', partition, names(name), { sender, bytes: 1, answer })
  }

  /** Everything that was sent arrives. */
  carry(a = this.a): void {
    for (const { from, to, frame } of this.frames.splice(0)) (to === 'a' ? a : this.b).take(frame, from)
  }

  wait(ms: number): Promise<void> {
    return new Promise(resolve => this.clock.after(ms, resolve))
  }
}

t.test('a request is decided by the other node, in the order of its sender, and answered once', async t => {
  const pair = new Pair()
  const [one, two] = [{}, {}]
  pair.ask('first', one)
  pair.ask('second', one)
  pair.ask('other', two)
  pair.carry()
  const [first, second, other] = pair.tickets
  t.strictSame(
    pair.tickets.map(({ command }) => command),
    [names('first'), names('second'), names('other')],
  )
  t.equal(first?.sender, second?.sender)
  t.not(first?.sender, other?.sender)
  second?.answer(done)
  first?.answer(new SillokError('CONFLICT', 'no'))
  pair.carry()
  t.strictSame(pair.told, ['second: ok true', 'first: CONFLICT not-applied'])
  other?.answer(done)
  const [frame] = pair.frames
  pair.carry()
  if (frame) pair.a.take(frame.frame, 'b')
  t.equal(pair.told.length, 3, 'a repeated answer is dropped')
})

t.test('what is no command there is refused, and the connection goes on', async t => {
  const pair = new Pair()
  const told: SillokError[] = []
  const answer = (result: Reply | SillokError): void => {
    if (result instanceof SillokError) told.push(result)
  }
  const operation = { op: 'put' as const, collection: 1, key: 'd', document: Buffer.alloc(1), ifVersion: -1 }
  const command = { type: 'write' as const, operations: [operation], mark: undefined }
  pair.a.ask('b', 1, command, { sender: {}, bytes: 1, answer })
  pair.ask('next')
  pair.carry()
  pair.tickets.at(-1)?.answer(done)
  pair.carry()
  t.match(told, [{ code: 'INVALID', outcome: 'not-applied', message: /ifVersion/ }])
  t.strictSame(pair.told, ['next: ok true'])
})

t.test(
  'what only the other node suffers from is told as that: it stops, or its bytes are damaged',
  async t => {
    const pair = new Pair()
    const told: SillokError[] = []
    const answer = (result: Reply | SillokError): void => {
      if (result instanceof SillokError) told.push(result)
    }
    for (const code of [
      'CLOSED',
      'CLOSED_WHILE_WAITING',
      'DISK_FAILED',
      'STOPPED',
      'DAMAGED',
      'DISK_FULL',
    ] as const) {
      pair.a.ask('b', 1, names(code), { sender: {}, bytes: 1, answer })
      pair.carry()
      pair.tickets.at(-1)?.answer(new SillokError(code, 'no', { details: { row: 1 } }))
      pair.carry()
    }
    t.strictSame(
      told.map(({ code, outcome, details }) => [code, outcome, details]),
      [
        ['UNAVAILABLE', 'not-applied', {}],
        ['UNAVAILABLE', 'unknown', {}],
        ['UNAVAILABLE', 'unknown', {}],
        ['UNAVAILABLE', 'unknown', {}],
        ['DAMAGED', 'not-applied', { row: 1, node: 'b' }],
        ['DISK_FULL', 'not-applied', { row: 1 }],
      ],
    )
  },
)

t.test('a lane is forgotten when nothing of it is under way', async t => {
  const pair = new Pair()
  const sender = {}
  for (const name of ['x', 'y']) {
    pair.ask(name, sender)
    pair.carry()
    pair.tickets.at(-1)?.answer(done)
    pair.carry()
  }
  t.not(pair.tickets[0]?.sender, pair.tickets[1]?.sender)
})

t.test(
  'what a node that was not asked answers, or one to an earlier process, counts for nothing',
  async t => {
    const pair = new Pair()
    pair.ask('mine')
    pair.carry()
    pair.tickets[0]?.answer(done)
    const [answer] = pair.frames.splice(0)
    if (answer === undefined) throw new Error('no answer')
    pair.a.take(answer.frame, 'c')
    t.strictSame(pair.told, [])
    const restarted = pair.start('a', 'second')
    pair.ask('new', {}, { by: restarted })
    restarted.take(answer.frame, 'b')
    t.strictSame(pair.told, [], 'its first request has the same number')
    pair.a.take(answer.frame, 'b')
    t.strictSame(pair.told, ['mine: ok true'])
  },
)

t.test('a request that never left was not applied', async t => {
  const pair = new Pair()
  pair.ask('one')
  pair.ask('two')
  pair.frames[1]?.notSent?.()
  t.strictSame(pair.told, ['two: UNAVAILABLE not-applied'])
  pair.a.lost('b')
  pair.frames[1]?.notSent?.()
  t.strictSame(pair.told.slice(1), ['one: UNAVAILABLE unknown'], 'each is answered once')
})

t.test('when a connection is lost nobody knows what became of the requests to that node', async t => {
  const pair = new Pair()
  pair.ask('one')
  pair.a.lost('c')
  t.strictSame(pair.told, [])
  pair.a.lost('b')
  t.strictSame(pair.told, ['one: UNAVAILABLE unknown'])
  pair.carry()
  pair.tickets[0]?.answer(done)
  pair.carry()
  t.equal(pair.told.length, 1, 'the answer comes too late')
})

t.test('a request that is not answered in half a minute is given up, those after it later', async t => {
  const pair = new Pair()
  await pair.clock.run(async () => {
    pair.ask('one')
    await pair.wait(10_000)
    pair.ask('two')
    await pair.wait(19_000)
    t.strictSame(pair.told, [])
    await pair.wait(3000)
    t.strictSame(pair.told, ['one: UNAVAILABLE unknown'])
    await pair.wait(10_000)
    t.strictSame(pair.told, ['one: UNAVAILABLE unknown', 'two: UNAVAILABLE unknown'])
  })
})

t.test('what cannot be asked is refused at once: no such partition, too many, closed', async t => {
  const pair = new Pair()
  pair.ask('nowhere', {}, { partition: 9 })
  pair.carry()
  pair.carry()
  t.strictSame(pair.told.splice(0), ['nowhere: NOT_LEADER not-applied'])
  for (let i = 0; i <= limits.pendingCommandsMax; i++) pair.ask(`n${i}`)
  t.strictSame(pair.told.splice(0), [`n${limits.pendingCommandsMax}: OVERLOADED not-applied`])
  pair.a.close()
  t.equal(pair.told.length, limits.pendingCommandsMax)
  t.ok(pair.told.splice(0).every(line => line.endsWith('CLOSED_WHILE_WAITING unknown')))
  pair.ask('late')
  t.strictSame(pair.told, ['late: CLOSED not-applied'])
})
