/** How the build of a constraint reads, and how it shares the time with others. */
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import type { BackgroundPace } from '../../../src/derived/background-pace.js'
import type { Backfill, Command } from '../../../src/machine/command.js'
import { type ConstraintState, encodeConstraintState } from '../../../src/machine/constraint-state.js'
import { constraintKey, constraintPrefix, documentKey } from '../../../src/machine/keys.js'
import { ConstraintBuilds } from '../../../src/replica/constraint-builds.js'
import type { Partition } from '../../../src/replica/partition.js'
import { World } from '../state/world.js'

const pageMs = 10
const entryMs = 5

/** A constraint that is built, from the first document on. */
const building: ConstraintState = {
  collection: 1,
  of: 'items',
  name: 'one',
  state: 'backfill',
  since: 5,
  after: null,
  documents: 0,
  violations: 0,
  values: 0,
}

/** Builds over a replica that has so many pages of documents, a document each, of that version. */
async function build(pages: number, version: number, stale = 0) {
  let nowMs = 0
  let row: Buffer | undefined = encodeConstraintState(building)
  const own = { rests: [] as number[], entries: [] as number[], writesWhile: [] as number[] }
  const pace = {
    ownWrites: 0,
    atATime: (documents: number) => documents,
    rest: async (workedMs: number) => void own.rests.push(workedMs),
  }
  let read = 0
  let refusals = stale
  const data = {
    readable: async () => {},
    call: async (command: Command) => {
      own.writesWhile.push(pace.ownWrites)
      nowMs += entryMs
      const isStale = refusals > 0
      refusals -= 1
      if (isStale) read = 0
      else row = undefined
      own.entries.push((command as Backfill).keys.length)
      return { value: { isStale } }
    },
    leads: true,
    changes: () => 1,
    state: {
      *partitionRows(prefix: string) {
        if (prefix === constraintPrefix && row !== undefined) yield [constraintKey(1), { value: row }]
      },
      lookup: () => row && { value: row },
      scan: () => ({
        next: async () => {
          if (read === pages) return { done: true }
          nowMs += pageMs
          return { done: false, value: [[documentKey(1, read++), { version }]] }
        },
        return: async () => {},
      }),
    },
  }
  let work: Promise<void> = Promise.resolve()
  const builds = new ConstraintBuilds({
    clock: { monotonicMs: () => nowMs } as never,
    meta: {} as Partition,
    data: data as unknown as Partition,
    limits,
    pace: pace as unknown as BackgroundPace,
    background: begun => {
      work = begun
    },
    failed: error => t.fail(error.message),
  })
  builds.notify()
  await work
  return { ...own, ownWrites: pace.ownWrites }
}

t.test(
  'a build rests after each page that it reads and each entry, though no document is its own',
  async t => {
    for (const version of [9, 4]) {
      const { rests, entries } = await build(6, version)
      t.strictSame(entries, [version === 9 ? 0 : 6])
      // The last page is the one that says that there are no more.
      t.strictSame(rests, [...Array(6).fill(pageMs), 0, entryMs])
    }
  },
)

t.test(
  'its entries are its own from the moment they are on their way; what came too late is none',
  async t => {
    const { writesWhile, ownWrites, entries } = await build(3, 4, 2)
    t.equal(entries.length, 3)
    t.strictSame(writesWhile, [1, 1, 1])
    t.equal(ownWrites, 1)
  },
)

t.test('a build whose documents are closed while it reads them does not take that for their end', async t => {
  const world = new World('build')
  await world.clock.run(async () => {
    await world.open()
    const { state } = world
    for (let n = 1; n <= 300; n++) {
      const fact = { op: 'put', value: Buffer.alloc(1), prev0: 0, prev1: 0 } as const
      state.apply(n, [{ ...fact, key: documentKey(1, n) }], 4)
    }
    await state.flush()
    const row = { value: encodeConstraintState(building) }
    const proposed: Command[] = []
    let scansCount = 0
    const data = {
      readable: async () => {},
      leads: true,
      changes: () => 1,
      call: async (command: Command) => void proposed.push(command),
      state: {
        partitionRows: (prefix: string) => (prefix === constraintPrefix ? [[constraintKey(1), row]] : []),
        lookup: () => row,
        // What it reads next is cut short.
        scan: (range: Parameters<typeof state.scan>[0]) => {
          const scan = state.scan(range)
          scansCount += 1
          if (scansCount === 2) void state.close()
          return scan
        },
      },
    }
    let work: Promise<void> = Promise.resolve()
    const builds = new ConstraintBuilds({
      clock: world.clock,
      meta: {} as Partition,
      data: data as unknown as Partition,
      limits,
      pace: { atATime: () => 1000, rest: async () => {} } as unknown as BackgroundPace,
      background: begun => {
        work = begun
      },
      failed: error => t.fail(error.message),
    })
    builds.notify()
    await t.rejects(work, { code: 'CLOSED' })
    t.equal(scansCount, 2)
    t.strictSame(proposed, [], 'nothing is said to be the last')
  })
})
