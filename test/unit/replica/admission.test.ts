/** The way in for commands: order per sender, loads, bounds; the decider does what the test says. */
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import type { RowKey } from '../../../src/codec/row.js'
import type { Command, Write } from '../../../src/machine/command.js'
import type { Reply } from '../../../src/machine/reply.js'
import { Admission, type Decider, type Ticket, type Verdict } from '../../../src/replica/admission.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import type { Loaded } from '../../../src/state/loaded.js'

/** Rows load as slowly as their key says: `slow…`; commands are known by their first key. */
class Slow implements Decider {
  readonly clock = new SimClock()
  readonly decided_: string[] = []
  readonly answers: string[] = []
  readonly errors: unknown[] = []
  released = 0
  held = 0
  /** The keys of each load. */
  readonly loads: string[] = []
  /** What to say to a command that was not told to wait yet. */
  readonly once = new Map<string, Verdict>()
  readonly admission = new Admission(this.clock, this)
  readonly #loaded = new Set<RowKey>()

  missing(command: Command, keys: RowKey[]): void {
    const name = nameOf(command)
    if (name.startsWith('slow') || name.startsWith('bad')) keys.push(name)
  }

  async load(keys: readonly RowKey[]): Promise<Loaded> {
    const ms = Math.max(...keys.map(key => Number(/\d+$/.exec(key)?.[0] ?? 1)))
    await new Promise<void>(resolve => this.clock.after(ms, resolve))
    if (keys.some(key => key.startsWith('bad'))) throw new SillokError('DAMAGED', 'a bad row')
    return this.loadSync(keys)
  }

  loadSync(keys: readonly RowKey[]): Loaded {
    this.held += 1
    this.loads.push(keys.join(' '))
    for (const key of keys) this.#loaded.add(key)
    return { get: () => null, release: () => this.released++ } as unknown as Loaded
  }

  decide(ticket: Ticket): Verdict {
    const name = nameOf(ticket.command)
    const verdict = this.once.get(name)
    if (verdict !== undefined) {
      this.once.delete(name)
      return verdict
    }
    this.decided_.push(name)
    ticket.answer({ ok: true, version: 1, value: null })
    return { type: 'settled' }
  }

  needs(ticket: Ticket): readonly RowKey[] {
    const verdict = this.once.get(nameOf(ticket.command))
    return verdict?.type === 'load' ? verdict.keys : []
  }

  isIdle = false
  decided(): void {}

  failed(error: unknown): void {
    this.errors.push(error)
  }

  submit(sender: object, ...names: string[]): void {
    for (const name of names) {
      const answer = (result: Reply | SillokError): void => {
        this.answers.push(`${name}: ${result instanceof SillokError ? result.code : 'done'}`)
      }
      this.admission.submit({ command: commandOf(name), sender, bytes: 100, answer })
    }
  }
}

function commandOf(name: string): Write {
  return { type: 'write', operations: [{ op: 'check', collection: 1, key: name }], mark: undefined }
}

function isSlow(name: string): boolean {
  return name.startsWith('slow')
}

function nameOf(command: Command): string {
  return (command as Write).operations[0]?.key ?? ''
}

t.test('commands of one sender are decided in call order, whatever has to be loaded', async t => {
  const slow = new Slow()
  const [a, b] = [{}, {}]
  slow.submit(a, 'slow20', 'a1')
  slow.submit(b, 'b1')
  await slow.clock.runFor(5)
  slow.submit(a, 'slow1', 'a2')
  slow.submit(b, 'b2', 'slow3', 'b3')
  await slow.clock.runFor(100)
  const of = (names: string[]): string[] => slow.decided_.filter(name => names.includes(name))
  t.strictSame(of(['slow20', 'a1', 'slow1', 'a2']), ['slow20', 'a1', 'slow1', 'a2'])
  t.strictSame(of(['b1', 'b2', 'slow3', 'b3']), ['b1', 'b2', 'slow3', 'b3'])
  t.strictSame(
    slow.decided_.slice(0, 4),
    ['b1', 'b2', 'slow3', 'b3'],
    'one sender does not hold back another',
  )
  t.equal(slow.released, slow.held, 'every loaded row is let go')
  t.equal(slow.admission.waitingCount, 0)
})

t.test('who waits for each answer is decided in the call; a crowd shares a turn', async t => {
  const slow = new Slow()
  slow.isIdle = true
  const sender = {}
  slow.submit(sender, 'a')
  t.strictSame(slow.decided_, ['a'])
  slow.submit(sender, 'slow5')
  t.strictSame(slow.decided_, ['a', 'slow5'], 'its rows are read in the call')
  slow.isIdle = false
  slow.submit(sender, 'b', 'c')
  t.equal(slow.decided_.length, 2, 'something is in flight')
  await slow.clock.runFor(1)
  slow.isIdle = true
  slow.submit(sender, 'd')
  t.equal(slow.decided_.length, 4, 'the last turn had two')
  await slow.clock.runFor(1)
  slow.once.set('e', { type: 'wait', until: new Promise(resolve => slow.clock.after(5, resolve)) })
  slow.submit(sender, 'e', 'f')
  t.strictSame(slow.decided_, ['a', 'slow5', 'b', 'c', 'd'], 'who waits keeps its place')
  await slow.clock.runFor(10)
  t.strictSame(slow.decided_, ['a', 'slow5', 'b', 'c', 'd', 'e', 'f'])
})

