/** All bugs that are planted in whole worlds. */
import { ruleMutants } from '../../paper/mutants.js'
import { mutants as protocolMutants } from '../raft/mutants.js'
import { requestMutants, sessionMutants, writeMutants } from './decision-mutants.js'
import { derivedMutants } from './derived-mutants.js'
import { type Mutant, under } from './planting.js'
import { moreProtocolMutants } from './protocol-mutants.js'
import { answerMutants, groupMutants, readMutants } from './replica-mutants.js'
import { logMutants, segmentMutants, stateMutants } from './storage-mutants.js'

/** Those of the protocol alone, and those of the layers around it. */
export const mutants: readonly Mutant[] = onceEach([
  ...under(['races'], answerMutants),
  ...under(['races', 'transfers'], readMutants),
  ...under(['races', 'sign-ups', 'transfers'], writeMutants),
  ...under(['sessions', 'imports'], sessionMutants),
  ...under(['counters', 'outcomes'], requestMutants),
  ...under(['sessions', 'races'], groupMutants),
  ...under(['lookups', 'feeds', 'subscribers'], derivedMutants),
  ...under(['races', 'imports'], [...logMutants, ...segmentMutants, ...stateMutants]),
  ...under(
    ['races', 'transfers'],
    [...moreProtocolMutants, ...protocolMutants, ...ruleMutants.map(([one]) => one)],
  ),
])

function onceEach(all: readonly Mutant[]): readonly Mutant[] {
  return [...new Map(all.map(one => [one.name, one])).values()]
}
