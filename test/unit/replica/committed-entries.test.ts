/** The committed entries of a partition, over its segments and what waits in memory. */
import t from 'tap'
import type { Entry } from '../../../src/base/entry.js'
import { committedEntries } from '../../../src/replica/committed-entries.js'
import type { SegmentLog } from '../../../src/segments/segment-log.js'
import type { Tail } from '../../../src/wal/tail.js'
import { makeEntries } from '../segments/log-world.js'

const entries = makeEntries(20, 10)

function tailOf(from: number): Tail {
  return { get: (index: number) => (index < from ? undefined : entries[index - 1]) } as Tail
}

/** Segments that hold the entries up to `last`. */
function segmentsOf(last: number, isClosed = false): Pick<SegmentLog, 'lastIndex' | 'chunks' | 'isClosed'> {
  return {
    lastIndex: last,
    isClosed,
    async *chunks(from: number, through = last): AsyncGenerator<Entry[], void, void> {
      for (let index = from; index <= through; index += 3)
        yield entries.slice(index - 1, Math.min(index + 2, through))
    },
  }
}

async function indexes(segments: ReturnType<typeof segmentsOf>, tail: Tail): Promise<number[]> {
  const found: number[] = []
  for await (const piece of committedEntries(segments, tail, 2, 18)) {
    found.push(...piece.map(({ index }) => index))
  }
  return found
}

t.test('entries come in order from the segments, and what they do not have from the tail', async t => {
  const expected = Array.from({ length: 17 }, (_, i) => i + 2)
  for (const last of [0, 1, 9, 18, 20]) {
    t.strictSame(await indexes(segmentsOf(last), tailOf(last + 1)), expected, `${last} in segments`)
  }
})

t.test('where the tail is of the log that takes the place of a closed one, that is said', async t => {
  await t.rejects(indexes(segmentsOf(9, true), tailOf(15)), { code: 'CLOSED', outcome: 'not-applied' })
  await t.rejects(indexes(segmentsOf(9), tailOf(15)), { name: 'InvariantError' })
})
