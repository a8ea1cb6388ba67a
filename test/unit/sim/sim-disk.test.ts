/** The simulated disk leaves every legal outcome of a crash, and no illegal one. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimDisk, type SimDiskOptions } from '../../../src/sim/sim-disk.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { seed } from '../../seed.js'

t.comment(`SEED=${seed}`)

const sector = (value: number, count = 1): Buffer => Buffer.alloc(512 * count, value)

/** The file as one character per sector, and `+n` for a last part of one; undefined without a file. */
function shape(disk: SimDisk, names: readonly string[], path: string): string {
  const name = path.split('/').at(-1) ?? ''
  if (!names.includes(name)) return '-'
  const bytes = disk.bytesOf(path)
  let text = ''
  for (let at = 0; at < bytes.length; at += 512) {
    const part = bytes.subarray(at, at + 512)
    const whole = part.every(byte => byte === part[0])
    text += `${whole ? part[0] : '?'}${part.length < 512 ? `+${part.length}` : ''}`
  }
  return text
}

/** Runs the work on fresh disks, crashes each, and counts what the next process finds. */
async function outcomes(
  mode: CrashMode,
  work: (disk: SimDisk) => Promise<void>,
  look: (disk: SimDisk) => Promise<string>,
  options: Partial<SimDiskOptions> = {},
  rounds = 300,
): Promise<Set<string>> {
  const seen = new Set<string>()
  for (let round = 0; round < rounds; round++) {
    const clock = new SimClock()
    const random = new Random(`${seed}/${round}`)
    const disk = new SimDisk({ clock, random, latency: 'none', ...options })
    await clock.run(async () => {
      await disk.makeFolder('d')
      const done = work(disk).then(() => disk.crash(mode))
      await Promise.race([done, disk.crashed])
      seen.add(await look(disk.restart({ latency: 'none' })))
    })
  }
  return seen
}

const look = (path: string) => async (disk: SimDisk) => shape(disk, await disk.list('d'), path)
const listed = async (disk: SimDisk): Promise<string> => (await disk.list('d')).join()

async function made(disk: SimDisk, path: string, ...values: number[]): Promise<void> {
  const file = await disk.open(path, { create: true })
  await file.write(
    values.map(value => sector(value)),
    0,
  )
  await file.sync()
  await disk.syncFolder('d')
  await file.close()
}

t.test('what was synced is there after any crash', async t => {
  for (const mode of ['all', 'none', 'any'] as const) {
    t.strictSame(await outcomes(mode, disk => made(disk, 'd/f', 1, 2), look('d/f'), {}, 50), new Set(['12']))
  }
})

t.test('of an unsynced write any subset of sectors is left, and lengths between old and new', async t => {
  const work = async (disk: SimDisk): Promise<void> => {
    await made(disk, 'd/f', 1, 1)
    const file = await disk.open('d/f')
    await file.write([sector(2, 3)], 0)
  }
  t.strictSame(await outcomes('none', work, look('d/f'), {}, 50), new Set(['11']))
  t.strictSame(await outcomes('all', work, look('d/f'), {}, 50), new Set(['222']))
  const any = await outcomes('any', work, look('d/f'), {}, 1500)
  for (const wanted of ['11', '12', '21', '22', '112', '122', '212', '222', '110']) {
    t.ok(any.has(wanted), wanted)
  }
  for (const found of any) t.match(found, /^[12][12]([02](\+\d+)?)?$/)
})

t.test('a sector that was written twice may hold the older write', async t => {
  const work = async (disk: SimDisk): Promise<void> => {
    await made(disk, 'd/f', 1)
    const file = await disk.open('d/f')
    await file.write([sector(2)], 0)
    await file.write([sector(3)], 0)
  }
  t.strictSame([...(await outcomes('any', work, look('d/f')))].sort(), ['1', '2', '3'])
})

