/**
 * Bugs that the schedules must find: each is a change of one line of the compiled protocol, in a copy of it.
 */
import { mutant as anywhere, type Mutant, planted as plantedIn } from '../mutants/planting.js'
import type { runSchedule } from './schedule.js'

/** Makes one, in a file of the protocol. */
export function mutant(name: string, file: string, line: string, instead: string): Mutant {
  return anywhere(name, `raft/${file}`, line, instead)
}

/** Each breaks one rule. Those that chance hardly finds are planted into the tests of `test/paper`. */
export const mutants: readonly Mutant[] = [
  mutant(
    'votes twice in a term',
    'election',
    'core.vote === from || (core.vote === 0 && core.leader === 0)',
    'true',
  ),
  mutant(
    'votes for a shorter log',
    'election',
    'core.log.isUpToDate(request.lastIndex, request.lastTerm)',
    'true',
  ),
  mutant('sends its vote before that is durable', 'core', "case 'voteAnswer':", ''),
  mutant('acknowledges before the entries are durable', 'core', "case 'appended':", ''),
  mutant(
    'counts only the incoming half',
    'quorum',
    'majorityReached(electorate.outgoing, reachedBy)',
    'Infinity',
  ),
  mutant(
    'proposes a change beside another',
    'membership',
    'leader.pendingConfiguration > log.applied',
    'false',
  ),
  mutant(
    'as a new leader forgets changes that are on their way',
    'role',
    'this.pendingConfiguration = lastIndex',
    'this.pendingConfiguration = 0',
  ),
  mutant('believes a completion of what was replaced', 'log', '|| !this.has(index, term)', ''),
  mutant('applies what is not durable here', 'log', 'Math.min(this.#commit, this.#stable)', 'this.#commit'),
  mutant(
    'tells a member to commit what it may not hold',
    'heartbeat',
    'Math.min(progress.match, core.log.commit)',
    'core.log.commit',
  ),
  mutant(
    'shortens its log by a delayed append',
    'log',
    'entries.findIndex(entry => !this.has(entry.index, entry.term))',
    '0',
  ),
  mutant(
    'takes entries without a comparison',
    'following',
    '!log.has(previousIndex, previousTerm)',
    'previousIndex > log.lastIndex',
  ),
  mutant(
    'answers reads without a round',
    'reads',
    'voter === leader ? this.#round : (this.#answered.get(voter) ?? 0)',
    'this.#round',
  ),
  mutant('lets a read join a round that has left', 'reads', 'round: this.#round + 1', 'round: this.#round'),
  mutant('keeps its vote over a term', 'core', 'this.vote = 0', ''),
]

/** Hands a module of the tests, loaded anew over a copy of the protocol with the bug in it, to `use`. */
export function planted<T>(one: Mutant, module: string, use: (loaded: unknown) => T): Promise<T> {
  return plantedIn(one, { parts: ['src/base', 'src/raft', 'test/sim/raft', 'test/paper'], module }, use)
}

/**
 * Runs schedules with the bug in place; answers what found it and after how many, or undefined if none of
 * `count` did.
 */
export function caught(
  one: Mutant,
  { seed, count, steps }: { seed: string; count: number; steps: number },
): Promise<{ readonly schedules: number; readonly message: string } | undefined> {
  return planted(one, 'test/sim/raft/schedule.js', loaded => {
    const schedule = loaded as { runSchedule: typeof runSchedule }
    for (let i = 0; i < count; i++) {
      try {
        schedule.runSchedule(`${seed}.${i}`, steps)
      } catch (error) {
        return { schedules: i + 1, message: String(error) }
      }
    }
    return undefined
  })
}
