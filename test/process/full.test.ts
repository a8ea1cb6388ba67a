/** A full disk and a read-only folder: refusals say what they mean, service resumes by itself, nothing is lost. */
import t from 'tap'
import type { Limits } from '../../src/base/limits.js'
import { Random } from '../../src/base/random.js'
import type { Disk, DiskFile } from '../../src/env/disk.js'
import { isSillokError, SillokError } from '../../src/index.js'
import { SimClock } from '../../src/sim/sim-clock.js'
import { SimMachine } from '../../src/sim/sim-machine.js'
import { Store } from '../../src/store/store.js'

const { SEED: seed = String(Date.now() % 1e6) } = process.env
t.comment(`SEED=${seed}`)

/** The disk, but files whose path contains `part` find no space while it `isFull`. */
function shortOfSpace(disk: Disk, part: string, isFull: () => boolean): Disk {
  const open = async (path: string, options?: { readonly create?: boolean }): Promise<DiskFile> => {
    const file = await disk.open(path, options)
    if (!path.includes(part)) return file
    const write = async (buffers: readonly Uint8Array[], offset: number): Promise<void> => {
      if (isFull()) throw new SillokError('DISK_FULL', `no space left for ${path}`)
      await file.write(buffers, offset)
    }
    return { ...file, write }
  }
  return new Proxy(disk, {
    get: (target, name) => {
      if (name === 'open') return open
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
}

t.test('a log whose ring is full because the segments found no space goes on when there is some', async t => {
  const clock = new SimClock()
  const random = new Random(seed)
  const machine = new SimMachine({ clock, random, latency: 'none' })
  const limits = { walFileBytesEmbedded: 64 * 1024, segmentSyncBytes: 4000 } as unknown as Partial<Limits>
  const acknowledged = new Map<number, string>()
  let next = 0
  let ringFull = false
  let full = false
  await clock.run(async () => {
    const env = machine.restart()
    const disk = shortOfSpace(env.disk, '/segments/', () => full)
    const store = await Store.open({ ...env, disk }, 'data', {}, limits)
    await store.define('items', { key: 'id' })
    const items = store.collection<{ id: number; value: string }>('items')
    /** Writes one after the other; resolves with the error that ended it, if any. */
    const write = async (count: number, deadlineMs: number): Promise<unknown> => {
      for (let n = 0; n < count; n++) {
        const id = next++
        const value = random.bytes(2000).toString('latin1')
        try {
          await items.put({ id, value }, { deadlineMs })
          acknowledged.set(id, value)
        } catch (error) {
          return error
        }
      }
      return undefined
    }
    t.equal(await write(200, 5000), undefined)
    full = true
    const error = await write(1000, 5000)
    ringFull = (store.status().wal as { ringFull: boolean }).ringFull
    t.comment(isSillokError(error) ? error.code : error)
    t.ok(isSillokError(error), 'a full disk ends in a named error')
    full = false
    await new Promise<void>(resolve => clock.after(3000, resolve))
    t.equal(await write(200, 5000), undefined, 'service resumes')
    for (const [id, value] of acknowledged) {
      if ((await items.get(id))?.value !== value) t.fail(`${id} is lost`)
    }
    await store.close()
  })
  t.ok(ringFull, 'the ring was full')
})
