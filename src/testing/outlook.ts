/**
 * What the steps that are not yet taken still need. It tells early that a way of the search is a dead end:
 * a required step fits one state only, and that state cannot come any more.
 */
import type { Compiled, Move } from './models.js'

/** Counts along with the search: every step that is taken, and every one that is taken back. */
export class Outlook {
  readonly #states: Compiled['states']
  /** How many required steps that are left need the state; how many steps that are left make it. */
  readonly #needed = new Map<number, number>()
  readonly #made = new Map<number, number>()
  /** All states that required steps need, in order, and the place of the least one that is still needed. */
  readonly #needs: readonly number[]
  #least = 0

  constructor(states: Compiled['states'], required: readonly Move[], optional: readonly Move[]) {
    this.#states = states
    for (const move of required) this.#count(move, true, 1)
    for (const move of optional) this.#count(move, false, 1)
    this.#needs = [...this.#needed.keys()].sort((a, b) => a - b)
  }

  take(move: Move, isRequired: boolean): void {
    this.#count(move, isRequired, -1)
    while (this.#isDone(this.#needs[this.#least])) this.#least++
  }

  takeBack(move: Move, isRequired: boolean): void {
    this.#count(move, isRequired, 1)
    if (move.needs === undefined || !isRequired) return
    while (this.#least > 0 && (this.#needs[this.#least - 1] ?? 0) >= move.needs) this.#least--
  }

  /** False if a step that is left can no longer be taken, now that the second state came after the first. */
  isOpen(before: number, now: number): boolean {
    if (this.#states === 'grow') return now <= (this.#needs[this.#least] ?? now)
    if (this.#states === 'any' || now === before) return true
    return (this.#needed.get(before) ?? 0) === 0 || (this.#made.get(before) ?? 0) > 0
  }

  #isDone(state: number | undefined): boolean {
    return state !== undefined && this.#needed.get(state) === 0
  }

  #count({ needs, makes }: Move, isRequired: boolean, by: 1 | -1): void {
    if (isRequired && needs !== undefined) this.#needed.set(needs, (this.#needed.get(needs) ?? 0) + by)
    if (makes !== undefined) this.#made.set(makes, (this.#made.get(makes) ?? 0) + by)
  }
}
