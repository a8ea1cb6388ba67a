/** Errors of `level` as the door to key-value stores reports them. */
import { SillokError } from '../base/errors.js'
import { folderInUse } from './folder-locks.js'
import { namedError } from './system-errors.js'

/** What LevelDB writes into its messages, and the system error behind it. */
const names: readonly (readonly [string, string])[] = [
  ['No space left on device', 'ENOSPC'],
  ['Disk quota exceeded', 'EDQUOT'],
  ['Permission denied', 'EACCES'],
  ['Operation not permitted', 'EPERM'],
  ['Read-only file system', 'EROFS'],
  ['Not a directory', 'ENOTDIR'],
  ['Too many open files', 'EMFILE'],
]

/** The SillokError for what `level` threw: the innermost cause decides. */
export function levelError(error: unknown, folder: string): SillokError {
  if (error instanceof SillokError) return error
  if (!(error instanceof Error)) return namedError('EIO', 'write', folder, error)
  const { code } = error as NodeJS.ErrnoException
  if (code === 'LEVEL_LOCKED') return folderInUse(folder, error)
  if (code === 'LEVEL_CORRUPTION') {
    const message = `the key-value store in ${folder} is damaged: ${error.message}`
    return new SillokError('DAMAGED', message, { details: { folder }, cause: error })
  }
  if (error.cause instanceof Error) return levelError(error.cause, folder)
  if (code === 'LEVEL_DATABASE_NOT_OPEN') {
    return new SillokError('CLOSED', `the key-value store in ${folder} is closed`, { cause: error })
  }
  const named = names.find(([text]) => error.message.includes(text))?.[1]
  const found = namedError(named ?? systemName(code), 'write', folder, error)
  const message = `${found.message}: ${error.message}`
  return new SillokError(found.code, message, { details: found.details, cause: error })
}

/** `level` makes its folder itself: EEXIST means that a file stands there. */
function systemName(code: string | undefined): string {
  if (code === 'EEXIST') return 'ENOTDIR'
  return code?.startsWith('E') === true ? code : 'EIO'
}
