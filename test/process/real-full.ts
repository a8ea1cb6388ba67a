/** A small file system in memory, mounted for a test: only root may. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface Mounted {
  readonly folder: string
  /** Makes it read-only. */
  makeReadOnly(): void
  unmount(): void
}

/** Mounts one of that size, or says why not. */
export function mountSmall(sizeMiB: number): Mounted | string {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'only root can mount a small file system'
  const folder = mkdtempSync(path.join(tmpdir(), 'sillok-small-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'none', folder], { stdio: 'pipe' })
  } catch (error) {
    rmSync(folder, { recursive: true })
    return `mount is not allowed here: ${String(error).split('\n')[0]}`
  }
  return {
    folder,
    makeReadOnly: () => {
      execFileSync('mount', ['-o', 'remount,ro', folder], { stdio: 'pipe' })
    },
    unmount: () => {
      execFileSync('umount', [folder], { stdio: 'pipe' })
      rmSync(folder, { recursive: true })
    },
  }
}
