/** What happened in all worlds of a campaign together. */
import { faultKinds } from '../../../src/sim/fault-counts.js'
import { worldFaults } from '../../../src/testing/world/faults.js'
import { rareStateNames } from '../../../src/testing/world/rare-states.js'
import type { SeedResult } from './seed-result.js'

/** How often, by name. */
export type Counts = Record<string, number>

/** Sums over worlds. */
export class Totals {
  worlds = 0
  violations = 0
  simulatedMs = 0
  /** Real milliseconds in which a process was at a world. */
  busyMs = 0
  /** Milliseconds of processor time that the worlds took. */
  cpuMs = 0
  /** Every kind of hardware fault. */
  readonly faults: Counts = zeros(faultKinds)
  /** Every fault of the world. */
  readonly begun: Counts = zeros(worldFaults)
  /** Every rare state. */
  readonly reached: Counts = zeros(rareStateNames)
  readonly counts: Counts = {}
  readonly checked: Counts = {}
  /** Digests of the worlds that run twice, until the second one is there. */
  readonly #first = new Map<string, string>()
  readonly twice = { worlds: 0, equal: 0 }

  /** Adds a world. */
  add({ wallMs, cpuMs, report, broken }: SeedResult): void {
    this.worlds += 1
    this.busyMs += wallMs
    this.cpuMs += cpuMs
    this.simulatedMs += report?.simulatedMs ?? broken?.atMs ?? 0
    if (broken !== undefined) this.violations += 1
    if (report === undefined) return
    addTo(this.faults, report.faults)
    addTo(this.begun, report.begun)
    addTo(this.counts, report.counts)
    addTo(this.reached, report.reached)
    addTo(this.checked, report.checked)
  }

  /** A world that is run twice: false if this is the second one, and they differ. */
  compare({ seed, report, broken }: SeedResult): boolean {
    const digest = report?.digest ?? `${broken?.digest} ${broken?.check}`
    const first = this.#first.get(seed)
    if (first === undefined) {
      this.#first.set(seed, digest)
      return true
    }
    this.twice.worlds += 1
    if (first === digest) this.twice.equal += 1
    return first === digest
  }

  /** Rare states in which no world was. */
  get unreached(): string[] {
    return rareStateNames.filter(name => this.reached[name] === 0)
  }

  /** As one object of a results file. */
  toJSON(): object {
    const { worlds, violations, simulatedMs, busyMs, cpuMs, twice, faults, begun, reached, counts, checked } =
      this
    return {
      worlds,
      violations,
      simulatedHours: round(simulatedMs / 3_600_000),
      simulatedPerSecondAndCore: round(simulatedMs / Math.max(busyMs, 1)),
      simulatedPerCpuSecond: round(simulatedMs / Math.max(cpuMs, 1)),
      twice,
      counts,
      begun,
      faults,
      reached,
      checked,
    }
  }
}

function zeros(names: readonly string[]): Counts {
  return Object.fromEntries(names.map(name => [name, 0]))
}

function addTo(sums: Counts, more: object): void {
  for (const [name, count] of Object.entries(more) as [string, number][])
    sums[name] = (sums[name] ?? 0) + count
}

function round(number: number): number {
  return Math.round(number * 100) / 100
}
