/**
 * What a child process tells its parent: one JSON object a line, on descriptor 3, written at once.
 *
 * What a process wrote before SIGKILL can still be read, so a line that is written before a call, or after
 * its answer, tells the parent exactly that much.
 */
import { writeSync } from 'node:fs'

/** A document is told by the number of the write that made it; null: deleted, or never there. */
export type WriteNumber = number | null

/** A changed document: its key, and the write that made it. */
export type Change = readonly [key: string, write: WriteNumber]

/** The state of one document: the write that made it, and its version. */
export type Known = readonly [key: string, write: number, version: number]

/** A write whose answer was never seen, with what its documents were before. */
export interface Unknown {
  readonly operation: number
  readonly changes: readonly Change[]
}

/** How an import's row was answered: its version, or the code of the refusal. */
export type RowAnswer = number | string

/** What a child finds out, in its order. */
export type Line =
  | { readonly type: 'opening' | 'checked' | 'closing' | 'closed' }
  | { readonly type: 'opened'; readonly ms: number }
  | { readonly type: 'rebuilt'; readonly reason: string }
  /** A write is about to be sent. */
  | { readonly type: 'sent'; readonly operation: number; readonly changes: readonly Change[] }
  | { readonly type: 'applied'; readonly operation: number; readonly version: number }
  | { readonly type: 'refused'; readonly operation: number }
  /** A write without an answer was found done, or not. */
  | {
      readonly type: 'resolved'
      readonly operation: number
      readonly version: number | undefined
      readonly applied: boolean
    }
  | { readonly type: 'rowSent'; readonly row: number }
  | { readonly type: 'rowAnswered'; readonly row: number; readonly answer: RowAnswer }
  | { readonly type: 'rowReplayed' }
  | { readonly type: 'released'; readonly row: number }
  | { readonly type: 'figure'; readonly name: string; readonly value: number }
  | { readonly type: 'wrong'; readonly text: string }

const descriptor = 3
const pause = new Int32Array(new SharedArrayBuffer(4))

/** Tells the parent; when it returns, the line survives this process. */
export function tell(line: Line): void {
  writeLine(descriptor, line)
}

/** Writes the line whole: a pipe takes a long one in parts. */
export function writeLine(to: number, line: object): void {
  let rest = Buffer.from(`${JSON.stringify(line)}\n`)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(to, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(pause, 0, 0, 1)
    }
  }
}

/** Runs a child's work: what it throws is told, and ends the process with 1. */
export function runChild(work: () => Promise<void>): void {
  work().then(
    () => process.exit(0),
    error => {
      tell({ type: 'wrong', text: error instanceof Error ? (error.stack ?? error.message) : String(error) })
      process.exit(1)
    },
  )
}
