/**
 * The bytes of one simulated file: what reads see, what is durable, and the writes between the two.
 *
 * A crash leaves any subset of the 512-byte sectors of the unsynced writes; a sector is never torn. A sector
 * that was written twice may hold the older of the two. The length is one between the durable and the newest
 * one.
 */
import type { Random } from '../base/random.js'
import { MemoryBytes } from '../env/memory-bytes.js'

/** What is left of unsynced changes: all (the process died, the machine lives), none, or any subset. */
export type CrashMode = 'all' | 'none' | 'any'

/** What a disk writes at once or not at all. */
export const sectorBytes = 512

type Change =
  | { readonly sequence: number; readonly offset: number; readonly bytes: Buffer }
  | { readonly sequence: number; readonly truncate: number }

/** One file on the medium; who may touch it, and when, is the disk's. */
export class SimFile {
  #cached: MemoryBytes
  #durable: MemoryBytes
  #pending: Change[] = []
  #sequence = 0

  constructor(content = new MemoryBytes()) {
    this.#cached = content
    this.#durable = content.clone()
  }

  get size(): number {
    return this.#cached.size
  }

  get contentEnd(): number {
    return this.#cached.contentEnd
  }

  read(offset: number, length: number): Buffer {
    return this.#cached.read(offset, length)
  }

  /** Seen by reads at once, durable after `harden`. */
  write(bytes: Uint8Array, offset: number): void {
    if (bytes.length === 0) return
    this.#cached.write(bytes, offset)
    this.#pending.push({ sequence: ++this.#sequence, offset, bytes: Buffer.from(bytes) })
  }

  truncate(size: number): void {
    this.#cached.truncate(size)
    this.#pending.push({ sequence: ++this.#sequence, truncate: size })
  }

  /** Names the changes so far, for `harden` and `forget`. */
  mark(): number {
    return this.#sequence
  }

  /** The changes up to the mark are durable. */
  harden(mark: number): void {
    this.#take(mark, change => apply(this.#durable, change))
  }

  /** The changes up to the mark will never be durable, though reads still see them: a failed sync. */
  forget(mark: number): void {
    this.#take(mark, () => {})
  }

  /** Turns one bit of what is stored. */
  flip(bit: number): void {
    this.#cached.flip(bit)
    this.#durable.flip(bit)
  }

  /** The file as it is found after a crash; this one stays as it is. */
  afterCrash(mode: CrashMode, random: Random): SimFile {
    const left = new SimFile()
    if (mode === 'all') {
      left.#cached = this.#cached.clone()
      left.#durable = this.#durable.clone()
      left.#pending = this.#pending.slice()
      left.#sequence = this.#sequence
    } else {
      const bytes = mode === 'any' ? this.#anySubset(random) : this.#durable.clone()
      left.#cached = bytes
      left.#durable = bytes.clone()
    }
    return left
  }

  #take(mark: number, call: (change: Change) => void): void {
    let count = 0
    for (const change of this.#pending) {
      if (change.sequence > mark) break
      call(change)
      count++
    }
    this.#pending.splice(0, count)
  }

  #anySubset(random: Random): MemoryBytes {
    /** What the page cache held after each change: a sector goes to the disk as it was then. */
    const cache = this.#durable.clone()
    const result = this.#durable.clone()
    const all = random.chance(0.1)
    for (const change of this.#pending) {
      apply(cache, change)
      if ('truncate' in change) {
        if (all || random.chance(0.5)) result.truncate(change.truncate)
      } else if (all) {
        apply(result, change)
      } else {
        keepSectors(result, cache, change, random)
      }
    }
    return result
  }
}

function apply(target: MemoryBytes, change: Change): void {
  if ('truncate' in change) target.truncate(change.truncate)
  else target.write(change.bytes, change.offset)
}

/** Puts some sectors of one write, in one of the shapes that crashes have, onto the result. */
function keepSectors(
  result: MemoryBytes,
  cache: MemoryBytes,
  write: { readonly offset: number; readonly bytes: Buffer },
  random: Random,
): void {
  const first = Math.floor(write.offset / sectorBytes)
  const end = write.offset + write.bytes.length
  const count = Math.ceil(end / sectorBytes) - first
  const kept = sectorChooser(count, random)
  let keptEnd = 0
  for (let i = 0; i < count; i++) {
    if (!kept(i)) continue
    const from = (first + i) * sectorBytes
    const to = Math.min(from + sectorBytes, end)
    const sector = cache.read(from, sectorBytes)
    result.write(sector.subarray(0, Math.max(to, Math.min(result.size, from + sector.length)) - from), from)
    keptEnd = to
  }
  if (keptEnd < end && end > result.size && random.chance(0.3)) {
    result.truncate(random.chance(0.5) ? end : result.size + random.below(end - result.size + 1))
  }
}

/** Which of so many sectors reached the disk. */
function sectorChooser(count: number, random: Random): (sector: number) => boolean {
  const cut = random.below(count + 1)
  const one = random.below(count)
  const share = random.fraction()
  const shapes: ((sector: number) => boolean)[] = [
    () => true,
    () => false,
    sector => sector < cut,
    sector => sector >= cut,
    sector => sector !== one,
    sector => sector === one,
    () => random.chance(share),
  ]
  return random.pick(shapes)
}
