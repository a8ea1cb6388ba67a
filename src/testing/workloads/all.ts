/** All workloads of this package. */
import { counters } from './counters.js'
import { imports } from './imports.js'
import { Registers } from './registers.js'
import { SignUps } from './sign-ups.js'
import { transfers } from './transfers.js'
import type { Workload } from './workload.js'

/** New ones, for one world. */
export function workloadsOf(nowNs: () => number): readonly Workload[] {
  return [new Registers(nowNs), counters(nowNs), new SignUps(nowNs), imports(), transfers()]
}
