/** The way of one reader through a log whose head may be gone. */
import t from 'tap'
import type { Entry } from '../../../src/base/entry.js'
import { SillokError } from '../../../src/base/errors.js'
import { RealClock } from '../../../src/env/real-clock.js'
import { AppliedSignal } from '../../../src/replica/applied-signal.js'
import { ChangeFeed, type FeedSource } from '../../../src/replica/change-feed.js'

function source(firstIndex: number, applied: number): FeedSource {
  return {
    firstIndex,
    applied,
    versionAt: (index: number) => index,
    async *read(): AsyncGenerator<readonly Entry[]> {},
    beyond: async () => {},
  }
}

t.test('changes that the log no longer has are missed by name', async t => {
  const all = async (feed: ChangeFeed): Promise<number> => {
    let count = 0
    for await (const piece of feed.pieces()) count += piece.length
    return count
  }
  await t.rejects(all(new ChangeFeed(source(5, 9), { index: 4, count: 0 })), {
    code: 'LOG_TRUNCATED',
    details: { first: 4, firstIndex: 5 },
  })
  t.equal(await all(new ChangeFeed(source(5, 9), { index: 5, count: 0 })), 0)
  t.equal(await all(new ChangeFeed(source(5, 9), { index: 10, count: 0 })), 0)
})

t.test('who follows is told once there is more, and when it ends', async t => {
  let applied = 3
  const signal = new AppliedSignal(new RealClock(), () => applied)
  await signal.beyond(2, undefined)
  let told = 0
  const waiting = signal.beyond(3, undefined).then(() => (told += 1))
  signal.notify()
  await new Promise(resolve => setImmediate(resolve))
  t.equal(told, 0)
  applied = 4
  signal.notify()
  await waiting
  const stop = new AbortController()
  const stopped = t.rejects(signal.beyond(4, stop.signal), { code: 'ABORTED' })
  const ended = t.rejects(signal.beyond(4, undefined), { code: 'CLOSED' })
  stop.abort()
  signal.fail(new SillokError('CLOSED', 'the store is closed'))
  await Promise.all([stopped, ended])
  await t.rejects(signal.beyond(9, undefined), { code: 'CLOSED' })
})
