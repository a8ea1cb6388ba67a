/**
 * The shape of a verb. Each stands in a file of its own in `commands/`, named like the verb, which exports
 * `command`; `verbs.ts` lists them. A verb writes its result with `printRows` or `printOne`, throws what
 * fails, and ends with an exit code.
 */
import type { Argv } from 'yargs'
import type { ExitCode } from './failure.js'
import type { OutputFormat, Sink } from './output.js'

/** What a verb is given: where results and remarks go, and in which form. */
export interface Terminal {
  /** Standard output: results only. */
  readonly out: Sink
  /** Standard error: progress, hints, failures. */
  readonly err: Sink
  readonly format: OutputFormat
}

/** Arguments as parsed, by name; a verb checks what it takes. */
export type Arguments = Readonly<Record<string, unknown>>

/** What a verb takes and does. */
export interface Command {
  /** Declares options and positionals. */
  declare(yargs: Argv): Argv
  /**
   * Carries the verb out. When it resolves, with the exit code, everything is done and closed; failures are
   * thrown.
   */
  run(given: Arguments, terminal: Terminal): Promise<ExitCode>
}
