/**
 * Errors of files that the command line named: a wrong name is the caller's mistake, not a failing disk, and
 * nothing of the request was carried out.
 */
import { statSync } from 'node:fs'
import { SillokError } from '../base/errors.js'
import { systemError } from '../env/system-errors.js'

/** What was to be done with the file. */
export type FileVerb = 'read' | 'write' | 'make'

/** What the system says of a name that cannot be right. */
const mistakes: Readonly<Record<string, string>> = {
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is no folder',
  EEXIST: 'something else stands there',
  EACCES: 'this user may not',
  EPERM: 'this user may not',
  EROFS: 'its file system is read-only',
  ELOOP: 'its symbolic links go round in a circle',
  ENAMETOOLONG: 'its name is too long',
}

/**
 * The error for what the system said of the file: NOT_FOUND or INVALID, not applied, when its name is wrong;
 * else as `systemError` has it. A SillokError stays as it is.
 */
export function userFileError(error: unknown, verb: FileVerb, path: string): SillokError {
  const system = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  if (error instanceof SillokError || system === undefined) return systemError(error, verb, path)
  const options = { details: { path, system } }
  if (system === 'ENOENT') {
    const message = verb === 'read' ? `no file ${path}` : `cannot ${verb} ${path}: its folder is not there`
    return new SillokError('NOT_FOUND', message, options)
  }
  const why = mistakes[system]
  if (why === undefined) return systemError(error, verb, path)
  return new SillokError('INVALID', `cannot ${verb} ${path}: ${why}`, options)
}

/** What stands under the name of a file that is to be written; errors as above. */
export function lookAtTarget(path: string): 'nothing' | 'file' | 'other' {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found === undefined) return 'nothing'
    return found.isFile() ? 'file' : 'other'
  } catch (error) {
    throw userFileError(error, 'write', path)
  }
}
