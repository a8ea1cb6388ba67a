/**
 * One simulated machine whose process lives and is crashed, again and again; between two lives it may lose
 * what costs nothing.
 */
import type { Random } from '../../src/base/random.js'
import type { Environment } from '../../src/env/environment.js'
import { SimClock } from '../../src/sim/sim-clock.js'
import { SimMachine } from '../../src/sim/sim-machine.js'
import { Losses } from './losses.js'

export interface MortalOptions {
  readonly seed: string
  readonly random: Random
  /** The bug to plant: the write-ahead log's commits are not made durable. */
  readonly ignoreSync?: boolean
}

export class Mortal {
  readonly clock = new SimClock()
  readonly machine: SimMachine
  readonly #seed: string
  readonly #losses: Losses
  #crashed: () => void = () => {}

  constructor({ seed, random, ignoreSync }: MortalOptions) {
    this.#seed = seed
    this.machine = new SimMachine({
      clock: this.clock,
      random: random.split('machine'),
      latency: random.chance(0.5) ? 'none' : 'random',
      ...(ignoreSync === true && { ignoreSync }),
      onCrash: () => this.#crashed(),
    })
    this.#losses = new Losses(random.split('losses'))
  }

  /** Life after life, to the end of the last. Throws what was found wrong, naming seed and life. */
  async run(
    isLast: (life: number) => boolean,
    live: (env: Environment, isLast: boolean) => Promise<void>,
  ): Promise<void> {
    for (let life = 1; ; life++) {
      const last = isLast(life)
      try {
        await this.clock.run(this.#begin(env => live(env, last)))
      } catch (error) {
        const what = error instanceof Error ? error.message : String(error)
        const where = `seed ${this.#seed}, life ${life} at ${this.clock.monotonicMs()} ms`
        throw new Error(`${where}: ${what}`, { cause: error })
      }
      if (last) return
    }
  }

  /** What the life comes to, unless the process is crashed before. */
  orCrash<T>(life: () => Promise<T>): Promise<T | 'crashed'> {
    const crash = new Promise<'crashed'>(resolve => {
      this.#crashed = () => resolve('crashed')
    })
    return Promise.race([life(), crash])
  }

  async #begin(live: (env: Environment) => Promise<void>): Promise<void> {
    const env = this.machine.restart()
    await this.#losses.lose(env, this.machine.disk)
    await live(env)
  }
}
