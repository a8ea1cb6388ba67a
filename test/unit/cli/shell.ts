/** The command line in this process, on a folder of the test's own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'
import { run } from '../../../src/cli/main.js'
import type { Sink } from '../../../src/cli/output.js'

/** How a verb ended. */
export interface Ended {
  readonly exit: number
  readonly out: string
  readonly err: string
}

/** Runs one command line. */
export type Sillok = (...words: string[]) => Promise<Ended>

/** The command line, and the folder whose `store` it works on. */
export function shell(t: Test): { sillok: Sillok; folder: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'sillok-verbs-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const sillok: Sillok = async (...words) => {
    let [out, err] = ['', '']
    const sink = (add: (text: string) => void): Sink => ({
      isTerminal: false,
      width: Number.POSITIVE_INFINITY,
      write: text => Promise.resolve(add(text)),
    })
    const outSink = sink(text => {
      out += text
    })
    const errSink = sink(text => {
      err += text
    })
    const [verb] = words
    const place =
      verb === undefined || verb === 'bench' || verb === 'completion'
        ? []
        : ['--dir', path.join(folder, 'store')]
    // Before the words of the verb: what comes after `--` is no option.
    const at = verb?.startsWith('-') === true ? 0 : 1
    const exit = await run([...words.slice(0, at), ...place, ...words.slice(at)], outSink, errSink)
    return { exit, out, err }
  }
  return { sillok, folder }
}