t.test('a command that is told to wait holds its place', async t => {
  const slow = new Slow()
  const sender = {}
  const later = (ms: number): Promise<void> => new Promise(resolve => slow.clock.after(ms, resolve))
  slow.once.set('w', { type: 'wait', until: later(10) })
  slow.once.set('x', { type: 'load', keys: ['more5'] })
  slow.submit(sender, 'v', 'w', 'x')
  await slow.clock.runFor(1)
  slow.submit(sender, 'y')
  t.strictSame(slow.decided_, ['v'])
  await slow.clock.runFor(50)
  t.strictSame(slow.decided_, ['v', 'w', 'x', 'y'])
})

t.test('what comes while two loads are under way shares the next one', async t => {
  const slow = new Slow()
  const sender = {}
  const names: string[] = []
  for (let i = 0; i < 20; i++) {
    const own = [`slow9-${i}-5`, `plain${i}`, `slow8-${i}-4`]
    names.push(...own)
    slow.submit(sender, ...own)
    await slow.clock.runFor(1)
  }
  await slow.clock.runFor(100)
  t.strictSame(slow.decided_, names, 'in call order')
  t.ok(slow.loads.length <= 10, `${slow.loads.length} loads for 20 turns of 1 ms, two at a time of 5 ms`)
  t.strictSame(slow.loads.flatMap(keys => keys.split(' ')).sort(), names.filter(isSlow).sort())
  t.equal(slow.released, slow.held)
  t.equal(slow.admission.waitingCount, 0)
})

t.test('what only loaded rows name is loaded for all who wait behind it', async t => {
  const slow = new Slow()
  const names = ['slow1-a', 'slow1-b', 'c', 'slow1-d']
  for (const name of names) slow.once.set(name, { type: 'load', keys: [`more-${name}-3`] })
  slow.submit({}, ...names)
  await slow.clock.runFor(100)
  t.strictSame(slow.decided_, names)
  t.equal(slow.loads[1], 'more-slow1-a-3 more-slow1-b-3 more-c-3 more-slow1-d-3')
  t.equal(slow.released, slow.held)
})

t.test('what fails while a command waits is its answer, and nobody else is told', async t => {
  const slow = new Slow()
  const unhandled: unknown[] = []
  const note = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', note)
  const gone = async (): Promise<void> => {
    await new Promise<void>(resolve => slow.clock.after(1, resolve))
    throw new SillokError('SESSION_EXPIRED', 'it has ended')
  }
  slow.once.set('w', { type: 'wait', until: gone() })
  slow.submit({}, 'w', 'after')
  slow.submit({}, 'bad3', 'with it')
  slow.submit({}, 'bad2')
  await slow.clock.runFor(50)
  await new Promise(resolve => setTimeout(resolve, 5))
  process.off('unhandledRejection', note)
  t.strictSame(unhandled, [])
  t.strictSame(slow.answers.slice().sort(), [
    'after: done',
    'bad2: done',
    'bad3: DAMAGED',
    'w: SESSION_EXPIRED',
    'with it: DAMAGED',
  ])
})

t.test('commands and their bytes are bounded', async t => {
  const slow = new Slow()
  const answers: (string | undefined)[] = []
  const submit = (bytes: number): void => {
    const answer = (result: Reply | SillokError): void => {
      answers.push(result instanceof SillokError ? `${result.code} ${result.outcome}` : 'done')
    }
    slow.admission.submit({ command: commandOf('x'), sender: {}, bytes, answer })
  }
  submit(limits.pendingBytesMax + 1)
  submit(1)
  t.strictSame(answers, ['OVERLOADED not-applied'], 'one too large alone is let in; nothing beside it')
  await slow.clock.runFor(1)
  t.strictSame(answers.slice(1), ['done'])
  for (let i = 0; i < limits.pendingCommandsMax; i++) submit(1)
  submit(1)
  t.strictSame(answers.slice(2), ['OVERLOADED not-applied'])
  await slow.clock.runFor(100)
  t.equal(answers.filter(answer => answer === 'done').length, 1 + limits.pendingCommandsMax)
  submit(1)
  await slow.clock.runFor(1)
  t.equal(answers.at(-1), 'done', 'room again')
})

t.test('when the replica stops, everybody who waits is answered once', async t => {
  const slow = new Slow()
  const [a, b] = [{}, {}]
  slow.submit(a, 'slow10', 'a1')
  slow.once.set('w', { type: 'wait', until: new Promise(resolve => slow.clock.after(10, resolve)) })
  slow.submit(b, 'w', 'b1')
  await slow.clock.runFor(2)
  slow.submit(a, 'a2')
  await slow.clock.runFor(1)
  slow.submit(a, 'a2b')
  await slow.clock.runFor(1)
  slow.admission.fail(new SillokError('DISK_FAILED', 'the disk'))
  slow.submit(a, 'a3')
  await slow.clock.runFor(100)
  t.strictSame(
    slow.answers.slice().sort(),
    ['a1', 'a2', 'a2b', 'a3', 'b1', 'slow10', 'w'].map(name => `${name}: DISK_FAILED`),
  )
  t.strictSame(slow.decided_, [])
  t.strictSame(slow.errors, [])
})
