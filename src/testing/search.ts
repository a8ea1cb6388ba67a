/**
 * The search for an order of operations that explains what each of them saw: Wing and Gong's, with Lowe's
 * memory of what was tried before. One step takes an operation that no other one, still to be taken, ended
 * before. Two ways to the same set of operations and the same state have the same future: the second is not
 * followed.
 *
 * Operations with an unknown outcome are optional, and never end. Each may be taken at any later point, so
 * that trying them all would be hopeless. These rules leave out only what another order makes up for:
 *
 * - A read that fits is taken at once: it changes nothing, so to have it behind it harms no future.
 * - Of optional operations that do the same, the one that was called first is taken first.
 * - An optional operation is taken as late as possible, or not at all. So it is followed by one that needs
 *   it: not by one that could as well have come before it, nor by one that leads to the same state without
 *   it. What is left out so behind one step is tried where that step began.
 */
import type { Compiled, Move } from './models.js'
import { Outlook } from './outlook.js'

/** An operation with its times; `return` is ignored of optional ones. */
export interface Step {
  readonly move: Move
  readonly call: number
  readonly return: number
}

/** How the search ended. */
export interface SearchResult {
  /** Found: there is an order. None: there is not. Undecided: the bound was reached before. */
  readonly end: 'found' | 'none' | 'undecided'
  /** The steps of the order that was found, or else of the one with most of the required steps. */
  readonly order: readonly Step[]
  /** The state behind that order. */
  readonly state: number
}

/** A point of the search: what was taken is what its ancestors took. */
interface Point {
  readonly parent: Point | undefined
  /** The place of the step that led here, in `required`, or behind it in `optional`; -1 at the beginning. */
  readonly step: number
  readonly state: number
  /** How many required steps were taken. */
  readonly count: number
  /** The first place of a required step behind all that were taken. */
  readonly end: number
  /** The place of the last step that was tried from here. */
  tried: number
}

const wordBits = 16

/** A remembered point costs as much as so many tries, and one more for each word of what it holds. */
const pointEffort = 16

/** The search over the operations of one key. */
class Search {
  readonly #required: readonly Step[]
  readonly #optional: readonly Step[]
  /** The steps not taken, as a list in order of call: next and previous of each; the head is behind all. */
  readonly #next: Int32Array
  readonly #previous: Int32Array
  /** One bit for each step taken. */
  readonly #takenRequired: Uint16Array
  readonly #takenOptional: Uint16Array
  /** Of each optional step the one of its kind called before it; -1: none. */
  readonly #sameBefore: readonly number[]
  readonly #seen = new Set<string>()
  readonly #outlook: Outlook
  #effort: number

