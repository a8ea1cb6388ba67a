/**
 * Where planted bugs are looked for: the kinds of simulation that this project has, each with what it shows
 * of a bug in the layers below. A seed is one run of each; those that take long run at few of the seeds.
 */
import type { World } from '../../../src/testing/world/world.js'
import type { Rule } from '../../paper/rule.js'
import type { ConstraintWorld } from '../constraint-world.js'
import type { CrashWorld } from '../crash-world.js'
import type { GroupWorld } from '../group/group-world.js'
import type { runSchedule } from '../raft/schedule.js'
import type { RequestWorld } from '../request-world.js'
import type { WholeWorld } from '../whole-world.js'
import type { Aim, Mutant } from './planting.js'

/** A kind of simulation. */
export interface Arena {
  readonly name: string
  /** Compiled, with the bug in what it imports. */
  readonly module: string
  /** Folders below `src` whose bugs it can show; of all if none is said. */
  readonly reaches?: readonly string[]
  /** It runs at the first of so many seeds; at each if not said. */
  readonly every?: number
  /** Rejects, or throws, if what must hold does not. The first seed is 1. */
  readonly run: (loaded: never, seed: number, aim: Aim | undefined) => unknown
}

/** Simulated milliseconds with faults: shorter worlds show more of them in the same time. */
export const faultMs = 15_000

const logAndState = ['wal', 'segments', 'state', 'replica', 'machine', 'store', 'derived', 'codec']

function arena<Loaded>(
  one: Omit<Arena, 'run'> & {
    readonly run: (loaded: Loaded, seed: number, aim: Aim | undefined) => unknown
  },
): Arena {
  return one as Arena
}

/** All of them. */
export const arenas: readonly Arena[] = [
  arena({
    name: 'rules of the paper',
    module: 'test/paper/rules.js',
    reaches: ['raft'],
    every: 1000,
    run: ({ rules }: { rules: readonly Rule[] }) => {
      for (const { show } of rules) show()
    },
  }),
  arena({
    name: 'schedules',
    module: 'test/sim/raft/schedule.js',
    reaches: ['raft'],
    run: (loaded: { runSchedule: typeof runSchedule }, seed) => {
      loaded.runSchedule(`mutant.${seed}`, 1500)
    },
  }),
  arena({
    name: 'lost answers',
    module: 'test/sim/request-world.js',
    reaches: ['store', 'machine', 'replica'],
    every: 3,
    run: (loaded: { RequestWorld: typeof RequestWorld }, seed) =>
      new loaded.RequestWorld({ seed: `${seed}`, lost: 100 }).run(),
  }),
  arena({
    name: 'clusters',
    module: 'src/testing/world/world.js',
    run: (loaded: { World: typeof World }, seed, aim) =>
      new loaded.World({ seed: `${seed}`, faultMs, ...aim }).run(),
  }),
  arena({
    name: 'groups',
    module: 'test/sim/group/group-world.js',
    reaches: ['raft', 'wal', 'segments', 'state', 'replica'],
    every: 3,
    run: (loaded: { GroupWorld: typeof GroupWorld }, seed) =>
      new loaded.GroupWorld({ seed: `${seed}`, faultMs: 10_000, strands: seed % 2 === 0 }).run(),
  }),
  arena({
    name: 'constraints',
    module: 'test/sim/constraint-world.js',
    reaches: ['machine', 'state', 'replica', 'store'],
    every: 10,
    run: (loaded: { ConstraintWorld: typeof ConstraintWorld }, seed) =>
      new loaded.ConstraintWorld(`${seed}`).run(20),
  }),
  arena({
    name: 'crashes',
    module: 'test/sim/crash-world.js',
    reaches: logAndState,
    every: 10,
    run: (loaded: { CrashWorld: typeof CrashWorld }, seed) =>
      new loaded.CrashWorld({ seed: `${seed}`, lives: 25, ignoreSync: false }).run(),
  }),
  arena({
    name: 'one node',
    module: 'test/sim/whole-world.js',
    reaches: logAndState,
    every: 10,
    run: (loaded: { WholeWorld: typeof WholeWorld }, seed) => new loaded.WholeWorld(`${seed}`).run(20),
  }),
]

/** Those that can show the bug; without one, all. */
export function arenasOf(one: Mutant | undefined): readonly Arena[] {
  const folders = one?.changes.map(({ file }) => file.split('/')[0] ?? '')
  return arenas.filter(
    ({ reaches }) =>
      folders === undefined || reaches === undefined || folders.some(one => reaches.includes(one)),
  )
}
