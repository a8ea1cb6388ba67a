/**
 * The state of a simulated network's cables, one for each direction between two hosts: cut, slow, about to
 * tear a message. Who cuts, and who mends, is the network's.
 */
import type { FaultKind } from './fault-counts.js'
import type { Span } from './sim-span.js'

/** Cables by the hosts at their ends. */
export class SimLinks {
  readonly #cuts = new Set<string>()
  readonly #delays = new Map<string, Span>()
  /** How many messages until the one that is torn. */
  readonly #tears = new Map<string, number>()
  /** Links that come and go, and what makes them. */
  readonly #flapping = new Map<string, object>()

  cut(from: string, to: string): void {
    this.#cuts.add(way(from, to))
  }

  heal(from: string, to: string): void {
    this.#cuts.delete(way(from, to))
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.has(way(from, to))
  }

  /** True if a message can get there and back. */
  isWhole(a: string, b: string): boolean {
    return !this.isCut(a, b) && !this.isCut(b, a)
  }

  delay(from: string, to: string, span: Span | undefined): void {
    if (span === undefined) this.#delays.delete(way(from, to))
    else this.#delays.set(way(from, to), span)
  }

  delayOf(from: string, to: string): Span | undefined {
    return this.#delays.get(way(from, to))
  }

  tear(from: string, to: string, message: number): void {
    this.#tears.set(way(from, to), message)
  }

  /** Counts a message; true if it is the one. */
  tears(from: string, to: string): boolean {
    const left = this.#tears.get(way(from, to))
    if (left === undefined) return false
    if (left > 1) this.#tears.set(way(from, to), left - 1)
    else this.#tears.delete(way(from, to))
    return left <= 1
  }

  /** The link begins to come and go; what is returned tells this from another time. */
  flap(a: string, b: string): object {
    const flapping = {}
    this.#flapping.set(link(a, b), flapping)
    return flapping
  }

  /** True until the link is steady again, or flaps anew. */
  isFlapping(a: string, b: string, flapping = this.#flapping.get(link(a, b))): boolean {
    return flapping !== undefined && this.#flapping.get(link(a, b)) === flapping
  }

  steady(a: string, b: string): void {
    this.#flapping.delete(link(a, b))
  }

  /** All that is wrong with the cut between the two, as far as these hosts are concerned. */
  cutKinds(from: string, to: string, hosts: Iterable<string>): FaultKind[] {
    const kinds: FaultKind[] = [this.isCut(to, from) ? 'cut' : 'one-way-cut']
    if (this.isFlapping(from, to)) kinds.push('flapping-link')
    for (const host of hosts) {
      if (host === from || host === to || !this.isWhole(host, from) || !this.isWhole(host, to)) continue
      kinds.push('bridge')
      break
    }
    return kinds
  }

  calm(): void {
    this.#cuts.clear()
    this.#delays.clear()
    this.#tears.clear()
    this.#flapping.clear()
  }
}

function way(from: string, to: string): string {
  return `${from}>${to}`
}

/** The same in both directions. */
function link(a: string, b: string): string {
  return a < b ? `${a}=${b}` : `${b}=${a}`
}
