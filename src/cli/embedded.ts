/**
 * The store that a verb works on: which folder, opened for the length of the verb and closed whatever
 * happens.
 *
 * A folder that is missing or empty is made only by verbs that begin a store; to the others it is NOT_FOUND,
 * so that a misspelt name makes no store.
 */
import { readdir } from 'node:fs/promises'
import type { Argv } from 'yargs'
import { SillokError } from '../base/errors.js'
import { isSystemError, systemError } from '../env/system-errors.js'
import type { OpenOptions } from '../store/open.js'
import type { Store } from '../store/store.js'
import type { Arguments, Terminal } from './command.js'
import type { Sink } from './output.js'
import { visible } from './table.js'
import { UsageError } from './usage.js'
import { textOf } from './words.js'

/** Declares `--dir`. */
export function declareFolder(yargs: Argv): Argv {
  return yargs.option('dir', {
    type: 'string',
    requiresArg: true,
    describe: 'data folder of the store (or SILLOK_DIR in the environment)',
  })
}

/** The folder that the command line or the environment names. Throws UsageError when neither does. */
export function folderOf(given: Arguments): string {
  const folder = textOf(given, 'dir') ?? process.env['SILLOK_DIR']
  if (folder === undefined || folder === '')
    throw new UsageError('name the data folder: --dir FOLDER or SILLOK_DIR')
  return folder
}

/**
 * Opens the store in the folder, does the work, and closes it; a failure to close counts when the work did
 * not fail before.
 */
export async function withStore<T>(
  folder: string,
  err: Sink,
  work: (store: Store) => Promise<T>,
  options: Pick<OpenOptions, 'deadlineMs'> = {},
): Promise<T> {
  const { open } = await import('../store/open.js')
  const store = await open({
    ...options,
    dir: folder,
    rebuilt: reason => void err.write(`rebuilt from the log: ${visible(reason)}\n`).catch(() => {}),
  })
  let answer: T
  try {
    answer = await work(store)
  } catch (error) {
    // What failed first is what the caller must hear of.
    await store.close().catch(() => {})
    throw error
  }
  await store.close()
  return answer
}

/** Works on a store that is there already. `options`: how it is opened; see `open`. */
export async function withPresentStore<T>(
  given: Arguments,
  terminal: Terminal,
  work: (store: Store) => Promise<T>,
  options: Pick<OpenOptions, 'deadlineMs'> = {},
): Promise<T> {
  const folder = folderOf(given)
  await mustHoldSomething(folder)
  return withStore(folder, terminal.err, work, options)
}

/** A folder that is missing or empty is NOT_FOUND. */
export async function mustHoldSomething(folder: string): Promise<void> {
  let names: string[] = []
  try {
    names = await readdir(folder)
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw systemError(error, 'list', folder)
  }
  if (names.length > 0) return
  throw new SillokError('NOT_FOUND', `no store in ${folder}: sillok define makes one`, {
    details: { folder },
  })
}
