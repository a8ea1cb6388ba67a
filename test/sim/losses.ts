/**
 * What a machine may lose between two lives, and costs nothing: stored states, and one of two snapshot files.
 */
import type { Random } from '../../src/base/random.js'
import type { Environment } from '../../src/env/environment.js'
import type { SimDisk } from '../../src/sim/sim-disk.js'

/** What one machine has lost so far. */
export class Losses {
  readonly #random: Random
  /** Snapshot files that were damaged: one of two at a time. */
  readonly #harmed = new Set<string>()

  constructor(random: Random) {
    this.#random = random
  }

  /** Loses something, or nothing. Before the process of the new life runs. */
  async lose({ disk }: Environment, simulated: Pick<SimDisk, 'flip'>): Promise<void> {
    const folder = `data/partitions/${this.#random.pick(['0-1', '1-1'])}`
    if (this.#random.chance(0.2)) {
      await disk.remove(`${folder}/state`)
      if ((await disk.list(folder)).length > 0) await disk.syncFolder(folder)
    }
    if (!this.#random.chance(0.2)) return
    const files = (await disk.list(`${folder}/snapshots`)).filter(name => name.endsWith('.snap'))
    if (files.length < 2 || files.some(name => this.#harmed.has(`${folder}/snapshots/${name}`))) return
    const path = `${folder}/snapshots/${this.#random.pick(files)}`
    this.#harmed.add(path)
    const size = (await disk.sizeOf(path)) ?? 0
    if (this.#random.chance(0.5)) await disk.remove(path)
    else if (size > 0) simulated.flip(path, this.#random.below(size * 8))
  }
}
