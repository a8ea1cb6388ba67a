/**
 * One store on a real folder whose processes are killed again and again, at any moment of opening, checking, writing
 * and closing; each process first compares everything with what the ones before were told.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Limits } from '../../src/base/limits.js'
import { Random } from '../../src/base/random.js'
import { Child } from './child.js'
import { Model } from './model.js'
import type { Line } from './protocol.js'
import type { WriterOptions } from './writer-program.js'

export interface KillWorldOptions {
  readonly seed: string
  /** Processes to kill. */
  readonly kills: number
  /** Small limits, so that rotation, seals, flushes and checkpoints happen all the time. */
  readonly small: boolean
}

export interface KillReport {
  kills: number
  /** Kills by the last thing that the child had told: what it was doing. */
  readonly during: Record<string, number>
  /** Kills with writes in flight. */
  killsInFlight: number
  cleanCloses: number
  acknowledged: number
  refused: number
  replayed: number
  foundDone: number
  foundAbsent: number
  rebuilt: number
}

/** When a life ends: so long after the child told this. */
interface Moment {
  readonly after: 'start' | 'opening' | 'opened' | 'checked' | 'closing' | 'never'
  readonly delayMs: number
}

const writers = 72

const smallLimits = {
  walFileBytesEmbedded: 2 * 1024 * 1024,
  segmentCutBytes: 300_000,
  segmentSyncBytes: 100_000,
  memtableBytesMax: 200_000,
  checkpointEntriesMax: 2000,
  checkpointPauseMs: 20,
  flushBatchBytesMax: 50_000,
}

export class KillWorld {
  readonly report: KillReport = {
    kills: 0,
    during: {},
    killsInFlight: 0,
    cleanCloses: 0,
    acknowledged: 0,
    refused: 0,
    replayed: 0,
    foundDone: 0,
    foundAbsent: 0,
    rebuilt: 0,
  }
  readonly #options: KillWorldOptions
  readonly #random: Random
  readonly #model = new Model()
  readonly #folder: string
  #life = 0

  constructor(options: KillWorldOptions) {
    this.#options = options
    this.#random = new Random(options.seed)
    this.#folder = mkdtempSync(path.join(tmpdir(), 'sillok-kills-'))
  }

  /** Kills as often as asked for, then closes once more and checks. Keeps the folder if something is wrong. */
  async run(): Promise<KillReport> {
    while (this.report.kills < this.#options.kills) await this.#live(this.#moment())
    await this.#live({ after: 'never', delayMs: 0 }, 50)
    await this.#live({ after: 'never', delayMs: 0 }, 0)
    rmSync(this.#folder, { recursive: true })
    const { acknowledged, refused, replayed, foundDone, foundAbsent } = this.#model
    return Object.assign(this.report, { acknowledged, refused, replayed, foundDone, foundAbsent })
  }

  #moment(): Moment {
    const random = this.#random
    const after = random.pick([
      'start',
      'opening',
      'opening',
      'opened',
      'checked',
      'checked',
      'checked',
      'checked',
      'closing',
    ] as const)
    const spreadMs = { start: 300, opening: 120, opened: 150, checked: 700, closing: 25 }[after]
    return { after, delayMs: random.fraction() * spreadMs }
  }

  async #live(moment: Moment, workMs = moment.after === 'closing' ? 200 : 60_000): Promise<void> {
    const { seed, small } = this.#options
    this.#life += 1
    const options: WriterOptions = {
      folder: path.join(this.#folder, 'store'),
      seed,
      life: this.#life,
      writers,
      workMs,
      limits: (small ? smallLimits : {}) as unknown as Partial<Limits>,
      expected: this.#model.expected(),
    }
    const file = path.join(this.#folder, 'options.json')
    writeFileSync(file, JSON.stringify(options))
    let doing = 'start'
    let wrong: string | undefined
    let killed = false
    const timers: NodeJS.Timeout[] = []
    const arm = (told: string): void => {
      if (told !== moment.after) return
      const kill = (): void => {
        killed = true
        child.kill()
      }
      timers.push(setTimeout(kill, moment.delayMs))
    }
    const child = new Child('writer-program', file, line => {
      doing = phaseOf(line) ?? doing
      if (line.type === 'wrong') wrong ??= line.text
      if (line.type === 'rebuilt') this.report.rebuilt += 1
      if (wrong === undefined) wrong = this.#take(line)
      arm(line.type)
    })
    arm('start')
    const ending = await child.ended
    for (const timer of timers) clearTimeout(timer)
    if (wrong !== undefined) throw this.#failure(wrong, moment)
    if (killed && ending.code === null) this.#noteKill(doing)
    else if (ending.code === 0) this.report.cleanCloses += 1
    else throw this.#failure(`the child ended with ${ending.code}: ${ending.stderr}`, moment)
  }

  #take(line: Line): string | undefined {
    try {
      this.#model.take(line)
      return undefined
    } catch (error) {
      return String(error)
    }
  }

  #noteKill(doing: string): void {
    this.report.kills += 1
    this.report.during[doing] = (this.report.during[doing] ?? 0) + 1
    if (this.#model.inFlightCount > 0) this.report.killsInFlight += 1
  }

  #failure(what: string, moment: Moment): Error {
    const when = `life ${this.#life}, to be killed ${moment.delayMs.toFixed(1)} ms after ${moment.after}`
    return new Error(`seed ${this.#options.seed}, ${when}, folder ${this.#folder}: ${what}`)
  }
}

/** What a child does after it told this; undefined: the same as before. */
function phaseOf(line: Line): string | undefined {
  switch (line.type) {
    case 'opening':
      return 'open'
    case 'opened':
      return 'check'
    case 'checked':
      return 'write'
    case 'closing':
    case 'closed':
      return 'close'
    default:
      return undefined
  }
}
