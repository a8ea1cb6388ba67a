/**
 * A constraint is built over all places: with nobody else, under load in a process that is killed on the way,
 * and beside writers as fast as they can.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { isSillokError, open, type Store } from '../../src/index.js'
import { runBuild } from './build-run.js'
import { comparePlaces, placeConstraint, type Shared } from './constraint-places.js'
import { dropAll, type Foreground, fillPlaces, measureForeground } from './foreground.js'

const program = fileURLToPath(new URL('./constraint-program.js', import.meta.url))

/** What is known of the places as they come. */
const expected: Shared = { keys: 581, rows: 1190 }

/** A line of the program. */
interface Told {
  /** Key of a place: its number. */
  readonly builtThrough?: string
  readonly writes: number
  readonly refused: number
  readonly builtMs?: number
  readonly keys?: number
  readonly rows?: number
}

/** What the campaign measured. */
export interface ConstraintReport {
  readonly quiet: Shared & { readonly builtMs: number; readonly droppedMs: number }
  readonly kills: number
  /** Numbers of the places through which the build was, and went on from. */
  readonly killedAt: readonly number[]
  readonly wentOnFrom: readonly number[]
  readonly writes: number
  readonly refused: number
  readonly underLoad: Shared & { readonly builtMs: number }
  /** Without the constraint, while it is built, and when it is built. */
  readonly foreground: Foreground
}

/** Throws unless the violations are as known, or as computed again, and no build begins anew. */
export async function killConstraint(kills: number, rate: number): Promise<ConstraintReport> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sillok-constraint-'))
  try {
    const total = await fillPlaces(folder)
    const quiet = await buildAlone(folder)
    console.log(JSON.stringify({ quiet }))
    const foreground = await measureForeground(folder, built)
    console.log(JSON.stringify({ foreground }))
    return { quiet, ...(await buildUnderKills(folder, kills, rate, total)), foreground }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Resolves when the build is over; what it finds is no failure. */
async function built(store: Store): Promise<number> {
  const beganMs = performance.now()
  await store.define('places', placeConstraint)
  await store.enforced('places', 'place', { deadlineMs: 600_000 }).catch((error: unknown) => {
    if (!isSillokError(error, 'UNIQUE_TAKEN')) throw error
  })
  return performance.now() - beganMs
}

async function buildAlone(folder: string): Promise<ConstraintReport['quiet']> {
  const store = await open({ dir: folder })
  const builtMs = await built(store)
  const shared = await comparePlaces(store)
  if (shared.keys !== expected.keys || shared.rows !== expected.rows) {
    throw new Error(`${JSON.stringify(shared)}, known are ${JSON.stringify(expected)}`)
  }
  const droppedMs = await dropAll(store)
  await store.close()
  return { ...shared, builtMs, droppedMs }
}

async function buildUnderKills(folder: string, kills: number, rate: number, total: number) {
  const killedAt: number[] = []
  const wentOnFrom: number[] = []
  let writes = 0
  let refused = 0
  for (let kill = 1; ; kill++) {
    const killFrom = kill <= kills ? Math.floor((total * kill) / (kills + 1)) : undefined
    const { first, last } = await runBuild<Told>({
      program,
      folder,
      writesPerSecond: rate,
      killFrom,
      isFirst: () => true,
    })
    const before = killedAt.at(-1)
    if (before !== undefined) {
      wentOnFrom.push(reached(first))
      if (reached(first) < before) throw new Error(`killed at ${before}, went on from ${reached(first)}`)
    }
    writes += last.writes
    refused += last.refused
    if (killFrom !== undefined) {
      killedAt.push(reached(last))
      continue
    }
    const { keys, rows, builtMs } = last
    if (keys === undefined || rows === undefined || builtMs === undefined)
      throw new Error(`not told to be equal: ${JSON.stringify(last)}`)
    return { kills, killedAt, wentOnFrom, writes, refused, underLoad: { keys, rows, builtMs } }
  }
}

/** Number of the place through which the build is. */
function reached({ builtThrough }: Told): number {
  return Number(builtThrough ?? 0)
}
