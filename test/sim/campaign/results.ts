/** The file with one line for every campaign, and what tells on which code it ran. */
import { execFileSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import path from 'node:path'
import { projectRoot } from '../../tidy/files.js'

const resultsFile = 'test/sim/results.jsonl'

/** The commit, and whether the files were those of the commit. */
export function codeNow(): { readonly commit: string; readonly isClean: boolean } {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: projectRoot, encoding: 'utf8' }).trim()
  try {
    const changes = git('status', '--porcelain', '--', 'src', 'test', 'package.json', `:!${resultsFile}`)
    return { commit: git('rev-parse', 'HEAD'), isClean: changes === '' }
  } catch {
    return { commit: 'unknown', isClean: false }
  }
}

/** Appends the row. */
export function writeResult(row: object): void {
  appendFileSync(path.join(projectRoot, resultsFile), `${JSON.stringify(row)}\n`)
}
