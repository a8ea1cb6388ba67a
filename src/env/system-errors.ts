/** Errors of the operating system as the door to files reports them. */
import { getSystemErrorName } from 'node:util'
import { SillokError } from '../base/errors.js'

/** What was being done. A failed sync is never DISK_FULL: repeating it would prove nothing. */
export type SystemVerb =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'list'
  | 'look at'
  | 'make'
  | 'rename'
  | 'remove'
  | 'close'

const full = new Set(['ENOSPC', 'EDQUOT'])
const unusable = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'])

/** True for an error of the system with that name, as `ENOENT`. */
export function isSystemError(error: unknown, name: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === name
}

/** The SillokError for what the system said; a SillokError stays as it is. */
export function systemError(error: unknown, verb: SystemVerb, path: string): SillokError {
  if (error instanceof SillokError) return error
  const name = (error as NodeJS.ErrnoException | undefined)?.code
  return namedError(typeof name === 'string' ? name : 'EIO', verb, path, error)
}

/** The SillokError for a (negative) error number. */
export function numberedError(number: number, verb: SystemVerb, path: string): SillokError {
  return namedError(getSystemErrorName(number), verb, path)
}

/** The SillokError for an error name, as `ENOSPC`. */
export function namedError(name: string, verb: SystemVerb, path: string, cause?: unknown): SillokError {
  const options = { details: { path, system: name }, cause }
  if (verb !== 'sync' && full.has(name)) {
    return new SillokError('DISK_FULL', `no space left to ${verb} ${path} (${name})`, options)
  }
  // A folder in which nothing can be made does not exist for us.
  if (unusable.has(name) || (verb === 'make' && name === 'ENOENT')) {
    const advice = 'check the owner and permissions of the folder, how it is mounted, and that it is a folder'
    return new SillokError('FOLDER_UNUSABLE', `cannot ${verb} ${path} (${name}): ${advice}`, options)
  }
  const advice = name === 'EMFILE' || name === 'ENFILE' ? ': raise the limit of open files (ulimit -n)' : ''
  return new SillokError('DISK_FAILED', `cannot ${verb} ${path} (${name})${advice}`, options)
}
