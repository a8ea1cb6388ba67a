/**
 * What a failed verb says, and with which code the process ends.
 *
 * Every failure names its code, what it means for the request, its causes, and what to do next. The exit
 * codes are part of the interface: 0 ok, 1 failed, 2 wrong command line, 3 unavailable now (the same command
 * may work later), 4 conflict, 5 not found, 70 a bug of ours, 124 no answer in time, 130 and 143 stopped by a
 * signal after what was in flight was ended.
 */
import { InvariantError } from '../base/assert.js'
import { type Code, isSillokError, type SillokError } from '../base/errors.js'
import { damageAdvice } from './damage.js'
import { toJson, visible } from './table.js'
import { UsageError } from './usage.js'

/** Exit codes of the process, by meaning. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  unavailable: 3,
  conflict: 4,
  notFound: 5,
  bug: 70,
  timedOut: 124,
  interrupted: 130,
  terminated: 143,
} as const

/** One of the exit codes. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const { failed, unavailable, conflict, notFound, timedOut } = exitCodes

interface Advice {
  readonly exit: ExitCode
  readonly next: string
}

const advice = (exit: ExitCode, next: string): Advice => ({ exit, next })

/** A verb has no session of its own, so nothing tells a repetition from a second request; import has one. */
const mayBeDone = 'read the document before you repeat it; import resumes by itself'

/** For every code of the store: the exit code and the next step. Does not compile while one is missing. */
const adviceTable: Readonly<Record<Code, Advice>> = {
  INVALID: advice(failed, 'correct what the message names and send it again'),
  VALIDATION_FAILED: advice(failed, 'correct the document where the message says and send it again'),
  TOO_LARGE: advice(failed, 'send it in smaller parts, within the limit that the message names'),
  NOT_FOUND: advice(notFound, 'check the name or key'),
  EXISTS: advice(conflict, 'use put to replace the document, or choose another key'),
  CONFLICT: advice(conflict, 'read the document again and repeat the change on its present version'),
  UNIQUE_TAKEN: advice(conflict, 'choose another value, or change the document that holds it'),
  SESSION_EXPIRED: advice(
    failed,
    'read the documents to find out what was applied, then begin a new session',
  ),
  FENCED: advice(conflict, 'another process resumed this session: let it finish, or resume it here again'),
  SEQUENCE_REUSED: advice(conflict, 'send the very same request under this number, or take the next number'),
  ALREADY_ACKNOWLEDGED: advice(
    failed,
    'nothing: the session had its answer before; read the document to see',
  ),
  WINDOW_FULL: advice(
    unavailable,
    'wait for answers that are due; a session with numbers of its own calls release() for what it has',
  ),
  REQUEST_ID_REUSED: advice(conflict, 'send the very same request under this id, or take a new id'),
  REQUEST_ID_EXPIRED: advice(failed, 'read the documents to find out what was applied, then take a new id'),
  REQUEST_IDS_FULL: advice(unavailable, 'try again when older request ids have expired'),
  REQUEST_FENCED: advice(conflict, 'it was not applied and never will be: take a new id'),
  TOO_MANY_SESSIONS: advice(
    unavailable,
    'close sessions that are not needed, or wait for idle ones to expire',
  ),
  TOO_MANY_SUBSCRIPTIONS: advice(failed, 'forget named feeds of changes that nobody needs'),
  LOG_TRUNCATED: advice(failed, 'read the documents as they are now, and follow the changes from then on'),
  EPOCH_CHANGED: advice(failed, 'read the documents as they are now, and follow the changes from then on'),
  REGISTER_TOO_OLD: advice(unavailable, 'run the command again'),
  SESSION_INPUT_CHANGED: advice(conflict, 'use the input of the first run, or another session name'),
  OVERLOADED: advice(unavailable, 'try again later, or with fewer requests in flight'),
  TIMED_OUT: advice(timedOut, mayBeDone),
  ABORTED: advice(failed, mayBeDone),
  NOT_LEADER: advice(unavailable, 'try again: another node leads'),
  LEADERSHIP_LOST: advice(unavailable, 'run the command again'),
  UNAVAILABLE: advice(unavailable, 'check that a majority of the nodes runs and can be reached'),
  CLOSED: advice(failed, 'open the store again'),
  CLOSED_WHILE_WAITING: advice(failed, mayBeDone),
  INDEX_BEHIND: advice(unavailable, 'ask again later; `sillok indexes` shows how far it is'),
  INDEX_FAILED: advice(unavailable, '`sillok indexes` says why; it is tried again by itself'),
  DISK_FULL: advice(unavailable, 'make room on the disk; the store goes on by itself'),
  DISK_FAILED: advice(failed, 'look at the disk and the system log before you open the store again'),
  DAMAGED: advice(failed, 'do not delete anything: put a backup of the folder in its place'),
  STOPPED: advice(exitCodes.bug, 'keep the folder as it is and report this with the message'),
  FOLDER_IN_USE: advice(unavailable, 'stop the other process'),
  FOLDER_UNUSABLE: advice(failed, 'check that the folder exists and that this user may write in it'),
  FOREIGN_FOLDER: advice(failed, 'name an empty folder, or one that sillok made'),
  VERSION_UNSUPPORTED: advice(failed, 'open the folder with the release that wrote it, or a newer one'),
  UPGRADE_REQUIRED: advice(failed, 'install a newer release on this node'),
}

