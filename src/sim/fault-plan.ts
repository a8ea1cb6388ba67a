/** Which of the next operations a fault strikes: of some paths only, some times only, or by chance. */
import type { Random } from '../base/random.js'

/** Where and how often. */
export interface Strike {
  /** Only what is done at paths for which it holds; default: at all. */
  readonly where?: (path: string) => boolean
  /** So many times, then no more; default 1. */
  readonly times?: number
  /** With that probability each time; default 1. */
  readonly chance?: number
}

interface Arranged<Kind> {
  readonly kind: Kind
  readonly where: (path: string) => boolean
  readonly chance: number
  left: number
}

/** Faults that are arranged and did not strike yet. */
export class FaultPlan<Kind extends string> {
  readonly #random: Random
  #arranged: Arranged<Kind>[] = []

  constructor(random: Random) {
    this.#random = random
  }

  /** From now on the fault strikes where it says. */
  arrange(kind: Kind, { where = () => true, times = 1, chance = 1 }: Strike = {}): void {
    this.#arranged.push({ kind, where, chance, left: times })
  }

  /** Whether the fault strikes what is being done there. Chance is drawn only where there is any. */
  strikes(kind: Kind, path: string): boolean {
    for (const one of this.#arranged) {
      if (one.kind !== kind || !one.where(path)) continue
      if (one.chance < 1 && !this.#random.chance(one.chance)) continue
      if (--one.left <= 0) this.#arranged = this.#arranged.filter(other => other !== one)
      return true
    }
    return false
  }

  /** Forgets what was arranged. */
  calm(): void {
    this.#arranged = []
  }
}
