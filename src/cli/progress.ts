/**
 * How far a long verb is, on standard error and only when a person looks at it: pipes and logs get nothing.
 *
 * One line, drawn again at most ten times a second, wiped before anything else is written there.
 */
import { assert } from '../base/assert.js'
import type { Clock } from '../env/clock.js'
import type { Sink } from './output.js'
import { cutToWidth } from './table.js'

/** What a progress line is about. */
export interface ProgressOptions {
  readonly sink: Sink
  readonly clock: Clock
  /** What is being done: `import users`. */
  readonly label: string
  /** What is counted: `documents`. */
  readonly unit: string
  /** How many there will be; without it the line counts and shows no bar. */
  readonly total?: number
}

const drawPauseMs = 100
const barCells = 24
const wipe = '\r\u001b[K'

/** A line that shows count, share, rate and the time that is left. */
export class Progress {
  readonly #options: ProgressOptions
  readonly #startMs: number
  #count = 0
  #drawnMs = Number.NEGATIVE_INFINITY
  #isDrawn = false
  #writing: Promise<void> = Promise.resolve()

  constructor(options: ProgressOptions) {
    this.#options = options
    this.#startMs = options.clock.monotonicMs()
  }

  /** How many were counted so far. */
  get count(): number {
    return this.#count
  }

  /** Counts more of them; draws when it is time. */
  advance(count = 1): void {
    assert(count >= 0, () => `progress goes back by ${-count}`)
    this.#count += count
    const now = this.#options.clock.monotonicMs()
    if (now - this.#drawnMs < drawPauseMs) return
    this.#drawnMs = now
    this.#draw(now)
  }

  /** Wipes the line and resolves when it is gone. May be called twice, and before any was drawn. */
  async finish(): Promise<void> {
    if (this.#isDrawn) this.#write(wipe)
    this.#isDrawn = false
    await this.#writing
  }

  #draw(now: number): void {
    const { sink } = this.#options
    if (!sink.isTerminal) return
    this.#isDrawn = true
    const line = progressLine({ ...this.#options, count: this.#count, elapsedMs: now - this.#startMs })
    // One cell less than the terminal has: a full line would wrap, and only its last part would be wiped.
    this.#write(wipe + cutToWidth(line, sink.width - 1))
  }

  #write(text: string): void {
    const written = this.#writing.then(() => this.#options.sink.write(text))
    this.#writing = written.catch(() => {
      // Nobody sees the line any more; the work goes on.
    })
  }
}

/** The line as it is drawn: label, bar and share if a total is known, count, rate per second, time left. */
export function progressLine(state: {
  readonly label: string
  readonly unit: string
  readonly count: number
  readonly total?: number
  readonly elapsedMs: number
}): string {
  const { label, unit, count, total, elapsedMs } = state
  const perSecond = elapsedMs > 0 ? (count * 1000) / elapsedMs : 0
  const rate = `${grouped(Math.round(perSecond))}/s`
  if (total === undefined || total <= 0) return `${label}  ${grouped(count)} ${unit}  ${rate}`
  const share = Math.min(1, count / total)
  const full = Math.floor(share * barCells)
  const bar = '█'.repeat(full) + '░'.repeat(barCells - full)
  const percent = `${Math.floor(share * 100)} %`
  const left =
    perSecond > 0 ? `  ${duration(((total - Math.min(count, total)) * 1000) / perSecond)} left` : ''
  return `${label}  ${bar} ${percent}  ${grouped(count)} of ${grouped(total)} ${unit}  ${rate}${left}`
}

/** A length of time in two units at most: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
}

/** A number with commas between its thousands. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US')
}
