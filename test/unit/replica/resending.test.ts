/** A command is decided by whoever leads, however often that changes; twice only what may be. */
import t from 'tap'
import { type Code, SillokError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import type { AskedCommand } from '../../../src/machine/command-codec.js'
import { type Reply, refuse } from '../../../src/machine/reply.js'
import { type AskedTicket, Resending } from '../../../src/replica/resending.js'
import { SimClock } from '../../../src/sim/sim-clock.js'

const done: Reply = { ok: true, version: 5, value: null }
const refused = (code: SillokError['code'], outcome: SillokError['outcome']): SillokError =>
  new SillokError(code, 'no', { outcome })
const nobodyLeads = refused('NOT_LEADER', 'not-applied')
const answerLost = refused('UNAVAILABLE', 'unknown')

const write = (parts: object): AskedCommand => ({ type: 'write', operations: [], ...parts }) as never
const plain = write({})
const withId = write({ request: { id: 'r', slot: 1, hash: Buffer.alloc(16) } })
const repeatable: AskedCommand = {
  type: 'acknowledge',
  name: 'f',
  epoch: 1,
  position: { index: 1, count: 0 },
}

/** Tickets that were sent wait in `sent` until they are answered. */
class Desk {
  readonly clock = new SimClock()
  readonly sent: AskedTicket[] = []
  readonly told: string[] = []
  readonly resending = new Resending({ clock: this.clock, send: ticket => this.sent.push(ticket) })

  submit(name: string, command: AskedCommand, { sender = {} as object, isForgotten = false } = {}): void {
    const answer = (result: Reply | SillokError): void => {
      const refused = !(result instanceof SillokError) && !result.ok ? result.code : 'ok'
      const what = result instanceof SillokError ? `${result.code} ${result.outcome}` : refused
      this.told.push(`${name}: ${what}`)
    }
    this.resending.submit({ command, sender, bytes: 1, answer, isForgotten })
  }

  /** Answers those that were sent so far, in order. */
  answer(...results: (Reply | SillokError)[]): void {
    const sent = this.sent.splice(0)
    for (const [at, result] of results.entries()) sent[at]?.answer(result)
  }

  async again(): Promise<readonly AskedCommand[]> {
    await this.clock.runFor(60)
    return this.sent.map(({ command }) => command)
  }
}

t.test(
  'what was refused because nobody leads is sent again until it is decided, and answered once',
  async t => {
    const desk = new Desk()
    desk.submit('a', plain)
    for (const refusal of [nobodyLeads, refused('LEADERSHIP_LOST', 'not-applied'), nobodyLeads]) {
      desk.answer(refusal)
      t.strictSame(desk.sent, [], 'not at once')
      t.strictSame(await desk.again(), [plain])
    }
    desk.answer(done)
    t.strictSame(desk.told, ['a: ok'])
    t.strictSame(await desk.again(), [])
  },
)

t.test('a refusal of the command itself is its answer', async t => {
  const desk = new Desk()
  for (const code of ['CONFLICT', 'DISK_FULL', 'OVERLOADED', 'TOO_LARGE', 'FENCED'] as const) {
    desk.submit(code, withId)
    desk.answer(refused(code, 'not-applied'))
    t.equal(desk.told.pop(), `${code}: ${code} not-applied`)
  }
  t.strictSame(await desk.again(), [])
})

t.test(
  'a lost answer: what may be done twice is sent again, a plain write is told that nobody knows',
  async t => {
    const desk = new Desk()
    const marked = write({ mark: { session: 1 } })
    for (const command of [withId, marked, repeatable]) {
      desk.submit(command.type, command)
      desk.answer(answerLost)
      t.strictSame(desk.told, [], 'no answer yet')
      t.strictSame(await desk.again(), [command])
      desk.answer(done)
      t.equal(desk.told.pop(), `${command.type}: ok`)
    }
    for (const command of [plain, { type: 'unsubscribe', name: 'x' }] as const) {
      desk.submit(command.type, command)
      desk.answer(answerLost)
      t.equal(desk.told.pop(), `${command.type}: UNAVAILABLE unknown`)
    }
    t.strictSame(await desk.again(), [])
  },
)

t.test('once an attempt may have taken effect no later one says that it did not', async t => {
  const desk = new Desk()
  desk.submit('a', withId)
  desk.answer(answerLost)
  await desk.again()
  desk.answer(nobodyLeads)
  await desk.again()
  desk.answer(refused('DISK_FULL', 'not-applied'))
  t.strictSame(desk.told, ['a: DISK_FULL unknown'])
})

t.test('a refusal of which nothing is kept says nothing of an attempt before it', async t => {
  const desk = new Desk()
  const marked = write({ mark: { session: 1 } })
  const told = async (command: AskedCommand, code: Code, isAgain: boolean): Promise<string | undefined> => {
    desk.submit('a', command)
    if (isAgain) {
      desk.answer(answerLost)
      await desk.again()
    }
    desk.answer(refuse(code, 'no'))
    return desk.told.pop()
  }
  for (const code of ['FENCED', 'WINDOW_FULL', 'REQUEST_IDS_FULL'] as const) {
    t.equal(await told(marked, code, false), `a: ${code}`)
    t.equal(await told(marked, code, true), `a: ${code} unknown`)
  }
  t.equal(await told(marked, 'CONFLICT', true), 'a: CONFLICT', 'its first answer, which was kept')
  t.equal(await told(repeatable, 'NOT_FOUND', true), 'a: NOT_FOUND unknown')
})

t.test('while one of a sender waits, later ones wait behind it; others do not', async t => {
  const desk = new Desk()
  const [one, two] = [{}, {}]
  const named = (name: string): AskedCommand => ({ type: 'unsubscribe', name })
  desk.submit('1', named('1'), { sender: one })
  desk.submit('2', named('2'), { sender: one })
  const [first, second] = desk.sent.splice(0)
  second?.answer(nobodyLeads)
  first?.answer(nobodyLeads)
  desk.submit('3', named('3'), { sender: one })
  t.strictSame(desk.sent, [], 'behind those that wait')
  desk.submit('other', named('other'), { sender: two })
  t.strictSame(
    desk.sent.splice(0).map(({ command }) => command),
    [named('other')],
  )
  t.strictSame(await desk.again(), [named('1'), named('2'), named('3')], 'in call order')
})

t.test('one that is refused while others are sent again holds back those behind it', async t => {
  const clock = new SimClock()
  const sent: string[] = []
  let isRefusing = true
  const resending = new Resending({
    clock,
    send: ticket => {
      sent.push((ticket.command as { name: string }).name)
      if (isRefusing) ticket.answer(nobodyLeads)
    },
  })
  const sender = {}
  for (const name of ['1', '2', '3'])
    resending.submit({ command: { type: 'unsubscribe', name }, sender, bytes: 1, answer: () => {} })
  t.strictSame(sent.splice(0), ['1'])
  await clock.runFor(60)
  t.strictSame(sent.splice(0), ['1'], 'the first of them finds out for all')
  isRefusing = false
  await clock.runFor(60)
  t.strictSame(sent, ['1', '2', '3'])
})

t.test('what nobody waits for any more is not sent again, and left at what is known of it', async t => {
  const desk = new Desk()
  const ticket = { isForgotten: false }
  const told: string[] = []
  const asked = (command: AskedCommand) => ({
    command,
    sender: {},
    bytes: 1,
    get isForgotten() {
      return ticket.isForgotten
    },
    answer: (result: Reply | SillokError) => told.push(result instanceof SillokError ? result.outcome : 'ok'),
  })
  desk.resending.submit(asked(withId))
  desk.resending.submit(asked(withId))
  desk.resending.submit(asked(withId))
  const third = desk.sent.pop()
  desk.answer(nobodyLeads, answerLost)
  ticket.isForgotten = true
  t.strictSame(await desk.again(), [])
  t.strictSame(told.splice(0), ['not-applied', 'unknown'])
  third?.answer(nobodyLeads)
  t.strictSame(told, ['not-applied'], 'one that comes back to nobody')
  t.strictSame(await desk.again(), [])
})

t.test('closing answers who waits, and nothing is sent any more', async t => {
  const desk = new Desk()
  desk.submit('never sent twice', plain)
  desk.submit('perhaps done', withId)
  desk.submit('in flight', withId)
  const inFlight = desk.sent.pop()
  desk.answer(nobodyLeads, answerLost)
  desk.resending.close(refused('CLOSED', 'not-applied'))
  t.strictSame(desk.told.splice(0), ['never sent twice: CLOSED not-applied', 'perhaps done: CLOSED unknown'])
  inFlight?.answer(answerLost)
  desk.submit('late', plain)
  t.strictSame(desk.told, ['in flight: UNAVAILABLE unknown', 'late: CLOSED not-applied'])
  t.strictSame(await desk.again(), [])
})

t.test('no more of them wait than may', async t => {
  const desk = new Desk()
  for (let n = 0; n < limits.pendingCommandsMax; n++) desk.submit('one', plain)
  for (const ticket of desk.sent.splice(0)) ticket.answer(nobodyLeads)
  t.strictSame(desk.told, [])
  desk.submit('too many', plain)
  desk.submit('perhaps done', withId)
  desk.answer(nobodyLeads, answerLost)
  t.strictSame(desk.told, ['too many: OVERLOADED not-applied', 'perhaps done: OVERLOADED unknown'])
  t.equal((await desk.again()).length, limits.pendingCommandsMax)
})
