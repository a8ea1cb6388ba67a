/** Which refusals a world has no reason for, whatever its faults: they are failures of the store. */
import type { Code, SillokError } from '../../base/errors.js'
import { type Limits, limits as usual } from '../../base/limits.js'

/** No workload asks for what deserves them, and no world comes near these limits. */
const never: ReadonlySet<Code> = new Set<Code>([
  'INVALID',
  'VALIDATION_FAILED',
  'TOO_LARGE',
  'SEQUENCE_REUSED',
  'REQUEST_ID_REUSED',
  'REQUEST_ID_EXPIRED',
  'REQUEST_IDS_FULL',
  'TOO_MANY_SESSIONS',
  'TOO_MANY_SUBSCRIPTIONS',
  'EPOCH_CHANGED',
  'SESSION_INPUT_CHANGED',
  'OVERLOADED',
  'FOLDER_IN_USE',
  'FOLDER_UNUSABLE',
  'FOREIGN_FOLDER',
  'VERSION_UNSUPPORTED',
  'UPGRADE_REQUIRED',
])

/** Why a caller may not be refused so, under these limits; undefined if there can be a reason. */
export function unjustified({ code }: SillokError, limits: Partial<Limits>): string | undefined {
  if (never.has(code)) return `${code} has no reason in a world`
  const idleMs = limits.sessionIdleMs ?? usual.sessionIdleMs
  if (code === 'SESSION_EXPIRED' && idleMs >= usual.sessionIdleMs)
    return `a session ended that was idle for less than ${idleMs} ms`
  return undefined
}
