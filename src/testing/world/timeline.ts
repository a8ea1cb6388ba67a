/** The last things that happened in a world, to be read when something is wrong. */

const keptMax = 2000

/** One thing: when, where, what. */
interface Event {
  readonly atMs: number
  /** A node; undefined: the world itself. */
  readonly node: number | undefined
  readonly what: string
}

/** The newest events of one world. */
export class Timeline {
  readonly #nowMs: () => number
  #events: Event[] = []

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Notes it, with the time of now. */
  note(node: number | undefined, what: string): void {
    this.#events.push({ atMs: this.#nowMs(), node, what })
    if (this.#events.length > 2 * keptMax) this.#events = this.#events.slice(-keptMax)
  }

  /** The last so many lines. */
  text(count: number): string {
    const line = ({ atMs, node, what }: Event): string =>
      `${atMs.toFixed(3).padStart(12)}  ${(node === undefined ? 'world' : `node ${node}`).padEnd(7)} ${what}`
    return this.#events.slice(-count).map(line).join('\n')
  }
}
