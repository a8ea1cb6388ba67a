/** All bugs that are planted in whole worlds. */
import { ruleMutants } from '../../paper/mutants.js'
import { mutants as protocolMutants } from '../raft/mutants.js'
import { requestMutants, sessionMutants, writeMutants } from './decision-mutants.js'
import { derivedMutants } from './derived-mutants.js'
import { aimed, type Mutant } from './planting.js'
import { moreProtocolMutants } from './protocol-mutants.js'
import { againMutants, answerMutants, groupMutants, readMutants } from './replica-mutants.js'
import { logMutants, segmentMutants, stateMutants } from './storage-mutants.js'

const leaders = [
  'isolateLeader',
  'transfer',
  'kill',
  'crashInOperation',
  'slowDisk',
  'break',
  'storm',
] as const
const cables = ['cut', 'isolate', 'flap', 'tear', 'refuse', 'delay', 'stall', 'suspend', 'clockRate'] as const
const disks = [
  'powerLoss',
  'powerLossOfAll',
  'crashInOperation',
  'kill',
  'stop',
  'failedSync',
  'slowDisk',
  'slowStore',
  'storeWrite',
  'rotAtRest',
] as const
const groups = [
  'wipe',
  'regroup',
  'powerLoss',
  'isolateLeader',
  'isolate',
  'transfer',
  'crashInOperation',
] as const

/** Those of the protocol alone, and those of the layers around it. */
export const mutants: readonly Mutant[] = onceEach([
  ...aimed({ workloads: ['races'], faults: [...leaders, ...cables] }, answerMutants),
  ...aimed({ workloads: ['races', 'transfers'], faults: [...leaders, ...cables] }, readMutants),
  ...aimed({ workloads: ['sessions', 'outcomes'], faults: [...leaders, ...cables] }, againMutants),
  ...aimed({ workloads: ['sign-ups', 'transfers', 'races'] }, writeMutants),
  ...aimed({ workloads: ['sessions', 'imports'], faults: [...leaders, 'wallJump', 'cut'] }, sessionMutants),
  ...aimed({ workloads: ['counters', 'outcomes'], faults: [...leaders, ...cables] }, requestMutants),
  ...aimed({ workloads: ['races', 'imports'], faults: groups }, groupMutants),
  ...aimed({ workloads: ['lookups', 'feeds', 'subscribers'], faults: [...disks, 'wipe'] }, derivedMutants),
  ...aimed({ workloads: ['races', 'imports'], faults: disks }, [
    ...logMutants,
    ...segmentMutants,
    ...stateMutants,
  ]),
  ...aimed({ workloads: ['races', 'transfers'], faults: [...leaders, ...cables, ...groups] }, [
    ...moreProtocolMutants,
    ...protocolMutants,
    ...ruleMutants.map(([one]) => one),
  ]),
])

function onceEach(all: readonly Mutant[]): readonly Mutant[] {
  return [...new Map(all.map(one => [one.name, one])).values()]
}
