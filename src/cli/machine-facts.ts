/** What a measurement must be quoted with: the machine and the commit. */
import { execFile } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** The machine that a figure was measured on. */
export interface MachineFacts {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly node: string
  readonly platform: string
}

/** This machine. */
export function machineFacts(): MachineFacts {
  const all = cpus()
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryBytes: totalmem(),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
  }
}

const packageRoot = fileURLToPath(new URL('../../../', import.meta.url))

/**
 * Short name of the commit if this package is a git checkout of its own; null if not. `+` marks a changed
 * tree.
 */
export async function commitOfPackage(): Promise<string | null> {
  const git = async (...words: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)('git', words, { cwd: packageRoot })
    return stdout.trim()
  }
  try {
    // Installed below somebody else's checkout, git would name theirs.
    if ((await git('rev-parse', '--show-prefix')) !== '') return null
    const commit = await git('rev-parse', '--short', 'HEAD')
    return (await git('status', '--porcelain', '--untracked-files=no')) === '' ? commit : `${commit}+`
  } catch {
    return null
  }
}
