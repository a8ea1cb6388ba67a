/** Runs a program that builds something over many documents and tells how far it is in lines of JSON. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** How a program is run. */
export interface BuildRun<Told> {
  readonly program: string
  readonly folder: string
  readonly writesPerSecond: number
  /** Kill it once it has come to that place; undefined: it ends by itself. */
  readonly killFrom: number | undefined
  /** True for a line that says where it began. */
  readonly isFirst: (told: Told) => boolean
}

/** What it told first and last. Throws unless it was killed, or ended well, as it was to. */
export async function runBuild<Told extends { readonly builtThrough?: string }>({
  program,
  folder,
  writesPerSecond,
  killFrom,
  isFirst,
}: BuildRun<Told>): Promise<{ first: Told; last: Told }> {
  const child = spawn(process.execPath, [program, folder, String(writesPerSecond)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>(resolve => child.on('exit', resolve))
  let first: Told | undefined
  let last: Told | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line) as Told
    last = told
    if (isFirst(told)) first ??= told
    if (killFrom !== undefined && Number(told.builtThrough ?? 0) >= killFrom) child.kill('SIGKILL')
  }
  const exit = await ended
  if (last === undefined || (killFrom === undefined && exit !== 0)) throw new Error(`exit ${exit}`)
  if (killFrom !== undefined && exit !== null)
    throw new Error(`ended by itself before ${killFrom}: exit ${exit}`)
  return { first: first ?? last, last }
}