t.test('a commit that a crash cuts leaves any subset of its sectors, or all of them durable', async t => {
  const work = async (disk: SimDisk): Promise<void> => {
    await made(disk, 'd/f', 1, 1)
    const log = await disk.openLog('d/f')
    disk.crashAt(1, 'any')
    await log.commit([sector(2, 2)], 0)
    t.fail('a dead process gets no answer')
  }
  t.strictSame([...(await outcomes('any', work, look('d/f')))].sort(), ['11', '12', '21', '22'])
})

t.test('a commit that was answered is durable; with the planted bug it is not', async t => {
  const work = async (disk: SimDisk): Promise<void> => {
    await made(disk, 'd/f', 1, 1)
    const log = await disk.openLog('d/f')
    await log.commit([sector(2, 2)], 0)
  }
  t.strictSame(await outcomes('any', work, look('d/f')), new Set(['22']))
  const mutant = await outcomes('any', work, look('d/f'), { ignoreSync: true })
  t.ok(mutant.has('11') && mutant.has('12') && mutant.has('22'))
})

t.test('a sync covers what was written before it was called, not what came later', async t => {
  const work = async (disk: SimDisk): Promise<void> => {
    await made(disk, 'd/f', 1, 1)
    const file = await disk.open('d/f')
    await file.write([sector(2)], 0)
    const synced = file.sync()
    await file.write([sector(3)], 512)
    await synced
  }
  t.strictSame([...(await outcomes('none', work, look('d/f')))], ['21'])
})

t.test('a file without a synced name may vanish, with all its synced bytes', async t => {
  const work = async (disk: SimDisk): Promise<void> => {
    const file = await disk.open('d/f', { create: true })
    await file.write([sector(1)], 0)
    await file.sync()
  }
  t.strictSame([...(await outcomes('any', work, look('d/f')))].sort(), ['-', '1'])
  t.strictSame([...(await outcomes('none', work, look('d/f')))], ['-'])
  t.strictSame([...(await outcomes('all', work, look('d/f')))], ['1'])
})

t.test('a rename without a synced folder leaves the old or the new name, never both or neither', async t => {
  const rename = async (disk: SimDisk): Promise<void> => {
    await made(disk, 'd/a', 1)
    await disk.rename('d/a', 'd/b')
    await disk.rename('d/b', 'd/c')
  }
  t.strictSame([...(await outcomes('any', rename, listed))].sort(), ['a', 'b', 'c'])
  const over = async (disk: SimDisk): Promise<void> => {
    await made(disk, 'd/a', 1)
    await made(disk, 'd/b', 2)
    await disk.rename('d/a', 'd/b')
  }
  const both = async (disk: SimDisk): Promise<string> =>
    `${await look('d/a')(disk)}${await look('d/b')(disk)}`
  t.strictSame([...(await outcomes('any', over, both))].sort(), ['-1', '12'])
  const synced = async (disk: SimDisk): Promise<void> => {
    await over(disk)
    await disk.syncFolder('d')
  }
  t.strictSame([...(await outcomes('any', synced, both))], ['-1'])
})

t.test('a removed file may come back until the folder is synced, and a removed folder in part', async t => {
  const remove = async (disk: SimDisk): Promise<void> => {
    await made(disk, 'd/a', 1)
    await disk.remove('d/a')
  }
  t.strictSame([...(await outcomes('any', remove, listed))].sort(), ['', 'a'])
  const tree = async (disk: SimDisk): Promise<void> => {
    await disk.makeFolder('d/g')
    for (const name of ['x', 'y']) {
      const file = await disk.open(`d/g/${name}`, { create: true })
      await file.close()
    }
    await disk.syncFolder('d/g')
    await disk.remove('d/g')
  }
  const inside = async (disk: SimDisk): Promise<string> =>
    `${(await disk.list('d')).join()}:${(await disk.list('d/g')).join()}`
  const seen = await outcomes('any', tree, inside)
  for (const wanted of [':', 'g:', 'g:y', 'g:x,y']) t.ok(seen.has(wanted), wanted)
  const synced = async (disk: SimDisk): Promise<void> => {
    await tree(disk)
    await disk.syncFolder('d')
    await disk.makeFolder('d/g')
  }
  t.strictSame([...(await outcomes('any', synced, inside))], ['g:'], 'a new folder of that name is empty')
})

