/**
 * A process that writes, follows the changes under a name, and is killed, again and again: what it is told is
 * in order, without a gap, and nothing that it acknowledged comes again.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Random } from '../../src/base/random.js'

const program = fileURLToPath(new URL('./feed-program.js', import.meta.url))

/** A change as the program tells it: its position first. */
type Told = readonly [position: string, ...rest: unknown[]]

interface Line {
  readonly got?: readonly Told[]
  readonly acknowledges?: string
  readonly acknowledged?: string
  readonly all?: readonly Told[]
}

/** What one process was told, and what was surely, or perhaps, acknowledged before and after. */
interface Life {
  readonly told: Told[]
  acknowledges: string | undefined
  acknowledged: string | undefined
}

export interface FeedReport {
  readonly kills: number
  /** Changes that the log has in the end. */
  readonly changes: number
  /** Told in all lives together: more than once what was not acknowledged. */
  readonly told: number
  readonly acknowledgements: number
}

/** Kills so often; throws at the first change that is missing, doubled or out of order. */
export async function killFeed(seed: string, kills: number): Promise<FeedReport> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sillok-feed-'))
  const random = new Random(seed)
  const lives: Life[] = []
  let acknowledgements = 0
  try {
    for (let kill = 0; kill < kills; kill++) {
      const life: Life = { told: [], acknowledges: undefined, acknowledged: undefined }
      await run([folder, `${seed}/${kill}`, 'write'], 20 + random.below(400), line => {
        life.told.push(...(line.got ?? []))
        life.acknowledges = line.acknowledges ?? life.acknowledges
        life.acknowledged = line.acknowledged ?? life.acknowledged
        if (line.acknowledged !== undefined) acknowledgements += 1
      })
      lives.push(life)
    }
    let all: readonly Told[] = []
    const last: Life = { told: [], acknowledges: undefined, acknowledged: undefined }
    await run([folder, `${seed}/end`, 'end'], undefined, line => {
      all = line.all ?? all
      last.told.push(...(line.got ?? []))
    })
    lives.push(last)
    check(lives, all)
    if (last.told.at(-1)?.[0] !== all.at(-1)?.[0]) throw new Error('the last life was not told the end')
    const told = lives.reduce((sum, life) => sum + life.told.length, 0)
    return { kills, changes: all.length, told, acknowledgements }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Each life was told a piece of all changes; it begins behind what was acknowledged, without a gap. */
function check(lives: readonly Life[], all: readonly Told[]): void {
  const places = new Map(all.map(([position], place) => [position, place]))
  const placeOf = (position: string | undefined): number =>
    position === undefined ? -1 : (places.get(position) ?? Number.NaN)
  let surely = -1
  let perhaps = -1
  for (const [number, { told, acknowledges, acknowledged }] of lives.entries()) {
    const first = placeOf(told[0]?.[0])
    if (told.length > 0 && !(first > surely && first <= perhaps + 1)) {
      throw new Error(`life ${number} begins at change ${first}; acknowledged: ${surely}, asked: ${perhaps}`)
    }
    for (const [i, change] of told.entries()) {
      const expected = all[first + i]
      if (JSON.stringify(change) === JSON.stringify(expected)) continue
      throw new Error(`life ${number}: ${JSON.stringify(change)}, it should be ${JSON.stringify(expected)}`)
    }
    surely = Math.max(surely, placeOf(acknowledged))
    perhaps = Math.max(perhaps, surely, placeOf(acknowledges))
  }
}

/** Runs the program until its end, or so long after its first line. */
async function run(
  args: readonly string[],
  killAfterMs: number | undefined,
  take: (line: Line) => void,
): Promise<void> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>(resolve => child.on('exit', resolve))
  let timer: NodeJS.Timeout | undefined
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (killAfterMs !== undefined) timer ??= setTimeout(() => child.kill('SIGKILL'), killAfterMs)
      // The last line may be cut by the kill.
      if (line.endsWith('}')) take(JSON.parse(line) as Line)
    }
  } catch (error) {
    child.kill('SIGKILL')
    await ended
    throw error
  }
  const exit = await ended
  clearTimeout(timer)
  if (killAfterMs === undefined ? exit !== 0 : exit !== null)
    throw new Error(`${args.join(' ')}: exit ${exit}`)
}
