/**
 * The last things that happened in a world, to be read when something is wrong, and one hash over all that
 * ever did: two runs of one seed have the same.
 */
import { createHash } from 'node:crypto'

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
  readonly #hash = createHash('sha256')

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Notes it, with the time of now. */
  note(node: number | undefined, what: string): void {
    this.#events.push({ atMs: this.#nowMs(), node, what })
    this.hear(`${node ?? 'world'} ${what}`)
    if (this.#events.length > 2 * keptMax) this.#events = this.#events.slice(-keptMax)
  }

  /** Counts in the digest only: what is too much to be read. */
  hear(what: string): void {
    this.#hash.update(`${this.#nowMs()} ${what}\n`)
  }

  /** Of everything so far, in its order and with its times. */
  get digest(): string {
    return this.#hash.copy().digest('hex')
  }

  /** The last so many lines of each node, and of the world. */
  lastOfEach(count: number): string {
    const kept = new Map<number | undefined, number>()
    const chosen = this.#events.toReversed().filter(({ node }) => {
      const before = kept.get(node) ?? 0
      kept.set(node, before + 1)
      return before < count
    })
    return chosen.toReversed().map(lineOf).join('\n')
  }

  /** The last so many lines. */
  text(count: number): string {
    return this.#events.slice(-count).map(lineOf).join('\n')
  }
}

function lineOf({ atMs, node, what }: Event): string {
  const where = node === undefined ? 'world' : `node ${node}`
  return `${atMs.toFixed(3).padStart(12)}  ${where.padEnd(7)} ${what}`
}
