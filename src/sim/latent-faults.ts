/** What is wrong on a medium and not seen yet, as the page cache still has it right: by the bytes harmed. */

/** A fault that shows when the cache is gone. */
export type LatentKind = 'lost-sync' | 'misdirected-write' | 'bit-rot'

/** From one byte up to, and without, another. */
export interface ByteRange {
  readonly from: number
  readonly to: number
}

interface Latent {
  readonly kind: LatentKind
  ranges: readonly ByteRange[]
}

/** The latent faults of one file. */
export class LatentFaults {
  #all: Latent[] = []

  note(kind: LatentKind, ...ranges: readonly ByteRange[]): void {
    this.#all.push({ kind, ranges })
  }

  /** These bytes were written again, and are right now. */
  heal(written: ByteRange): void {
    if (this.#all.length === 0) return
    for (const one of this.#all) one.ranges = one.ranges.flatMap(range => without(range, written))
    this.#all = this.#all.filter(one => one.ranges.length > 0)
  }

  /** The cache is gone: they show, each once. */
  take(): LatentKind[] {
    return this.#all.splice(0).map(one => one.kind)
  }

  clone(): LatentFaults {
    const copy = new LatentFaults()
    copy.#all = this.#all.map(one => ({ ...one }))
    return copy
  }
}

function without(range: ByteRange, gone: ByteRange): ByteRange[] {
  const before = { from: range.from, to: Math.min(range.to, gone.from) }
  const behind = { from: Math.max(range.from, gone.to), to: range.to }
  return [before, behind].filter(({ from, to }) => from < to)
}