  constructor(required: readonly Step[], optional: readonly Step[], { states, effort }: SearchOptions) {
    const moves = (steps: readonly Step[]): Move[] => steps.map(step => step.move)
    this.#outlook = new Outlook(states, moves(required), moves(optional))
    const byCall = (a: Step, b: Step): number => a.call - b.call
    this.#required = required.toSorted(byCall)
    this.#optional = optional.toSorted(byCall)
    this.#effort = effort
    const count = required.length
    this.#next = Int32Array.from({ length: count + 1 }, (_, i) => (i === count ? 0 : i + 1))
    this.#previous = Int32Array.from({ length: count + 1 }, (_, i) => (i === 0 ? count : i - 1))
    this.#takenRequired = new Uint16Array(Math.ceil(count / wordBits))
    this.#takenOptional = new Uint16Array(Math.ceil(optional.length / wordBits))
    const last = new Map<string, number>()
    this.#sameBefore = this.#optional.map(({ move: { kind } }, i) => {
      const before = last.get(kind) ?? -1
      last.set(kind, i)
      return before
    })
  }

  run(initial: number): SearchResult {
    let point: Point = { parent: undefined, step: -1, state: initial, count: 0, end: 0, tried: -1 }
    let best = point
    for (;;) {
      if (point.count > best.count) best = point
      if (point.count === this.#required.length) return this.#result('found', point)
      let next: Point | undefined
      if (this.#outlook.isOpen(point.parent?.state ?? initial, point.state)) {
        next = this.#fittingRead(point)
        if (next === undefined && this.#remember(point)) next = this.#following(point)
      }
      while (next === undefined) {
        if (this.#effort < 0) return this.#result('undecided', best)
        this.#put(point)
        if (point.parent === undefined) return this.#result('none', best)
        point = point.parent
        next = this.#following(point)
      }
      point = next
    }
  }

  #result(end: SearchResult['end'], point: Point): SearchResult {
    const order: Step[] = []
    for (let at: Point | undefined = point; at !== undefined; at = at.parent)
      if (at.step >= 0) order.push(this.#stepAt(at.step))
    return { end, order: order.reverse(), state: point.state }
  }

  #stepAt(place: number): Step {
    const count = this.#required.length
    const step = place < count ? this.#required[place] : this.#optional[place - count]
    if (step === undefined) throw new RangeError(`no step ${place}`)
    return step
  }

  /** A read that the state fits: there is no other way to go on from here. */
  #fittingRead(point: Point): Point | undefined {
    for (const place of this.#available()) {
      const { move } = this.#stepAt(place)
      if (!move.isRead || move.after(point.state) === undefined) continue
      point.tried = Number.POSITIVE_INFINITY
      return this.#take(point, place, point.state)
    }
    return undefined
  }

  /** The next step worth trying from a point, required ones first. */
  #following(point: Point): Point | undefined {
    if (point.tried === Number.POSITIVE_INFINITY) return undefined
    const count = this.#required.length
    let firstReturn = Number.POSITIVE_INFINITY
    for (const place of this.#available()) {
      firstReturn = Math.min(firstReturn, this.#stepAt(place).return)
      if (place <= point.tried) continue
      const after = this.#tryStep(point, place)
      if (after !== undefined) return this.#take(point, place, after)
    }
    for (let i = Math.max(0, point.tried + 1 - count); i < this.#optional.length; i++) {
      const step = this.#stepAt(count + i)
      if (step.call > firstReturn) break
      const before = this.#sameBefore[i] ?? -1
      if (isTaken(this.#takenOptional, i) || (before >= 0 && !isTaken(this.#takenOptional, before))) continue
      const after = this.#tryStep(point, count + i)
      if (after !== undefined && after !== point.state) return this.#take(point, count + i, after)
    }
    point.tried = Number.POSITIVE_INFINITY
    return undefined
  }

  /** The required steps that may be next: no other one ended before they were called. */
  *#available(): Generator<number, void, undefined> {
    const head = this.#required.length
    let firstReturn = Number.POSITIVE_INFINITY
    for (let place = this.#next[head] ?? head; place !== head; place = this.#next[place] ?? head) {
      const step = this.#stepAt(place)
      if (step.call > firstReturn) return
      firstReturn = Math.min(firstReturn, step.return)
      yield place
    }
  }

  /** The state behind the step; undefined if it does not fit, or if another order makes up for it. */
  #tryStep(point: Point, place: number): number | undefined {
    this.#effort--
    const { move } = this.#stepAt(place)
    const after = move.after(point.state)
    const count = this.#required.length
    if (after === undefined || point.step < count || point.parent === undefined) return after
    // The point was reached by an optional step: would this one do without it?
    const alone = move.after(point.parent.state)
    if (alone === undefined) return after
    if (alone === after) return undefined
    const isSwap = place < count && this.#stepAt(point.step).move.after(alone) === after
    return isSwap ? undefined : after
  }

  #take(parent: Point, step: number, state: number): Point {
    parent.tried = Math.max(parent.tried, step)
    this.#outlook.take(this.#stepAt(step).move, step < this.#required.length)
    const count = this.#required.length
    if (step >= count) {
      flip(this.#takenOptional, step - count)
      return { parent, step, state, count: parent.count, end: parent.end, tried: -1 }
    }
    flip(this.#takenRequired, step)
    const [before, behind] = [this.#previous[step] ?? 0, this.#next[step] ?? 0]
    this.#next[before] = behind
    this.#previous[behind] = before
    return { parent, step, state, count: parent.count + 1, end: Math.max(parent.end, step + 1), tried: -1 }
  }

  /** Undoes the step that led to the point. */
  #put({ step }: Point): void {
    if (step < 0) return
    const count = this.#required.length
    this.#outlook.takeBack(this.#stepAt(step).move, step < count)
    if (step >= count) flip(this.#takenOptional, step - count)
    else {
      flip(this.#takenRequired, step)
      this.#next[this.#previous[step] ?? 0] = step
      this.#previous[this.#next[step] ?? 0] = step
    }
  }

  /** False if the same was tried before, or if the bound is reached. */
  #remember({ state, end }: Point): boolean {
    const first = (this.#next[this.#required.length] ?? 0) / wordBits
    const words = this.#takenRequired.subarray(Math.floor(first), Math.ceil(end / wordBits))
    const key = `${state} ${Math.floor(first)} ${words.length} ${packed(words)}${packed(this.#takenOptional)}`
    this.#effort -= pointEffort + key.length
    if (this.#effort < 0 || this.#seen.has(key)) return false
    this.#seen.add(key)
    return true
  }
}

/** The words as a text of as many characters. */
function packed(words: Uint16Array): string {
  const piece = 8192
  let text = ''
  for (let at = 0; at < words.length; at += piece)
    text += String.fromCharCode(...words.subarray(at, at + piece))
  return text
}

function isTaken(words: Uint16Array, place: number): boolean {
  return (((words[Math.floor(place / wordBits)] ?? 0) >> (place % wordBits)) & 1) === 1
}

function flip(words: Uint16Array, place: number): void {
  const word = Math.floor(place / wordBits)
  words[word] = (words[word] ?? 0) ^ (1 << (place % wordBits))
}

/** What is searched, besides the steps. */
export interface SearchOptions extends Pick<Compiled, 'initial' | 'states'> {
  /** A bound of time and memory: 1 for a step that is tried, about 30 for a point that is remembered. */
  readonly effort: number
}

/**
 * Looks for an order of all required and some optional steps, such that every step fits the state before it
 * and none stands behind one that was called after its end.
 */
export function searchOrder(
  required: readonly Step[],
  optional: readonly Step[],
  options: SearchOptions,
): SearchResult {
  return new Search(required, optional, options).run(options.initial)
}
