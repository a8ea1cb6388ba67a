/** All bugs that are planted in whole worlds. */
import { ruleMutants } from '../../paper/mutants.js'
import { mutants as protocolMutants } from '../raft/mutants.js'
import type { Mutant } from './planting.js'

/** Those of the protocol alone, and those of the layers around it. */
export const mutants: readonly Mutant[] = onceEach([...protocolMutants, ...ruleMutants.map(([one]) => one)])

function onceEach(all: readonly Mutant[]): readonly Mutant[] {
  return [...new Map(all.map(one => [one.name, one])).values()]
}