t.test('a sync of a folder covers the names that were there when it was called', async t => {
  const work = async (disk: SimDisk): Promise<void> => {
    await (await disk.open('d/a', { create: true })).close()
    const synced = disk.syncFolder('d')
    const late = disk.open('d/b', { create: true })
    await synced
    await late
  }
  t.strictSame([...(await outcomes('none', work, listed, {}, 20))], ['a'])
})

t.test('a rename between folders is whole, and durable when both are synced', async t => {
  const work = async (disk: SimDisk): Promise<void> => {
    await made(disk, 'd/a', 1)
    await disk.makeFolder('e')
    await disk.rename('d/a', 'e/a')
    await disk.syncFolder('e')
  }
  const where = async (disk: SimDisk): Promise<string> =>
    `${(await disk.list('d')).join()}|${(await disk.list('e')).join()}`
  t.strictSame([...(await outcomes('any', work, where))].sort(), ['a|', '|a'])
  const both = async (disk: SimDisk): Promise<void> => {
    await work(disk)
    await disk.syncFolder('d')
  }
  t.strictSame([...(await outcomes('any', both, where))], ['|a'])
  const reused = async (disk: SimDisk): Promise<void> => {
    await made(disk, 'd/a', 1)
    await disk.makeFolder('e')
    await disk.rename('d/a', 'e/a')
    await made(disk, 'd/a', 2)
  }
  t.strictSame([...(await outcomes('any', reused, where))], ['a|a'], 'what came before goes with it')
})

t.test('a made folder is durable, also when an earlier process only began', async t => {
  const clock = new SimClock()
  await clock.run(async () => {
    for (let round = 0; round < 50; round++) {
      let disk = new SimDisk({ clock, random: new Random(`${seed}/${round}`) })
      disk.crashAt(1, 'all')
      void disk.makeFolder('p/q')
      disk = disk.restart()
      await disk.makeFolder('p/q')
      disk.crash('none')
      t.strictSame(await disk.restart().list('p'), ['q'])
    }
  })
})

t.test('after the death of a process all is readable and still not durable', async t => {
  const clock = new SimClock()
  const disk = new SimDisk({ clock, random: new Random(seed) })
  await clock.run(async () => {
    await disk.makeFolder('d')
    await made(disk, 'd/f', 1, 1)
    const file = await disk.open('d/f')
    await file.write([sector(2)], 0)
    await made(disk, 'd/g', 5)
    await disk.rename('d/g', 'd/h')
    disk.crash('all')
    const second = disk.restart()
    t.equal(shape(second, await second.list('d'), 'd/f'), '21')
    t.strictSame(await second.list('d'), ['f', 'h'])
    second.crash('none')
    const third = second.restart()
    t.equal(shape(third, await third.list('d'), 'd/f'), '11')
    t.strictSame(await third.list('d'), ['f', 'g'])

    const again = disk.restart()
    const found = await again.open('d/f')
    await found.sync()
    await again.syncFolder('d')
    again.crash('none')
    t.equal(shape(again.restart(), ['f'], 'd/f'), '21', 'a sync of the next process makes it durable')
    t.strictSame(await again.restart().list('d'), ['f', 'h'])
  })
})

t.test('a failed sync drops what it should have made durable, but reads still show it', async t => {
  const clock = new SimClock()
  const disk = new SimDisk({ clock, random: new Random(seed) })
  await clock.run(async () => {
    await disk.makeFolder('d')
    await made(disk, 'd/f', 1, 1)
    const log = await disk.openLog('d/f')
    disk.failNextSync()
    await t.rejects(log.commit([sector(2)], 0), { code: 'DISK_FAILED', outcome: 'unknown' })
    t.equal(shape(disk, ['f'], 'd/f'), '21')
    const file = await disk.open('d/f')
    await file.sync()
    disk.crash('all')
    const second = disk.restart()
    t.equal(shape(second, ['f'], 'd/f'), '21', 'the page cache still has it')
    second.crash('none')
    t.equal(shape(second.restart(), ['f'], 'd/f'), '11')
  })
})

