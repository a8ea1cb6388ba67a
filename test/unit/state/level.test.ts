/**
 * The state over the real `level`: whatever byte of its files is damaged, what is shown after replay is
 * right.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Random } from '../../../src/base/random.js'
import { LevelKeyValueStores } from '../../../src/env/level-key-value.js'
import { RealClock } from '../../../src/env/real-clock.js'
import { RealDisk } from '../../../src/env/real-disk.js'
import { State } from '../../../src/state/state.js'
import { differences } from './compare.js'
import { type LoggedEntry, Model } from './model.js'

const seed = process.env['SEED'] ?? 'level'
const random = new Random(seed)
const disk = new RealDisk()
const keyValue = new LevelKeyValueStores()
const clock = new RealClock()
const root = t.testdir()
t.comment(`SEED=${seed}`)

const log: LoggedEntry[] = []
const model = new Model()
let recorded: Buffer | undefined
const record = async (bytes: Buffer): Promise<void> => {
  recorded = bytes
}

function openIn(folder: string, checkpoint: Buffer | undefined): ReturnType<typeof State.open> {
  return State.open({
    disk,
    keyValue,
    clock,
    folder,
    writeBufferBytes: 64 * 1024,
    logLastIndex: log.length,
    ...(checkpoint === undefined ? {} : { checkpoint }),
  })
}

function write(state: State, count: number): void {
  for (let i = 0; i < count; i++) {
    const entry = model.decide(random, log.length + 1)
    log.push(entry)
    if (entry.facts.length === 0) state.advance(log.length)
    else state.apply(log.length, entry.facts, entry.version, entry.rows)
  }
}

function replay(state: State, from: number): void {
  for (const [at, entry] of log.slice(from - 1).entries()) {
    if (entry.facts.length === 0) state.advance(from + at)
    else state.apply(from + at, entry.facts, entry.version)
  }
}

/**
 * A folder as a killed process leaves it: tables that the checkpoint names, tables made since, rows in the
 * log only. Resolves with the recorded checkpoint.
 */
async function makeFolder(folder: string): Promise<Buffer> {
  const { state } = await openIn(folder, undefined)
  for (let round = 0; round < 3; round++) {
    write(state, 120)
    await state.checkpoint(record, { force: true })
  }
  const bytes = recorded
  write(state, 60)
  await state.checkpoint(async () => undefined, { force: true })
  write(state, 60)
  await state.flush()
  await state.close()
  if (bytes === undefined) throw new Error('nothing was recorded')
  return bytes
}

const base = join(root, 'base')
let trial = 0

/**
 * Damages a copy of the folder, opens it, replays and compares. Resolves with what is wrong and if it was
 * rebuilt.
 */
async function tryDamage(
  checkpoint: Buffer,
  damage: (folder: string) => void,
): Promise<{ wrong: string[]; rebuilt: string | undefined }> {
  const folder = join(root, `trial-${trial++}`, 'state')
  fs.cpSync(base, folder, { recursive: true })
  damage(folder)
  const { state, replayFrom, rebuilt } = await openIn(folder, checkpoint)
  try {
    replay(state, replayFrom)
    const wrong = await differences(state, model).catch(error => [String(error)])
    return { wrong, rebuilt }
  } finally {
    await state.close()
    fs.rmSync(join(folder, '..'), { recursive: true })
  }
}

function flip(path: string, bit: number): void {
  const bytes = fs.readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  fs.writeFileSync(path, bytes)
}

function filesOf(folder: string, pattern: RegExp): string[] {
  return fs.readdirSync(folder).filter(name => pattern.test(name) && fs.statSync(join(folder, name)).size > 0)
}

let checkpoint: Buffer = Buffer.alloc(0)

t.before(async () => {
  checkpoint = await makeFolder(base)
})
t.teardown(() => disk.close())

