/**
 * Makes a failing world smaller: a shorter time for faults, fewer workloads and kinds of faults, single
 * strikes left out, the usual limits instead of drawn ones, as long as the same check fails. What is kept was
 * seen to fail; out of time, it is the smallest so far.
 */
import { type Limits, limits } from '../../../src/base/limits.js'
import type { Broken } from '../../../src/testing/world/report.js'
import { checkName } from './failure-text.js'
import type { Said } from './said.js'

/** What the minimiser works with. */
export interface MinimiseOptions {
  /** Runs the seed's world with these options; what it broke, or undefined. */
  readonly run: (said: Said) => Promise<Broken | undefined>
  readonly isOver: () => boolean
  /** Told of each smaller one. */
  readonly told?: (said: Said, broken: Broken) => void
}

/** The smallest world that was found to fail the same check. */
export interface Minimum {
  readonly said: Said
  readonly broken: Broken
  readonly tries: number
}

/** Undefined if the world does not fail at all. */
export async function minimise(first: Said, options: MinimiseOptions): Promise<Minimum | undefined> {
  const broken = await options.run(first)
  return broken === undefined ? undefined : await new Minimiser(first, broken, options).run()
}

class Minimiser {
  readonly #options: MinimiseOptions
  readonly #name: string
  #said: Said
  #broken: Broken
  #tries = 1

  constructor(said: Said, broken: Broken, options: MinimiseOptions) {
    this.#options = options
    this.#said = said
    this.#broken = broken
    this.#name = checkName(broken.check)
  }

  /** Again and again, until nothing more can go. */
  async run(): Promise<Minimum> {
    for (let before = -1; before !== this.#size() && !this.#options.isOver(); ) {
      before = this.#size()
      await this.#shorten()
      await this.#reduce(this.#broken.options.workloads, 1, workloads => ({ workloads }))
      await this.#leaveOutStrikes()
      await this.#reduce(this.#broken.options.faults, 0, faults => ({ faults }))
      await this.#useUsualLimits()
    }
    return { said: this.#said, broken: this.#broken, tries: this.#tries }
  }

  /** How much there is that could go. */
  #size(): number {
    const { faultMs, workloads, faults, skip, limits: own } = this.#broken.options
    const unusual = Object.keys(own).filter(name => !isUsual(own, name as keyof Limits))
    return faultMs + workloads.length + faults.length + unusual.length - skip.length
  }

  /** A tenth, a quarter, and so on; at last all that comes after the moment at which it breaks goes. */
  async #shorten(): Promise<void> {
    const { atMs, options } = this.#broken
    const parts = [0.1, 0.25, 0.5, 0.75, 0.9].map(part => Math.ceil(part * options.faultMs))
    for (const faultMs of [...parts, Math.ceil(atMs)]) {
      if (faultMs < options.faultMs && (await this.#fails({ faultMs }))) return
    }
  }

  async #leaveOutStrikes(): Promise<void> {
    const { skip } = this.#broken.options
    const here = Array.from({ length: this.#broken.strikes }, (_, number) => number)
    const strikes = here.filter(number => !skip.includes(number))
    await this.#reduce(strikes, 0, kept => {
      const dropped = strikes.filter(number => !kept.includes(number))
      return { skip: [...skip, ...dropped].sort((a, b) => a - b) }
    })
  }

  async #useUsualLimits(): Promise<void> {
    for (const name of Object.keys(this.#broken.options.limits) as (keyof Limits)[]) {
      if (isUsual(this.#broken.options.limits, name)) continue
      await this.#fails({ limits: { ...this.#said.limits, [name]: limits[name] } })
    }
  }

  /** Leaves out halves, quarters and at last single items, but for so many. */
  async #reduce<T>(all: readonly T[], least: number, saying: (kept: readonly T[]) => Said): Promise<void> {
    let kept = all
    for (let length = kept.length - least; length >= 1; length = Math.floor(length / 2)) {
      for (let from = 0; from < kept.length && kept.length - length >= least; ) {
        const fewer = [...kept.slice(0, from), ...kept.slice(from + length)]
        if (fewer.length < kept.length && (await this.#fails(saying(fewer)))) kept = fewer
        else from += length
        if (this.#options.isOver()) return
      }
    }
  }

  /** True, and that is what there is now, if the same check fails so. */
  async #fails(change: Said): Promise<boolean> {
    if (this.#options.isOver()) return false
    const said = { ...this.#said, ...change }
    this.#tries += 1
    const broken = await this.#options.run(said)
    if (broken === undefined || checkName(broken.check) !== this.#name) return false
    this.#said = said
    this.#broken = broken
    this.#options.told?.(said, broken)
    return true
  }
}

function isUsual(own: Partial<Limits>, name: keyof Limits): boolean {
  return own[name] === limits[name]
}
