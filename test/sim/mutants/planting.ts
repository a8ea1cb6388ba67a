/**
 * Plants a bug: a change of a line or a few of the compiled code, in a copy of it. What is shipped has no
 * switches for that. Each line must stand in its file exactly once, so a list of bugs cannot rot unseen.
 */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { cp, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { assert } from '../../../src/base/assert.js'
import type { WorldFault } from '../../../src/testing/world/faults.js'

/** What stands in a file once, and what stands there instead. */
export interface Change {
  /** Below `src`, without its ending. */
  readonly file: string
  readonly line: string
  readonly instead: string
}

/** A bug. */
export interface Mutant {
  /** What the node does wrong. */
  readonly name: string
  readonly changes: readonly Change[]
  /** The worlds in which it is looked for: what is not said is drawn by each seed. */
  readonly aim?: Aim
}

/** What a world is to have of faults and workloads. */
export interface Aim {
  readonly workloads?: readonly string[]
  readonly faults?: readonly WorldFault[]
}

/** A bug of one line. */
export function mutant(name: string, file: string, line: string, instead: string): Mutant {
  return { name, changes: [{ file, line, instead }] }
}

/** The same with one more line. */
export function alsoIn(one: Mutant, file: string, line: string, instead: string): Mutant {
  return { ...one, changes: [...one.changes, { file, line, instead }] }
}

/** The same, looked for in such worlds. */
export function aimed(aim: Aim, all: readonly Mutant[]): readonly Mutant[] {
  return all.map(one => ({ ...one, aim }))
}

/** The folder of all that is compiled. */
export const compiled = fileURLToPath(new URL('../../..', import.meta.url))

/** Why the bug cannot be planted; undefined if it can. */
export function whyNotPlanted({ changes }: Mutant, folder = compiled): string | undefined {
  for (const { file, line } of changes) {
    const count = readFileSync(pathOf(folder, file), 'utf8').split(line).length - 1
    if (count !== 1) return `"${line}" stands ${count} times in ${file}.js`
  }
  return undefined
}

/** Copies parts of what is compiled into a new folder, with the bug in it; whoever asks removes it. */
export async function plantedCopy(one: Mutant, parts: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sillok-mutant-'))
  for (const part of parts) {
    await mkdir(dirname(join(folder, part)), { recursive: true })
    const filter = (path: string): boolean => !/\.(map|d\.ts)$/.test(path)
    await cp(join(compiled, part), join(folder, part), { recursive: true, filter })
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  symlinkSync(join(compiled, '../node_modules'), join(folder, 'node_modules'))
  const why = whyNotPlanted(one, folder)
  assert(why === undefined, () => `mutant "${one.name}": ${why}`)
  for (const { file, line, instead } of one.changes) {
    const path = pathOf(folder, file)
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace(line, () => instead),
    )
  }
  return folder
}

/** Hands a module, loaded anew from a copy with the bug in it, to `use`. */
export async function planted<T>(
  one: Mutant,
  { parts, module }: { readonly parts: readonly string[]; readonly module: string },
  use: (loaded: unknown) => T | Promise<T>,
): Promise<T> {
  const folder = await plantedCopy(one, parts)
  try {
    return await use(await import(pathToFileURL(join(folder, module)).href))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function pathOf(folder: string, file: string): string {
  return join(folder, 'src', `${file}.js`)
}