t.test('a full disk takes a part of a write and fails; with room again the same write succeeds', async t => {
  const clock = new SimClock()
  const disk = new SimDisk({ clock, random: new Random(seed), capacityBytes: 2048 })
  await clock.run(async () => {
    await disk.makeFolder('d')
    await made(disk, 'd/f', 1, 1)
    const file = await disk.open('d/f')
    await t.rejects(file.write([sector(2, 6)], 0), { code: 'DISK_FULL' })
    t.equal(await file.size(), 2048)
    await file.write([sector(3, 4)], 0)
    const other = await disk.open('d/g', { create: true })
    await t.rejects(other.write([Buffer.from('x')], 0), { code: 'DISK_FULL' })
    await disk.remove('d/f')
    await other.write([Buffer.from('x')], 0)
    disk.setFull(true)
    const log = await disk.openLog('d/g')
    await t.rejects(log.commit([sector(4)], 0), { code: 'DISK_FULL' })
    disk.setFull(false)
    await log.commit([sector(4)], 0)
    disk.crash('none')
    t.equal(shape(disk, ['g'], 'd/g'), '4')
  })
})

t.test('operations are counted, and after a crash none settles', async t => {
  for (const mode of ['all', 'none', 'any'] as const) {
    const clock = new SimClock()
    const disk = new SimDisk({ clock, random: new Random(`${seed}/${mode}`) })
    await clock.run(async () => {
      await disk.makeFolder('d')
      await made(disk, 'd/f', 1)
      t.equal(disk.operations, 6)
      disk.crashAt(2, mode)
      t.strictSame(await disk.list('d'), ['f'])
      void disk.sizeOf('d/f').then(() => t.fail('settled'))
      await disk.crashed
      t.ok(disk.dead)
      for (const call of [disk.list('d'), disk.open('d/f'), disk.remove('d/f'), disk.close()]) {
        void call.then(() => t.fail('settled'))
      }
    })
    await clock.runFor(100)
    t.equal(shape(disk.restart(), ['f'], 'd/f'), '1')
  }
})

t.test(
  'a crash that is due at a path counts from the first operation there, or is off when it is calm',
  async t => {
    const clock = new SimClock()
    const disk = new SimDisk({ clock, random: new Random(seed), latency: 'none' })
    await clock.run(async () => {
      await disk.makeFolder('d')
      disk.crashAt(1, 'all', path => path.startsWith('d/calm'))
      disk.calm()
      await made(disk, 'd/calm', 1)
      disk.crashAt(2, 'all', path => path.startsWith('d/new'))
      await made(disk, 'd/old', 1)
      t.notOk(disk.dead)
      void disk.open('d/new', { create: true }).then(file => file.write([sector(1)], 0))
      await disk.crashed
      t.ok(disk.dead, 'at the second one')
    })
  },
)

t.test('bits flip and bytes are put there from outside', async t => {
  const clock = new SimClock()
  const disk = new SimDisk({ clock, random: new Random(seed) })
  disk.setBytes('d/e/f', Buffer.of(1, 2, 3))
  disk.flip('d/e/f', 17)
  t.strictSame(disk.bytesOf('d/e/f'), Buffer.of(1, 2, 1))
  disk.crash('none')
  t.strictSame(disk.restart().bytesOf('d/e/f'), Buffer.of(1, 2, 1))
})

t.test('the same seed gives the same outcomes and times', async t => {
  const once = async (): Promise<string> => {
    const clock = new SimClock()
    const disk = new SimDisk({ clock, random: new Random('fixed') })
    await clock.run(async () => {
      await disk.makeFolder('d')
      await made(disk, 'd/f', 1, 2, 3)
      const file = await disk.open('d/f')
      await Promise.all([1, 2, 3, 4].map(value => file.write([sector(value)], value * 700)))
    })
    disk.crash('any')
    const hash = disk.restart().bytesOf('d/f').toString('base64')
    return `${clock.monotonicMs()} ${clock.fired} ${hash}`
  }
  t.equal(await once(), await once())
})
