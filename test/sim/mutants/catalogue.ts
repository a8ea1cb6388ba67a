/** All bugs that are planted in whole worlds. */
import { ruleMutants } from '../../paper/mutants.js'
import { mutants as protocolMutants } from '../raft/mutants.js'
import { requestMutants, sessionMutants, writeMutants } from './decision-mutants.js'
import { derivedMutants } from './derived-mutants.js'
import type { Mutant } from './planting.js'
import { moreProtocolMutants } from './protocol-mutants.js'
import { answerMutants, groupMutants, readMutants } from './replica-mutants.js'
import { logMutants, segmentMutants, stateMutants } from './storage-mutants.js'

/** Those of the protocol alone, and those of the layers around it. */
export const mutants: readonly Mutant[] = onceEach([
  ...answerMutants,
  ...readMutants,
  ...writeMutants,
  ...sessionMutants,
  ...requestMutants,
  ...groupMutants,
  ...derivedMutants,
  ...logMutants,
  ...segmentMutants,
  ...stateMutants,
  ...moreProtocolMutants,
  ...protocolMutants,
  ...ruleMutants.map(([one]) => one),
])

function onceEach(all: readonly Mutant[]): readonly Mutant[] {
  return [...new Map(all.map(one => [one.name, one])).values()]
}
