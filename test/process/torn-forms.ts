/** The forms of a torn and of a damaged batch, and what a store must make of each. */
import assert from 'node:assert/strict'
import { openingOffset } from '../../src/wal/wal-file.js'
import { type Follower, TornWorld } from './torn-world.js'

const sectorBytes = 512
/** Bytes from the batch's begin that are tried one by one. */
const nearBytes = 600

export interface TornReport {
  forms: number
  /** Opened with the last batch, and without it. */
  whole: number
  absent: number
}

/** A world whose last batch is the first one of a new file. */
async function openingWorld(seed: string, follower: Follower): Promise<TornWorld> {
  for (let before = 12; before < 60; before++) {
    const world = new TornWorld(seed)
    await world.prepare(follower, 6, before)
    if (world.place.offset === openingOffset) return world
  }
  throw new Error('no file began with the last writes')
}

interface Form {
  readonly bytes: Buffer
  readonly cut: boolean
  readonly what: string
}

/**
 * `start`: where the batch begins in these bytes. Before it stands a file's header, which is never torn in a
 * sector.
 */
function* tornForms(bytes: Buffer, start: number, step: number): Generator<Form> {
  const zeros = Buffer.alloc(bytes.length)
  const isNear = (at: number): boolean => at >= start && at < start + nearBytes
  for (let kept = 0; kept <= bytes.length; kept += isNear(kept) ? step : sectorBytes - (kept % sectorBytes)) {
    const head = bytes.subarray(0, kept)
    yield { bytes: head, cut: true, what: `the file ends after ${kept} bytes of the batch` }
    yield {
      bytes: Buffer.concat([head, zeros.subarray(kept)]),
      cut: false,
      what: `zeros after ${kept} bytes`,
    }
    const tail = Buffer.concat([zeros.subarray(0, kept), bytes.subarray(kept)])
    yield { bytes: tail, cut: false, what: `zeros before byte ${kept}` }
  }
  for (let at = 0; at < bytes.length; at += sectorBytes) {
    const missing = Buffer.from(bytes)
    missing.fill(0, at, at + sectorBytes)
    yield { bytes: missing, cut: false, what: `without the sector at ${at}` }
    const alone = Buffer.concat([
      zeros.subarray(0, at),
      bytes.subarray(at, at + sectorBytes),
      zeros.subarray(at),
    ])
    yield { bytes: alone.subarray(0, bytes.length), cut: false, what: `only the sector at ${at}` }
  }
}

/**
 * Tears the last, unanswered batch in all forms; near its begin every `step` bytes. In each the store opens
 * with everything that was acknowledged, and the batch's writes are all there exactly if its bytes are.
 */
export async function tearLast(
  seed: string,
  kind: 'small' | 'large' | 'opening',
  step: number,
): Promise<TornReport> {
  const world = kind === 'opening' ? await openingWorld(seed, 'nothing') : new TornWorld(seed)
  if (kind !== 'opening') await world.prepare('nothing', kind === 'small' ? 6 : 40)
  world.takeHeader()
  const whole = world.bytes()
  const start = kind === 'opening' ? openingOffset : 0
  const report: TornReport = { forms: 0, whole: 0, absent: 0 }
  for (const { bytes, cut, what } of tornForms(whole, start, step)) {
    const outcome = await world.open(bytes, cut)
    report.forms += 1
    const where = `seed ${seed}, ${kind}, ${what}`
    assert(outcome.opened, `${where}: refused: ${outcome.opened ? '' : outcome.error}`)
    if (bytes.equals(whole)) assert(outcome.lastThere, `${where}: the writes are not there`)
    if (outcome.lastThere) report.whole += 1
    else report.absent += 1
  }
  return report
}

/**
 * Changes every `step`-th byte of an acknowledged batch that something follows: each time the store refuses,
 * naming the damage, and leaves the log as it is. Resolves with how many were tried.
 */
export async function damageAcknowledged(
  seed: string,
  follower: Exclude<Follower, 'nothing'>,
  step: number,
  opening = false,
): Promise<number> {
  const world = opening ? await openingWorld(seed, follower) : new TornWorld(seed)
  if (!opening) await world.prepare(follower, 6)
  const bytes = world.bytes()
  assert((await world.open(bytes)).opened, `seed ${seed}: the undamaged store opens`)
  let tried = 0
  for (let at = Number(seed) % step || 0; at < bytes.length; at += step) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
    const outcome = await world.open(changed)
    const where = `seed ${seed}, before ${follower}, byte ${at} of ${bytes.length}`
    assert(!outcome.opened, `${where}: the store opened`)
    assert.equal(outcome.error.code, 'DAMAGED', `${where}: ${outcome.error}`)
    assert(outcome.untouched, `${where}: the log was written to`)
    tried += 1
  }
  return tried
}
