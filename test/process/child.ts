/** A child process of a test: a compiled program of this folder, its lines, and its end. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Line } from './protocol.js'

/** How a child ended. */
export interface Ending {
  /** The exit code; null if a signal ended it. */
  readonly code: number | null
  readonly stderr: string
}

/** A child that says nothing new for so long has hung. */
const silenceMs = 60_000

export class Child {
  /** Resolves when the child has ended and everything that it told was taken. */
  readonly ended: Promise<Ending>
  readonly #process: ChildProcess

  /** Starts `<program>.js` beside this file with one argument; each line goes to `told`. */
  constructor(program: string, argument: string, told: (line: Line) => void) {
    const file = new URL(`./${program}.js`, import.meta.url).pathname
    this.#process = spawn(process.execPath, ['--enable-source-maps', file, argument], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    })
    this.ended = this.#follow(told)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  #follow(told: (line: Line) => void): Promise<Ending> {
    const { promise, resolve, reject } = withResolvers<Ending>()
    const child = this.#process
    let stderr = ''
    let rest = ''
    const hung = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`the child said nothing for ${silenceMs} ms; ${stderr}`))
    }, silenceMs)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const lines = child.stdio[3] as Readable
    lines.setEncoding('utf8').on('data', (text: string) => {
      hung.refresh()
      const parts = (rest + text).split('\n')
      rest = parts.pop() ?? ''
      for (const part of parts) told(JSON.parse(part) as Line)
    })
    child.on('error', reject)
    child.on('close', code => {
      clearTimeout(hung)
      resolve({ code, stderr })
    })
    return promise
  }
}

function withResolvers<T>(): {
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (error: Error) => void
} {
  let resolve: (value: T) => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
