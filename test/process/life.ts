/** One life of a child process that is killed at a chosen moment, or ends by itself. */
import { Child } from './child.js'
import type { Line } from './protocol.js'

/** When a life ends: so long after the child told this. */
export interface Moment {
  readonly after: 'start' | 'opening' | 'opened' | 'checked' | 'closing' | 'never'
  readonly delayMs: number
}

/** How a life went. */
export interface Life {
  /** False: the child ended by itself, with success. */
  readonly killed: boolean
  /** What the child was doing last. */
  readonly doing: string
  /** How often it built its state again. */
  readonly rebuilt: number
}

/** Runs a program with its argument. Rejects with what the child, or `take`, finds wrong. */
export async function live(
  program: string,
  argument: string,
  moment: Moment,
  take: (line: Line) => void,
): Promise<Life> {
  let doing = 'start'
  let rebuilt = 0
  let killed = false
  const wrong: unknown[] = []
  const timers: NodeJS.Timeout[] = []
  const arm = (told: string): void => {
    if (told !== moment.after) return
    const kill = (): void => {
      killed = true
      child.kill()
    }
    timers.push(setTimeout(kill, moment.delayMs))
  }
  const child = new Child(program, argument, line => {
    doing = phaseOf(line) ?? doing
    if (line.type === 'wrong') wrong.push(new Error(line.text))
    if (line.type === 'rebuilt') rebuilt += 1
    try {
      take(line)
    } catch (error) {
      wrong.push(error)
    }
    arm(line.type)
  })
  arm('start')
  const ending = await child.ended
  for (const timer of timers) clearTimeout(timer)
  if (wrong.length > 0) throw wrong[0]
  if (ending.code !== 0 && !(killed && ending.code === null)) {
    throw new Error(`the child ended with ${ending.code}: ${ending.stderr}`)
  }
  return { killed: ending.code === null, doing, rebuilt }
}

/** What a child does after it told this; undefined: the same as before. */
function phaseOf(line: Line): string | undefined {
  switch (line.type) {
    case 'opening':
      return 'open'
    case 'opened':
      return 'check'
    case 'checked':
      return 'write'
    case 'closing':
    case 'closed':
      return 'close'
    default:
      return undefined
  }
}
