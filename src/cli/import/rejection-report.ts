/**
 * The report of an import: one JSON line for each rejected row, in the order of the rows. The first line says
 * in its field `import` whose report it is: what another import wrote is neither counted nor cut off.
 *
 * A line stands in the file, synced, before the session lets go of the answer (`release`); so every line of a
 * row below the session's lowWater is there, whole. A crash can leave after these: lines of rows from
 * lowWater on, synced or not, the last one torn, or a tail of zeros. Rows from lowWater on are sent again and
 * get the same answers, so all of that is cut off when the import is resumed, and each line is written once.
 */
import { constants, type FileHandle, open } from 'node:fs/promises'
import path from 'node:path'
import { SillokError } from '../../base/errors.js'
import { isSystemError, systemError } from '../../env/system-errors.js'
import { toJson } from '../table.js'
import { userFileError } from '../user-file.js'

/** One rejected row. */
export interface Rejection {
  readonly row: number
  /** Where the row begins in the input, in bytes. */
  readonly offset: number
  readonly code: string
  readonly message: string
  /** True if the row could not be read: no JSON, no UTF-8. */
  readonly unreadable?: true
  /** The unique constraint that refused it, the key of the document that holds the value, and its version. */
  readonly constraint?: unknown
  readonly holder?: unknown
  readonly version?: unknown
}

/** How many rows the report names: those that the store refused, and those that could not be read. */
export interface ReportCounts {
  readonly refused: number
  readonly unreadable: number
}

/** What the importer needs of a report. */
export interface Report {
  readonly counts: ReportCounts
  /** Appends the lines; when it resolves, they are durable. One call at a time. */
  append(rejections: readonly Rejection[]): Promise<void>
}

const lineStart = '{"row":'
const lineFeed = 10
/** A report is read whole when an import is resumed. */
const reportBytesMax = 512 * 1024 * 1024

/** A report in a file. */
export class ReportFile implements Report {
  readonly #file: FileHandle
  readonly #path: string
  readonly #import: string
  #size: number
  #refused: number
  #unreadable: number

  private constructor(file: FileHandle, name: string, own: string, kept: Kept) {
    this.#file = file
    this.#path = name
    this.#import = own
    this.#size = kept.bytes
    this.#refused = kept.refused
    this.#unreadable = kept.unreadable
  }

  /**
   * Opens or makes the report of the import `own` and cuts it off before the first row that is sent again
   * (`from`). Rejects with INVALID, and leaves the file as it is, if it is no report, or that of another
   * import, or lacks lines that must be there.
   */
  static async open(name: string, from: number, own: string): Promise<ReportFile> {
    try {
      const file = await open(name, constants.O_RDWR | (from === 1 ? constants.O_CREAT : 0), 0o644)
      try {
        const kept = keptLines(await readWhole(file, name), from, name, own)
        await file.truncate(kept.bytes)
        await file.datasync()
        await syncFolderOf(name)
        return new ReportFile(file, name, own, kept)
      } catch (error) {
        await file.close()
        throw error
      }
    } catch (error) {
      if (!isSystemError(error, 'ENOENT') || from === 1) throw userFileError(error, 'write', name)
      const message = `rows before ${from} were imported, but their report ${name} is missing: put it back`
      throw new SillokError('INVALID', `${message}, or make an empty file of that name`)
    }
  }

  get counts(): ReportCounts {
    return { refused: this.#refused, unreadable: this.#unreadable }
  }

  async append(rejections: readonly Rejection[]): Promise<void> {
    if (rejections.length === 0) return
    const lines = rejections.map((rejection, i) =>
      this.#size === 0 && i === 0 ? { ...rejection, import: this.#import } : rejection,
    )
    const bytes = Buffer.from(lines.map(line => `${toJson(line)}\n`).join(''))
    try {
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#file.write(bytes, at, bytes.length - at, this.#size + at)).bytesWritten
      }
      await this.#file.datasync()
    } catch (error) {
      throw systemError(error, 'write', this.#path)
    }
    this.#size += bytes.length
    const unreadable = rejections.filter(rejection => rejection.unreadable).length
    this.#unreadable += unreadable
    this.#refused += rejections.length - unreadable
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}

interface Kept extends ReportCounts {
  readonly bytes: number
}

/**
 * What stays of the report: its whole lines of rows before `from`. Throws INVALID for what the import `own`
 * has not written, so that nobody's file is cut off because its name was given by mistake.
 */
export function keptLines(bytes: Buffer, from: number, name: string, own: string): Kept {
  const kept = { bytes: 0, refused: 0, unreadable: 0 }
  if (!beginsLine(bytes)) throw noReport(name)
  let last = 0
  let isCut = false
  let start = 0
  for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed, start)) {
    const line = lineOf(bytes.subarray(start, end))
    if (start === 0 && line !== undefined && line.import !== own) throw noReport(name, line.import)
    start = end + 1
    if (line === undefined || line.row >= from) isCut = true
    else if (isCut || line.row <= last) throw noReport(name)
    else {
      last = line.row
      kept.bytes = start
      if (line.unreadable) kept.unreadable += 1
      else kept.refused += 1
    }
  }
  return kept
}

/**
 * True if the bytes begin as every line does, or are the torn beginning of one: cut off, or zeros from there.
 */
function beginsLine(bytes: Buffer): boolean {
  const [start = ''] = bytes.subarray(0, lineStart.length).toString('latin1').split('\0')
  return lineStart.startsWith(start)
}

interface Line {
  readonly row: number
  readonly unreadable: boolean
  /** In the first line: which import wrote it. */
  readonly import: unknown
}

function lineOf(bytes: Buffer): Line | undefined {
  if (!beginsLine(bytes)) return undefined
  try {
    const line = JSON.parse(bytes.toString('utf8')) as Readonly<Record<keyof Line, unknown>>
    if (!Number.isSafeInteger(line.row)) return undefined
    return { row: line.row as number, unreadable: line.unreadable === true, import: line.import }
  } catch {
    return undefined
  }
}

function noReport(name: string, other?: unknown): SillokError {
  const message =
    typeof other === 'string'
      ? `${name} is the report of another import (${other})`
      : `${name} is not the report of this import, or was changed`
  return new SillokError('INVALID', `${message}: move it away, or name another by --report`, {
    details: { path: name },
  })
}

async function readWhole(file: FileHandle, name: string): Promise<Buffer> {
  const { size } = await file.stat()
  if (size > reportBytesMax) throw new SillokError('TOO_LARGE', `${name} has ${size} bytes: move it away`)
  const bytes = Buffer.alloc(size)
  let at = 0
  while (at < size) {
    const { bytesRead } = await file.read(bytes, at, size - at, at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return bytes.subarray(0, at)
}

/** The file's name is durable after this; Windows cannot do that, and does not need it. */
async function syncFolderOf(name: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path.dirname(path.resolve(name)), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