/** The exit code for that code of the store. */
export function exitCodeFor(code: Code): ExitCode {
  return adviceTable[code].exit
}

/** The next step after that error of the store. */
export function nextStepOf(error: SillokError): string {
  const { code, details } = error
  if (code === 'DAMAGED') return damageAdvice(error) ?? adviceTable[code].next
  if (code === 'NOT_FOUND' && typeof details['folder'] === 'string')
    return 'check --dir or SILLOK_DIR: it names the data folder'
  return adviceTable[code].next
}

/** The exit code for whatever a verb threw. */
export function exitCodeOf(error: unknown): ExitCode {
  if (isSillokError(error)) return exitCodeFor(error.code)
  if (error instanceof UsageError) return exitCodes.usage
  if (error instanceof InvariantError) return exitCodes.bug
  return exitCodes.failed
}

/** The failure for programs: one JSON object on one line. */
export function failureJson(error: unknown): string {
  const common = { exit: exitCodeOf(error), message: messageOf(error) }
  if (!isSillokError(error)) return toJson({ code: nameOf(error), ...common })
  const { code, outcome, retry, details } = error
  return toJson({
    code,
    ...common,
    outcome,
    retry,
    details,
    causes: causesOf(error),
    next: nextStepOf(error),
  })
}

/**
 * The failure for people: one line each for what happened, what it means, why, and what to do; `help` says
 * what a wrong command line would have to look up.
 */
export function failureText(error: unknown, help = 'sillok --help'): string {
  const lines = [`${nameOf(error)}: ${messageOf(error)}`]
  if (isSillokError(error)) lines.push(...explain(error))
  for (const cause of causesOf(error)) lines.push(`  cause:   ${cause}`)
  if (isSillokError(error)) lines.push(`  next:    ${nextStepOf(error)}`)
  else if (error instanceof UsageError) lines.push(`  next:    ${help}`)
  else if (error instanceof InvariantError) lines.push(...stackOf(error), '  next:    report this as a bug')
  else lines.push(...stackOf(error))
  return lines.map(line => `${line}\n`).join('')
}

function explain(error: SillokError): string[] {
  const lines = [
    error.outcome === 'not-applied'
      ? '  outcome: not applied'
      : '  outcome: unknown (it may have been applied, or may still be)',
  ]
  const details = Object.entries(error.details).filter(([, value]) => value !== undefined)
  if (details.length > 0)
    lines.push(`  details: ${details.map(([name, value]) => detail(name, value)).join(', ')}`)
  return lines
}

function detail(name: string, value: unknown): string {
  return visible(`${name} ${typeof value === 'string' ? value : toJson(value)}`)
}

function nameOf(error: unknown): string {
  if (isSillokError(error)) return error.code
  return error instanceof Error ? error.name : 'Error'
}

function messageOf(error: unknown): string {
  const message = visible(error instanceof Error ? error.message : String(error))
  return wording.reduce((text, [library, own]) => text.replace(library, own), message)
}

/** What the library says to those who call it, as it is said to those who type. */
const wording: readonly (readonly [string, string])[] = [
  ['removing one needs { drop: true }', 'removing one needs --drop'],
  ['is not defined: call define first', 'is not defined: sillok define makes it'],
]

/**
 * The chain of causes, outermost first; at most five, so that a circle ends. What only says again what was
 * said before it is left out, and so is all of it where the message is the whole story.
 */
function causesOf(error: unknown): string[] {
  const causes: string[] = []
  if (isSillokError(error, 'FOLDER_IN_USE')) return causes
  let said = messageOf(error)
  let at = error instanceof Error ? error.cause : undefined
  for (let steps = 0; at !== undefined && at !== null && steps < 5; steps++) {
    const message = messageOf(at)
    if (!said.includes(message)) causes.push(at instanceof Error ? `${nameOf(at)}: ${message}` : message)
    said = message
    at = at instanceof Error ? at.cause : undefined
  }
  return causes
}

function stackOf(error: unknown): string[] {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  return stack
    .split('\n')
    .filter(line => /^\s+at /.test(line))
    .slice(0, 8)
    .map(line => `  ${visible(line.trim())}`)
}
