/** An index is built over all places under load, in a process that is killed on the way, again and again. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Store } from '../../src/index.js'
import { runBuild } from './build-run.js'
import { type Foreground, fillPlaces, measureForeground } from './foreground.js'

const program = fileURLToPath(new URL('./build-program.js', import.meta.url))

/** A line of the program. */
interface Told {
  readonly builtThrough?: string
  readonly rebuilds: number
  readonly writes: number
  readonly builtMs?: number
  readonly documents?: number
  readonly equal?: boolean
}

export interface BuildReport {
  readonly documents: number
  readonly kills: number
  readonly writes: number
  /** Keys through which the build had come at each kill, and when it first told of itself again. */
  readonly killedAt: readonly string[]
  readonly wentOnFrom: readonly string[]
  readonly lastMs: number
  readonly foreground: Record<'secondary' | 'search', Foreground>
}

/** Kills the build so often, spread over the keys; throws unless it goes on where it was and ends right. */
export async function killBuild(kills: number, writesPerSecond: number): Promise<BuildReport> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sillok-build-'))
  try {
    const documents = await fillPlaces(folder)
    const foreground = {
      secondary: await measureForeground(folder, defineIndex('secondary')),
      search: await measureForeground(folder, defineIndex('search')),
    }
    console.log(JSON.stringify({ foreground }))
    const killedAt: string[] = []
    const wentOnFrom: string[] = []
    let writes = 0
    for (let kill = 1; ; kill++) {
      const killFrom = kill <= kills ? Math.floor((documents * kill) / (kills + 1)) : undefined
      const { first, last } = await runBuild<Told>({
        program,
        folder,
        writesPerSecond,
        killFrom,
        isFirst: told => told.builtThrough !== undefined,
      })
      const before = killedAt.at(-1)
      if (before !== undefined) {
        wentOnFrom.push(first.builtThrough ?? '')
        if ((first.builtThrough ?? '') < before) throw new Error(`${before}, then ${first.builtThrough}`)
      }
      if (last.rebuilds > 0) throw new Error(`begun anew: ${JSON.stringify(last)}`)
      writes += last.writes
      if (killFrom === undefined) {
        if (last.equal !== true) throw new Error(`not told to be equal: ${JSON.stringify(last)}`)
        return {
          documents,
          kills,
          writes,
          killedAt,
          wentOnFrom,
          lastMs: last.builtMs ?? 0,
          foreground,
        }
      }
      killedAt.push(last.builtThrough ?? '')
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** For the first answer of an index that is built while others write. */
const deadlineMs = 300_000

/** Resolves when the first question is answered. */
function defineIndex(type: 'secondary' | 'search'): (store: Store) => Promise<void> {
  const definition = type === 'search' ? { type, fields: ['name'] } : { type, fields: ['country', 'name'] }
  return async store => {
    await store.define('places', { key: 'id', indexes: { made: definition } })
    const places = store.collection('places')
    if (type === 'search') await places.search('made', 'seoul', { limit: 1, deadlineMs })
    else for await (const _ of places.find('made', { limit: 1 }, { deadlineMs }));
  }
}
