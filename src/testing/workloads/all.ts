/** All workloads of this package. */
import { counters } from './counters.js'
import { imports } from './imports.js'
import { registers } from './registers.js'
import { signUps } from './sign-ups.js'
import { transfers } from './transfers.js'
import type { Workload } from './workload.js'

/** New ones, for one world. */
export function workloadsOf(nowNs: () => number): readonly Workload[] {
  return [registers(nowNs), counters(nowNs), signUps(nowNs), imports(), transfers()]
}
