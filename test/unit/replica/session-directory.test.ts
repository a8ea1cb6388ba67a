/** The register of sessions as a partition sees it: it opens what meta says now, and nothing else. */
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import { registeredKey } from '../../../src/machine/keys.js'
import { encodeRegistered, type Registered } from '../../../src/machine/registry.js'
import type { Partition } from '../../../src/replica/partition.js'
import { SessionDirectory } from '../../../src/replica/session-directory.js'

const registered: Registered = {
  epoch: 3,
  numbering: 'library',
  name: null,
  input: null,
  nonce: 'n',
  active: 0,
}

/** A node that is behind: what meta decided arrives here while a linearizable read waits. */
class Behind {
  readonly #rows = new Map<string, { readonly value: Buffer }>()
  applied = 4
  /** What the partition is asked. */
  readonly asked: object[] = []
  readonly directory: SessionDirectory

  constructor(
    arrive: (rows: Map<string, { readonly value: Buffer }>) => void,
    answers: (Error | undefined)[] = [],
  ) {
    const meta = {
      readable: async () => {
        arrive(this.#rows)
        this.applied += 1
      },
      state: { lookup: (key: string) => this.#rows.get(key) ?? null },
      applied: 0,
    }
    Object.defineProperty(meta, 'applied', { get: () => this.applied })
    this.directory = new SessionDirectory(meta as unknown as Partition, limits)
    this.target = {
      call: async (command: object) => {
        this.asked.push(command)
        const error = answers.shift()
        if (error !== undefined) throw error
      },
    } as unknown as Partition
  }

  readonly target: Partition
}

const row = { value: encodeRegistered(registered) }

t.test('a session that this node has not heard of is opened as meta has it now', async t => {
  const node = new Behind(rows => rows.set(registeredKey(9), row))
  await node.directory.open(node.target, 9)
  t.strictSame(node.asked, [
    { type: 'openSession', session: 9, epoch: 3, numbering: 'library', metaIndex: 5 },
  ])
})

t.test('one that meta does not know has ended', async t => {
  const node = new Behind(() => {})
  await t.rejects(node.directory.open(node.target, 9), { code: 'SESSION_EXPIRED' })
  t.strictSame(node.asked, [])
})

t.test('many that are alive are told in parts, each of which fits an entry', async t => {
  const told: number[] = []
  const call = async ({ sessions }: { sessions: readonly unknown[] }): Promise<void> => {
    told.push(sessions.length)
  }
  const directory = new SessionDirectory({ call } as unknown as Partition, limits)
  await directory.keepAlive(
    Array.from({ length: limits.sessionsMax }, (_, n) => ({ session: n + 1, epoch: 1 })),
  )
  t.equal(
    told.reduce((sum, count) => sum + count),
    limits.sessionsMax,
  )
  const ofLongNames = { ...registered, name: 'n'.repeat(limits.nameBytesMax), input: 'i'.repeat(64) }
  const rowBytes = encodeRegistered(ofLongNames).length + 64
  t.ok(Math.max(...told) * rowBytes < limits.entryBytesMax)
})

t.test('while the partition is further than the look it is looked again', async t => {
  const node = new Behind(
    rows => rows.set(registeredKey(9), row),
    [new SillokError('UNAVAILABLE', 'look again'), undefined],
  )
  await node.directory.open(node.target, 9)
  t.strictSame(
    node.asked.map(command => (command as { metaIndex: number }).metaIndex),
    [5, 6],
  )
})

t.test('a registration with an old time says what is now, unless nobody waits for it any more', async t => {
  const sent: number[] = []
  let isForgotten = false
  const meta = {
    logTime: () => 5,
    call: async ({ issuedAt }: { issuedAt: number }, _: object, forgotten: () => boolean) => {
      sent.push(issuedAt)
      t.equal(forgotten(), isForgotten)
      if (issuedAt === 5) throw new SillokError('REGISTER_TOO_OLD', 'old', { details: { logTime: 900 } })
      return { value: { session: 3, epoch: 1 } }
    },
  }
  const directory = new SessionDirectory(meta as unknown as Partition, limits)
  const registration = { nonce: 'n', name: 'x', numbering: 'library', input: undefined } as const
  t.strictSame(await directory.register(registration, () => isForgotten), { session: 3, epoch: 1 })
  t.strictSame(sent.splice(0), [5, 900])
  isForgotten = true
  await t.rejects(
    directory.register(registration, () => isForgotten),
    { code: 'REGISTER_TOO_OLD' },
  )
  t.strictSame(sent, [5])
})

t.test('a newer holder is for the request itself to meet', async t => {
  const arrive = (rows: Map<string, { readonly value: Buffer }>): void => void rows.set(registeredKey(9), row)
  const node = new Behind(arrive, [new SillokError('FENCED', 'newer')])
  await node.directory.open(node.target, 9)
  const other = new Behind(arrive, [new SillokError('CLOSED', 'no')])
  await t.rejects(other.directory.open(other.target, 9), { code: 'CLOSED' })
})
