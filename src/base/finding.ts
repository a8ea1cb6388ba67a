/**
 * What a check of stored bytes found: in which file, where in it, and what. One form for every kind of file.
 *
 * A *fault* is something that no crash explains: bytes that were durable are wrong or gone. A *note* is worth
 * telling but no fault: what a crash may leave, or what could not be checked. If a file has many faults, the
 * first ones are kept and the others counted; rows are counted apart, so that they crowd nothing out.
 */
import { InvariantError } from './assert.js'
import { type ErrorDetails, isSillokError } from './errors.js'

/** Something about stored bytes. */
export interface Finding {
  readonly file: string
  /** `byte 4096`, `entry 17`, `key 64…`: where in the file; empty for the file as a whole. */
  readonly at: string
  readonly what: string
}

/** A place by its offset in the file. */
export function atByte(offset: number): string {
  return `byte ${offset}`
}

/** A place by the index of an entry. */
export function atEntry(index: number): string {
  return `entry ${index}`
}

/** A place by the key of a row; of a long key only the first bytes. */
export function atKey(key: Buffer): string {
  return `${rowMark}${key.subarray(0, keyBytesShown).toString('hex')}${key.length > keyBytesShown ? '…' : ''}`
}

const rowMark = 'key '
const keyBytesShown = 40
const faultsPerFileMax = 20

/** Faults of one file, or of rows that are stored there. */
interface Group {
  readonly file: string
  readonly ofRows: boolean
  count: number
  readonly kept: Finding[]
}

/** `1 fault`, `1234 more faults`. */
export function faultsText(count: number, which: '' | 'more ' = ''): string {
  return `${count} ${which}${count === 1 ? 'fault' : 'faults'}`
}

/** How much was checked. */
export interface CheckedCounts {
  files: number
  bytes: number
  batches: number
  entries: number
  rows: number
}

/** Collects what checks find, and counts how much they checked. */
export class Findings {
  readonly counts: CheckedCounts = { files: 0, bytes: 0, batches: 0, entries: 0, rows: 0 }
  readonly #notes: Finding[] = []
  readonly #groups = new Map<string, Group>()
  #count = 0

  /** How many faults there are, kept or only counted. */
  get faultCount(): number {
    return this.#count
  }

  get notes(): readonly Finding[] {
    return this.#notes
  }

  /**
   * The faults, file by file, those of rows behind all others, of which they may be a consequence. The last
   * of a file with too many says how many more there are.
   */
  get faults(): readonly Finding[] {
    const groups = [...this.#groups.values()]
    const others = groups.filter(({ ofRows }) => !ofRows)
    return [...others, ...groups.filter(({ ofRows }) => ofRows)].flatMap(({ file, count, kept }) => {
      const more = count - kept.length
      return more === 0 ? kept : [...kept, { file, at: '', what: faultsText(more, 'more ') }]
    })
  }

  fault(file: string, at: string, what: string): void {
    this.#count++
    const ofRows = at.startsWith(rowMark)
    const name = `${ofRows ? 'rows' : 'file'} ${file}`
    const group = this.#groups.get(name) ?? { file, ofRows, count: 0, kept: [] }
    this.#groups.set(name, group)
    group.count++
    if (group.kept.length < faultsPerFileMax) group.kept.push({ file, at, what })
  }

  note(file: string, at: string, what: string): void {
    this.#notes.push({ file, at, what })
  }

  /**
   * Does the work. What it throws about the bytes it read becomes a fault of that file, or of the one that
   * the error names, and the result is undefined. An unknown format is thrown on.
   */
  async attempt<T>(file: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      let details: ErrorDetails = {}
      if (isSillokError(error)) details = error.details
      else if (!(error instanceof InvariantError)) throw error
      if (isSillokError(error, 'VERSION_UNSUPPORTED') || isSillokError(error, 'UPGRADE_REQUIRED')) throw error
      const at = typeof details['offset'] === 'number' ? atByte(details['offset']) : ''
      const what = typeof details['what'] === 'string' ? details['what'] : (error as Error).message
      this.fault(typeof details['file'] === 'string' ? details['file'] : file, at, what)
      return undefined
    }
  }

  /** Adds the counts of another check. */
  add({ counts }: Findings): void {
    for (const name of Object.keys(counts) as (keyof CheckedCounts)[]) this.counts[name] += counts[name]
  }

  /** A file was read whole. */
  read(bytes: number): void {
    this.counts.files++
    this.counts.bytes += bytes
  }
}
