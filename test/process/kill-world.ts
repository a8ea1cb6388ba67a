/**
 * One store on a real folder whose processes are killed again and again, at any moment of opening, checking,
 * writing and closing; each process first compares everything with what the ones before were told. With small
 * limits snapshots are made and the log is trimmed all the time, and between lives states, and one of two
 * snapshot files, may be lost.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Limits } from '../../src/base/limits.js'
import { Random } from '../../src/base/random.js'
import { live, type Moment } from './life.js'
import { Model } from './model.js'
import type { Line } from './protocol.js'
import type { WriterOptions } from './writer-program.js'

export interface KillWorldOptions {
  readonly seed: string
  /** Processes to kill. */
  readonly kills: number
  /** Small limits, so that rotation, seals, flushes and checkpoints happen all the time. */
  readonly small: boolean
  /** A look at the folder after each life. */
  readonly look?: (folder: string) => Promise<void>
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
  /** Of these, from a snapshot file. */
  fromSnapshot: number
  /** Openings of a log that had lost its head. */
  trimmed: number
}

const writers = 72

/** Small limits, so that rotation, seals, flushes and checkpoints happen all the time. */
export const smallLimits = {
  walFileBytesEmbedded: 2 * 1024 * 1024,
  segmentCutBytes: 300_000,
  segmentSyncBytes: 100_000,
  memtableBytesMax: 200_000,
  checkpointEntriesMax: 2000,
  checkpointPauseMs: 20,
  flushBatchBytesMax: 50_000,
  indexCheckpointBatchesMax: 20,
}

/** Snapshots come often, and of the log little is kept. */
const trimLimits = {
  segmentCutBytes: 8000,
  segmentSyncBytes: 4000,
  snapshotLogBytesMin: 10_000,
  snapshotLogRatio: 0.5,
  snapshotFrameBytes: 20_000,
  snapshotRetryMs: 100,
  retainBytes: 0,
  pinBytes: 20_000,
  trimPauseMs: 20,
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
    fromSnapshot: 0,
    trimmed: 0,
  }
  readonly #options: KillWorldOptions
  readonly #random: Random
  readonly #model = new Model()
  readonly #folder: string
  /** Snapshot files that were harmed: one of two at a time. */
  readonly #harmed = new Set<string>()
  #life = 0

  constructor(options: KillWorldOptions) {
    this.#options = options
    this.#random = new Random(options.seed)
    this.#folder = mkdtempSync(path.join(tmpdir(), 'sillok-kills-'))
  }

  /**
   * Kills as often as asked for, then closes once more and checks. Keeps the folder if something is wrong.
   */
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
    if (small && this.#options.look === undefined) this.#lose()
    const options: WriterOptions = {
      folder: path.join(this.#folder, 'store'),
      seed,
      life: this.#life,
      writers,
      workMs,
      limits: (small ? { ...smallLimits, ...trimLimits } : {}) as unknown as Partial<Limits>,
      expected: this.#model.expected(),
    }
    const file = path.join(this.#folder, 'options.json')
    writeFileSync(file, JSON.stringify(options))
    try {
      const life = await live('writer-program', file, moment, line => {
        this.#model.take(line)
        this.#note(line)
      })
      this.report.rebuilt += life.rebuilt
      if (life.killed) this.#noteKill(life.doing)
      else this.report.cleanCloses += 1
      await this.#options.look?.(options.folder)
    } catch (error) {
      const when = `life ${this.#life}, to be killed ${moment.delayMs.toFixed(1)} ms after ${moment.after}`
      const where = `seed ${seed}, ${when}, folder ${this.#folder}`
      throw new Error(`${where}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }

  #note(line: Line): void {
    if (line.type === 'rebuilt' && line.reason.includes('made from')) this.report.fromSnapshot += 1
    if (line.type === 'figure' && line.name === 'firstIndex' && line.value > 1) this.report.trimmed += 1
  }

  /** State and snapshots are copies: their loss costs nothing, as long as a snapshot is left. */
  #lose(): void {
    const random = this.#random
    const folder = path.join(this.#folder, 'store/partitions', random.pick(['0-1', '1-1', '1-1']))
    if (random.chance(0.25)) rmSync(path.join(folder, 'state'), { recursive: true, force: true })
    const snapshots = path.join(folder, 'snapshots')
    if (!random.chance(0.3) || !existsSync(snapshots)) return
    const files = readdirSync(snapshots).filter(name => name.endsWith('.snap'))
    const paths = files.map(name => path.join(snapshots, name))
    const [one] = random.chance(0.5) ? paths : paths.toReversed()
    if (one === undefined || paths.length !== 2 || paths.some(file => this.#harmed.has(file))) return
    this.#harmed.add(one)
    if (random.chance(0.5)) rmSync(one)
    else truncateSync(one, 100)
  }

  #noteKill(doing: string): void {
    this.report.kills += 1
    this.report.during[doing] = (this.report.during[doing] ?? 0) + 1
    if (this.#model.inFlightCount > 0) this.report.killsInFlight += 1
  }
}
