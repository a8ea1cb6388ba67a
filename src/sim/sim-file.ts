/**
 * The bytes of one simulated file: what reads see, what is durable, and the writes between the two.
 *
 * A crash leaves any subset of the 512-byte sectors of the unsynced writes; a sector is never torn. A sector
 * that was written twice may hold the older of the two. The length is one between the durable and the newest
 * one.
 *
 * What is durable may be wrong: lost, written elsewhere, rotten. Reads do not see it while the page cache
 * (`cached`) holds the bytes; a loss of power shows it, and `evict`.
 */
import type { Random } from '../base/random.js'
import { MemoryBytes } from '../env/memory-bytes.js'
import type { FaultCounts } from './fault-counts.js'
import { type ByteRange, LatentFaults } from './latent-faults.js'

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
  #latent = new LatentFaults()

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
    this.#take(mark, change => {
      apply(this.#durable, change)
      this.#latent.heal(rangeOf(change))
    })
  }

  /** The changes up to the mark will never be durable, though reads still see them: a failed sync. */
  forget(mark: number): void {
    this.#take(mark, () => {})
  }

  /** True if there are writes up to the mark that are not durable. */
  hasUnsynced(mark: number): boolean {
    return this.#pending.some(change => change.sequence <= mark && 'bytes' in change)
  }

  /** As `forget`, but nobody is told: the disk says that it is done. */
  lose(mark: number): void {
    this.#take(mark, change => this.#latent.note('lost-sync', rangeOf(change)))
  }

  /**
   * The changes up to the mark are durable, but for some sectors of one write: those go to another place of
   * the file, and where they belong is what was there before. In a file of one sector there is none.
   */
  misdirect(mark: number, random: Random): void {
    const writes = this.#pending.filter(change => change.sequence <= mark && 'bytes' in change)
    const { from, to } = rangeOf(random.pick(writes))
    const before = this.#durable.clone()
    const after = this.#durable.clone()
    for (const change of this.#pending) if (change.sequence <= mark) apply(after, change)
    const move = drawMove(from, Math.min(to, after.size), after.size, random)
    this.harden(mark)
    if (move === undefined) return
    const own = { from: move.from, to: Math.min(move.from + move.bytes, after.size) }
    const wrong = { from: move.to, to: Math.min(move.to + move.bytes, after.size) }
    const old = Buffer.alloc(own.to - own.from)
    before.read(own.from, old.length).copy(old)
    this.#durable.write(old, own.from)
    this.#durable.write(after.read(own.from, wrong.to - wrong.from), wrong.from)
    this.#latent.note('misdirected-write', own, wrong)
  }

  /** Turns one bit of what is durable. Reads do not see it yet. False if there is no such bit. */
  rot(bit: number): boolean {
    const offset = Math.floor(bit / 8)
    if (offset >= this.#durable.size) return false
    this.#durable.flip(bit)
    this.#latent.note('bit-rot', { from: offset, to: offset + 1 })
    return true
  }

  /** Bytes that are durable. */
  get durableSize(): number {
    return this.#durable.size
  }

  /** The page cache lets go what is not waiting for a sync: reads see what is durable there. */
  evict(faults?: FaultCounts): void {
    for (const kind of this.#latent.take()) faults?.count(kind)
    this.#cached = this.#durable.clone()
    for (const change of this.#pending) apply(this.#cached, change)
  }

  /** Turns one bit of what is stored. */
  flip(bit: number): void {
    this.#cached.flip(bit)
    this.#durable.flip(bit)
  }

  /** The file as it is found after a crash; this one stays as it is. */
  afterCrash(mode: CrashMode, random: Random, faults?: FaultCounts): SimFile {
    const left = new SimFile()
    if (mode === 'all') {
      left.#cached = this.#cached.clone()
      left.#durable = this.#durable.clone()
      left.#pending = this.#pending.slice()
      left.#sequence = this.#sequence
      left.#latent = this.#latent.clone()
    } else {
      for (const kind of this.#latent.clone().take()) faults?.count(kind)
      if (mode === 'none') faults?.count('unsynced-write-lost', this.#pending.length)
      const bytes = mode === 'any' ? this.#anySubset(random, faults) : this.#durable.clone()
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

  #anySubset(random: Random, faults: FaultCounts | undefined): MemoryBytes {
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
        const { kept, count } = keepSectors(result, cache, change, random)
        if (kept < count) faults?.count(kept === 0 ? 'unsynced-write-lost' : 'torn-write')
      }
    }
    return result
  }
}

function apply(target: MemoryBytes, change: Change): void {
  if ('truncate' in change) target.truncate(change.truncate)
  else target.write(change.bytes, change.offset)
}

/** The bytes that a change has to do with: of a truncation, all from the new end on. */
function rangeOf(change: Change): ByteRange {
  if ('truncate' in change) return { from: change.truncate, to: Number.POSITIVE_INFINITY }
  return { from: change.offset, to: change.offset + change.bytes.length }
}

/** Whole sectors of a write, and where in the file they go instead. */
function drawMove(
  from: number,
  to: number,
  size: number,
  random: Random,
): { readonly from: number; readonly to: number; readonly bytes: number } | undefined {
  const sectors = Math.ceil(size / sectorBytes)
  const begin = Math.floor(from / sectorBytes)
  const end = Math.ceil(to / sectorBytes)
  if (sectors < 2 || end <= begin) return undefined
  let first = begin
  let count = end - begin
  if (random.chance(0.5) || placesFor(first, count, sectors).length === 0) {
    first += random.below(end - begin)
    count = 1
  }
  const target = random.pick(placesFor(first, count, sectors))
  return { from: first * sectorBytes, to: target * sectorBytes, bytes: count * sectorBytes }
}

/** Where so many sectors fit that do not touch themselves. */
function placesFor(first: number, count: number, sectors: number): number[] {
  const places = Array.from({ length: Math.max(0, sectors - count + 1) }, (_, place) => place)
  return places.filter(place => place + count <= first || place >= first + count)
}

/** Puts some sectors of one write, in one of the shapes that crashes have, onto the result. */
function keepSectors(
  result: MemoryBytes,
  cache: MemoryBytes,
  write: { readonly offset: number; readonly bytes: Buffer },
  random: Random,
): { readonly kept: number; readonly count: number } {
  const first = Math.floor(write.offset / sectorBytes)
  const end = write.offset + write.bytes.length
  const count = Math.ceil(end / sectorBytes) - first
  const kept = sectorChooser(count, random)
  let keptEnd = 0
  let keptCount = 0
  for (let i = 0; i < count; i++) {
    if (!kept(i)) continue
    keptCount++
    const from = (first + i) * sectorBytes
    const to = Math.min(from + sectorBytes, end)
    const sector = cache.read(from, sectorBytes)
    result.write(sector.subarray(0, Math.max(to, Math.min(result.size, from + sector.length)) - from), from)
    keptEnd = to
  }
  if (keptEnd < end && end > result.size && random.chance(0.3)) {
    result.truncate(random.chance(0.5) ? end : result.size + random.below(end - result.size + 1))
  }
  return { kept: keptCount, count }
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
