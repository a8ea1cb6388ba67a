/** A log that is closed while it is read: what is not to be had any more is closed, and not damaged. */
import t from 'tap'
import { isSillokError } from '../../../src/base/errors.js'
import {
  folder,
  makeDisk,
  makeEntries,
  openLog,
  type Record,
  readAll,
  sameEntries,
  seed,
} from './log-world.js'

t.comment(`SEED=${seed}`)
const entries = makeEntries(120, 200)

t.test('what a closed log cannot read is CLOSED, in the open segment and in removed files', async t => {
  const disk = makeDisk('closed')
  const log = await openLog(disk, { marks: {} })
  log.append(entries)
  await log.sync()
  t.notOk(log.isClosed)
  const { sealed, lastIndex } = log
  t.ok((sealed.at(-1)?.lastIndex ?? 0) < lastIndex, 'a segment is open')
  const closing = log.close()
  t.ok(log.isClosed, 'from the call on')
  await closing
  await t.rejects(log.read(lastIndex, { bytesMax: 1 }), { code: 'CLOSED', outcome: 'not-applied' })
  await disk.remove(folder)
  for (const { firstIndex } of sealed) {
    await t.rejects(log.read(firstIndex, { bytesMax: 1 }), { code: 'CLOSED' })
  }
})

t.test('who reads on while a log is closed and its folder removed gets its entries, or CLOSED', async t => {
  for (let turns = 0; turns < 40; turns++) {
    const disk = makeDisk(`reading on ${turns}`)
    const log = await openLog(disk, { marks: {} })
    log.append(entries)
    await log.sync()
    const reading = readAll(log).then(
      all => sameEntries(all, entries),
      (error: unknown) => isSillokError(error, 'CLOSED') || error,
    )
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    await log.close()
    await disk.remove(folder)
    t.equal(await reading, true, `closed after ${turns} turns`)
  }
})

t.test('before it is closed, a file that is missing is damage', async t => {
  const disk = makeDisk('missing')
  const record: Record = { marks: {} }
  const before = await openLog(disk, record)
  before.append(entries)
  await before.close()
  const log = await openLog(disk, record)
  for (const name of await disk.list(folder)) {
    if (!name.startsWith('open-')) await disk.remove(`${folder}/${name}`)
  }
  await t.rejects(log.read(1, { bytesMax: 1 }), { code: 'DAMAGED' })
  await log.close()
})