/** Runs that many trials; each must show the right state. Resolves with how many were rebuilt. */
async function trials(
  test: Test,
  count: number,
  damage: (folder: string, n: number) => void,
): Promise<number> {
  const wrong: string[] = []
  let rebuilt = 0
  // Some at a time: most of a trial is waiting for syncs. The damage is drawn in order.
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) {
      const n = next++
      const result = await tryDamage(checkpoint, folder => damage(folder, n))
      if (result.rebuilt !== undefined) rebuilt++
      for (const what of result.wrong) wrong.push(`${n}: ${what} (rebuilt: ${result.rebuilt ?? 'no'})`)
    }
  }
  await Promise.all([lane(), lane(), lane(), lane()])
  test.strictSame(wrong, [], `SEED=${seed}`)
  test.comment(`${count} trials, ${rebuilt} rebuilt`)
  return rebuilt
}

t.test('an undamaged folder is not rebuilt', async t => {
  const { wrong, rebuilt } = await tryDamage(checkpoint, () => undefined)
  t.strictSame(wrong, [])
  t.equal(rebuilt, undefined)
})

t.test('a flipped bit in a table never shows a wrong row or hides one', async t => {
  const rebuilt = await trials(t, 200, folder => {
    const path = join(folder, random.pick(filesOf(folder, /\.ldb$/)))
    flip(path, random.below(8 * fs.statSync(path).size))
  })
  t.ok(rebuilt > 150, 'nearly every flip is found')
})

t.test('a flipped bit in the log of the store never shows a wrong row or hides one', async t => {
  await trials(t, 200, folder => {
    const path = join(folder, random.pick(filesOf(folder, /\.log$/)))
    flip(path, random.below(8 * fs.statSync(path).size))
  })
})

t.test('a shortened manifest never shows a wrong row or hides one', async t => {
  await trials(t, 40, (folder, n) => {
    const path = join(folder, random.pick(filesOf(folder, /^MANIFEST/)))
    const size = fs.statSync(path).size
    fs.truncateSync(path, n < 10 ? size - 1 - n : random.below(size))
  })
})

t.test(
  'a flipped bit in the manifest or its name, or a lost name, never shows a wrong row or hides one',
  async t => {
    const rebuilt = await trials(t, 42, (folder, n) => {
      const current = join(folder, 'CURRENT')
      const path = n < 32 ? join(folder, random.pick(filesOf(folder, /^MANIFEST/))) : current
      if (n < 40) flip(path, random.below(8 * fs.statSync(path).size))
      else if (n === 40) fs.rmSync(current)
      else fs.truncateSync(current)
    })
    t.ok(rebuilt > 10)
  },
)

t.test('a removed or half-written table never hides a row', async t => {
  const count = filesOf(base, /\.ldb$/).length
  const rebuilt = await trials(t, count, (folder, n) => {
    fs.rmSync(join(folder, filesOf(folder, /\.ldb$/)[n] ?? ''))
  })
  t.equal(rebuilt, count, 'a table that is needed is missed')
  const half = await trials(t, 1, folder => {
    const whole = fs.readFileSync(join(folder, filesOf(folder, /\.ldb$/)[0] ?? ''))
    fs.writeFileSync(join(folder, '999999.ldb'), whole.subarray(0, whole.length >> 1))
  })
  t.equal(half, 0, 'a half-written table that nothing refers to is what a crash leaves')
})

t.test('a clean close leaves nothing to replay', async t => {
  const folder = join(root, 'clean', 'state')
  fs.cpSync(base, folder, { recursive: true })
  const first = await openIn(folder, checkpoint)
  replay(first.state, first.replayFrom)
  let last = checkpoint
  await first.state.close({
    record: async bytes => {
      last = bytes
    },
  })
  const second = await openIn(folder, last)
  t.equal(second.replayFrom, log.length + 1)
  t.equal(second.rebuilt, undefined)
  t.strictSame(await differences(second.state, model), [])
  await second.state.close()
})
