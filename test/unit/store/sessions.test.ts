/** What an opening of a session says when only its first half, in meta, came about. */
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import { memoryEnvironment } from '../../../src/env/memory-environment.js'
import type { Partition } from '../../../src/replica/partition.js'
import { Asking } from '../../../src/store/asking.js'
import { Deadlines } from '../../../src/store/deadlines.js'
import { Sessions, type SessionsParts } from '../../../src/store/sessions.js'

t.test('a session that meta has logged is of unknown outcome, and ends if nobody can resume it', async t => {
  const env = memoryEnvironment()
  const ended: unknown[] = []
  const handle = { session: 7, epoch: 1 }
  const host = {
    sessions: {
      register: async () => handle,
      open: async () => {
        throw new SillokError('DISK_FULL', 'no space left')
      },
      end: async (one: unknown) => void ended.push(one),
    },
  }
  const asking = new Asking({} as Partition, new Deadlines(env.clock, 1000))
  const parts = { env, host, asking, limits: { sessionIdleMs: 1e9 } }
  const sessions = new Sessions(parts as unknown as SessionsParts)
  t.teardown(() => sessions.stop())
  await t.rejects(sessions.open({ name: 'import' }), { code: 'DISK_FULL', outcome: 'unknown' })
  t.strictSame(ended, [], 'it is to be resumed')
  await t.rejects(sessions.open({}), { code: 'DISK_FULL', outcome: 'unknown' })
  t.strictSame(ended, [handle])
})
