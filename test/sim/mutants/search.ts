/** Runs seed after seed of the simulations that can show a bug, with the bug in them, until one fails. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { arenasOf } from './arenas.js'
import { type Aim, compiled, type Mutant, plantedCopy } from './planting.js'

/** A run that failed, as its message says. */
export interface Failure {
  readonly arena: string
  readonly seed: number
  readonly message: string
}

/** Which runs. */
export interface Search {
  readonly from: number
  readonly seeds: number
  readonly aim?: Aim | undefined
  /** In this one only. */
  readonly arena?: string | undefined
  /** Told of each seed that kept its promises in all of them. */
  readonly ran?: (seed: number) => void
}

/** What failed first; nothing is planted if no bug is given. */
export async function firstFailure(one: Mutant | undefined, search: Search): Promise<Failure | undefined> {
  if (one === undefined) return await failureIn(compiled, one, search)
  const folder = await plantedCopy(one, ['src', 'test'])
  try {
    return await failureIn(folder, one, search)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function failureIn(
  folder: string,
  one: Mutant | undefined,
  { from, seeds, aim, arena, ran }: Search,
): Promise<Failure | undefined> {
  const meant = arenasOf(one).filter(({ name }) => arena === undefined || name === arena)
  for (let seed = from; seed < from + seeds; seed++) {
    for (const { name, module, every = 1, run } of meant) {
      if (seed % every !== 1 % every) continue
      const loaded = (await import(pathToFileURL(join(folder, module)).href)) as never
      try {
        await run(loaded, seed, aim)
      } catch (error) {
        return { arena: name, seed, message: error instanceof Error ? error.message : String(error) }
      }
    }
    ran?.(seed)
  }
  return undefined
}
