/** A full disk, a read-only folder: refusals mean what they say, service resumes, nothing is lost. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import type { Limits } from '../../src/base/limits.js'
import { Random } from '../../src/base/random.js'
import { isSillokError, open } from '../../src/index.js'
import { SimClock } from '../../src/sim/sim-clock.js'
import { SimMachine } from '../../src/sim/sim-machine.js'
import { Store } from '../../src/store/store.js'
import { seed } from '../seed.js'
import { shortOfSpace } from '../unit/store/short-of-space.js'
import { mountSmall } from './real-full.js'

t.comment(`SEED=${seed}`)
t.setTimeout(120_000)

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
    const refused = await write(1, 5000)
    t.ok(
      isSillokError(refused, 'DISK_FULL') && refused.outcome === 'not-applied',
      'refused before it is proposed',
    )
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

t.test(
  'on a full disk new commands are refused as DISK_FULL, and service resumes without a restart',
  async t => {
    const small = mountSmall(112)
    if (typeof small === 'string') {
      t.pass(small, { skip: small })
      return
    }
    t.teardown(() => small.unmount())
    const dir = path.join(small.folder, 'store')
    const ballast = path.join(small.folder, 'ballast')
    const acknowledged = new Map<number, string>()
    const unknown = new Set<number>()
    const codes = new Map<string, number>()
    let next = 0
    let store = await open({ dir })
    await store.define('items', { key: 'id' })
    const items = store.collection<{ id: number; value: string }>('items')
    const write = async (): Promise<void> => {
      const id = next++
      const value = `${id} `.repeat(200)
      try {
        await items.put({ id, value }, { deadlineMs: 500 })
        acknowledged.set(id, value)
      } catch (error) {
        if (!isSillokError(error)) throw error
        codes.set(error.code, (codes.get(error.code) ?? 0) + 1)
        if (error.outcome === 'unknown') unknown.add(id)
        if (error.code === 'DISK_FULL' && error.outcome !== 'not-applied')
          t.fail(`DISK_FULL is ${error.outcome}`)
      }
    }
    const writeMany = (count: number): Promise<unknown> => Promise.all(Array.from({ length: count }, write))
    const check = async (): Promise<void> => {
      const found = new Set<number>()
      for await (const { id, value } of store.collection<{ id: number; value: string }>('items').scan()) {
        found.add(id)
        if (!unknown.has(id) && acknowledged.get(id) !== value)
          t.fail(`${id} is there, with ${value.slice(0, 20)}`)
      }
      for (const id of acknowledged.keys()) if (!found.has(id)) t.fail(`${id} is lost`)
      t.strictSame(await store.scrub(), [])
    }
    await writeMany(500)
    t.equal(acknowledged.size, 500)
    fillWith(ballast)
    for (let round = 0; round < 200 && !codes.has('DISK_FULL'); round++) await writeMany(100)
    t.ok(codes.has('DISK_FULL'), `refused: ${JSON.stringify(Object.fromEntries(codes))}`)
    const refusedAfter = acknowledged.size
    await t.rejects(open({ dir: path.join(small.folder, 'other') }), { code: 'DISK_FULL' })
    await check()
    rmSync(ballast)
    const endMs = performance.now() + 10_000
    while (acknowledged.size === refusedAfter && performance.now() < endMs) {
      await writeMany(1)
      await setTimeout(50)
    }
    t.ok(acknowledged.size > refusedAfter, 'service resumes')
    await writeMany(500)
    await check()
    await store.close()
    store = await open({ dir })
    await check()
    await store.close()
    t.comment({ acknowledged: acknowledged.size, unknown: unknown.size, ...Object.fromEntries(codes) })
    small.makeReadOnly()
    await t.rejects(open({ dir }), { code: 'FOLDER_UNUSABLE' }, 'a folder that cannot be written is refused')
    await t.rejects(open({ dir: path.join(small.folder, 'new') }), { code: 'FOLDER_UNUSABLE' })
  },
)

function fillWith(file: string): void {
  const descriptor = openSync(file, 'w')
  for (const bytes of [1 << 20, 1 << 12]) {
    try {
      for (;;) writeSync(descriptor, Buffer.alloc(bytes, 1))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
  closeSync(descriptor)
}
