/** In which order a snapshot and a trimming go, over parts that tell what is asked of them. */
import t from 'tap'
import { encodeEntry } from '../../../src/base/entry.js'
import { limits } from '../../../src/base/limits.js'
import { simpleConfiguration } from '../../../src/raft/configuration.js'
import { encodeMembership, Memberships } from '../../../src/replica/memberships.js'
import { Retention, type RetentionParts } from '../../../src/replica/retention.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { Gate } from '../../../src/state/gate.js'

/** What is asked of the parts, in order; what `hold` names is asked for and not done. */
class Asked {
  readonly done: string[] = []
  readonly #hold: string | undefined

  constructor(hold?: string) {
    this.#hold = hold
  }

  async ask(what: string): Promise<void> {
    this.done.push(what)
    if (what === this.#hold) await new Promise(() => {})
  }
}

const body = Buffer.alloc(6)

const sealedThrough6 = {
  firstIndex: 1,
  sealed: [
    { lastIndex: 3, bytes: 10 },
    { lastIndex: 6, bytes: 10 },
  ],
}

/** A log of entries up to 9, with snapshots at 4 and 6; the group changed at 5 and at 8. */
function retentionOf(
  asked: Asked,
  isReadable: boolean,
  segments: object = sealedThrough6,
  gate = new Gate(1),
): Retention {
  const memberships = Memberships.of([1, 2, 3])
  memberships.add(5, simpleConfiguration([1, 2]))
  memberships.add(8, simpleConfiguration([1]))
  const unexpected = (error: unknown): never => {
    throw error
  }
  const parts = {
    partition: 1,
    clusterEpoch: 1,
    clock: new SimClock(),
    limits: { ...limits, retainBytes: 0, snapshotLogBytesMin: 1, snapshotLogRatio: 0 },
    gate,
    wal: { record: () => asked.ask('record') },
    state: {
      isReadable,
      applied: 7,
      hold: () => Promise.resolve({ index: 7, release: () => {} }),
    },
    snapshots: {
      newest: { index: 6, bytes: 1 },
      previous: { index: 4, bytes: 1 },
      missing: [],
      make: ({ configuration, lastCut }: { configuration: Buffer; lastCut: number }) =>
        asked.ask(`snapshot of ${configuration}, cut at ${lastCut}`),
    },
    memberships,
    segments: {
      ...segments,
      bytesAfter: () => 10,
      trimmable: () => 3,
      sync: () => asked.ask('sync'),
      trim: (through: number) => asked.ask(`trim ${through}`),
    },
    async *read(index: number) {
      yield [encodeEntry({ partition: 1, index, term: 2, kind: 1 }, body)]
    },
    record: () => Promise.resolve(),
    places: () => [],
    behind: () => {},
    retried: unexpected,
    failed: unexpected,
  }
  return new Retention(parts as unknown as RetentionParts)
}

const aWhile = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 20))

t.test('no segment goes before the point up to which the log is given up is durable', async t => {
  const held = new Asked('record')
  retentionOf(held, false).look()
  await aWhile()
  t.strictSame(held.done, ['record'])
  const free = new Asked()
  retentionOf(free, false).look()
  await aWhile()
  t.strictSame(free.done, ['record', 'trim 3'])
})

t.test('a snapshot says who belonged to the group as of its entry, and where the log was cut', async t => {
  const wanted = encodeMembership({ index: 5, configuration: simpleConfiguration([1, 2]) })
  for (const [segments, cut] of [
    [sealedThrough6, 6],
    // After a snapshot of another replica was installed, before a segment is full.
    [{ firstIndex: 5, sealed: [] }, 4],
    [{ firstIndex: 1, sealed: [] }, 0],
  ] as const) {
    const asked = new Asked('record')
    retentionOf(asked, true, segments).look()
    await aWhile()
    t.ok(asked.done.includes(`snapshot of ${wanted}, cut at ${cut}`), asked.done.join())
  }
})

t.test('whoever waits to make a snapshot ends at once, in whatever order all are stopped', async t => {
  const gate = new Gate(1)
  // The disk has no room for what has to be synced first.
  const [busy, waiting] = ['sync', undefined].map(hold => {
    const one = retentionOf(new Asked(hold), true, sealedThrough6, gate)
    one.look()
    return one
  })
  await aWhile()
  await waiting?.stop()
  await busy?.stop()
  t.pass('both have ended')
})
