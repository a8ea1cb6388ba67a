/** All workloads of this package. */
import { bursts } from './bursts.js'
import { counters } from './counters.js'
import { Feeds } from './feeds.js'
import { imports } from './imports.js'
import { Lookups } from './lookups.js'
import { outcomes } from './outcomes.js'
import { Races } from './races.js'
import { Registers } from './registers.js'
import { Sessions } from './sessions.js'
import { SignUps } from './sign-ups.js'
import { Subscribers } from './subscribers.js'
import { transfers } from './transfers.js'
import type { Workload } from './workload.js'

/** New ones, for one world. */
export function workloadsOf(nowNs: () => number): readonly Workload[] {
  return [
    new Registers(nowNs),
    counters(nowNs),
    new SignUps(nowNs),
    imports(),
    transfers(),
    new Feeds(),
    new Subscribers(),
    new Sessions(),
    outcomes(),
    new Lookups(),
    new Races(),
    bursts(),
  ]
}
