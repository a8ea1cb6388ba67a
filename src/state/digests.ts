/**
 * The digests of a partition: per slot, and one for the partition's own rows, the sums of the hash pairs of
 * all its rows, each modulo 2^32. Equal states have equal digests, whatever order made them.
 *
 * Updated without reading: a fact names the hash pair of the row that it replaces. Stored in our own
 * checkpoint record only, never in the key-value store, whose faults they are to show.
 */
import type { SlotId } from '../base/ids.js'
import { digestCount } from '../codec/row.js'

/** Two sums per digest, one after the other. */
export const digestWords = 2 * digestCount

/** One partition's digests, updated from the hash pairs in facts; never reads a row. */
export class Digests {
  /** Sums: those of slot n are at 2n and 2n + 1. Unsigned, so that they wrap by themselves. */
  readonly #sums: Uint32Array

  constructor(sums: Uint32Array = new Uint32Array(digestWords)) {
    this.#sums = sums.slice()
  }

  /** Adds the row that came and subtracts the one that went; zeros where there is none. */
  replace(slot: SlotId, new0: number, new1: number, prev0: number, prev1: number): void {
    const sums = this.#sums
    const at = 2 * slot
    sums[at] = (sums[at] ?? 0) + new0 - prev0
    sums[at + 1] = (sums[at + 1] ?? 0) + new1 - prev1
  }

  copy(): Uint32Array {
    return this.#sums.slice()
  }
}

/** Slots whose sums differ. */
export function differingSlots(left: Uint32Array, right: Uint32Array): SlotId[] {
  const slots: SlotId[] = []
  for (let slot = 0; slot < digestCount; slot++) {
    const at = 2 * slot
    if (left[at] !== right[at] || left[at + 1] !== right[at + 1]) slots.push(slot)
  }
  return slots
}
