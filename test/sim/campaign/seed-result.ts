/** One world of a campaign, and what became of it, as it goes between processes. */
import { type Broken, WorldFailure, type WorldReport } from '../../../src/testing/world/report.js'
import { World } from '../../../src/testing/world/world.js'
import type { Said } from './said.js'

/** A world to run. */
export interface SeedTask {
  readonly seed: string
  readonly said: Said
}

/** What a world reports, as JSON. */
export type PlainReport = Omit<WorldReport, 'faults'> & { readonly faults: Readonly<Record<string, number>> }

/** What became of a world. */
export interface SeedResult extends SeedTask {
  /** Real milliseconds. */
  readonly wallMs: number
  readonly cpuMs: number
  readonly report?: PlainReport
  /** Undefined if it kept all promises. */
  readonly broken?: Broken
}

/** A world that told nothing of itself: its process ended, or did not end in time. */
export function lostWorld(seed: string, check: string): Broken {
  const drawn = { faults: [], workloads: [], limits: {}, leisure: 1, isQuiet: false, skip: [] }
  const options = { ...drawn, faultMs: 0, nodes: 0, beyond: false }
  return { seed, options, check, stack: '', atMs: 0, strikes: 0, timeline: '', lastOfEach: '', digest: '' }
}

/** Runs it here. */
export async function runSeed({ seed, said }: SeedTask): Promise<SeedResult> {
  const began = Date.now()
  const cpu = process.cpuUsage()
  const used = (): Pick<SeedResult, 'wallMs' | 'cpuMs'> => {
    const { user, system } = process.cpuUsage(cpu)
    return { wallMs: Date.now() - began, cpuMs: (user + system) / 1000 }
  }
  try {
    const { faults, ...report } = await new World({ seed, ...said }).run()
    return { seed, said, ...used(), report: { ...report, faults: faults.toJSON() } }
  } catch (error) {
    const broken = error instanceof WorldFailure ? error.broken : lostWorld(seed, String(error))
    return { seed, said, ...used(), broken }
  }
}
