/**
 * What clients do in a simulated world, and what must be true of it in the end. A workload has collections of
 * its own; many clients of it run at once, each talks to the store of some node that is up, and goes on with
 * another when that one is gone.
 */
import { isSillokError, type SillokError } from '../../base/errors.js'
import type { Random } from '../../base/random.js'
import type { Store } from '../../store/store.js'
import type { OperationOf, OpName } from '../history.js'
import type { Pending } from '../recorder.js'
import type { Verdict } from '../verdict.js'

/** How a call ended. */
export type Told<T> =
  | { readonly how: 'answered'; readonly value: T }
  | { readonly how: 'refused'; readonly error: SillokError }
  /** No node was up: nothing was asked. */
  | { readonly how: 'nobody' }
  /** The node died before it answered: nobody knows. */
  | { readonly how: 'gone' }

/** The world as a client of it has it. */
export interface WorldClient {
  /** Simulated nanoseconds since the world began. */
  readonly nowNs: () => number
  /** True once the faults are over: clients finish what they are at. */
  readonly isOver: () => boolean
  /** Resolves after so many simulated milliseconds. */
  readonly pause: (ms: number) => Promise<void>
  /** Calls with the store of one of the nodes that are up. What is thrown and no refusal ends the world. */
  readonly ask: <T>(random: Random, call: (store: Store) => Promise<T>) => Promise<Told<T>>
}

/** One kind of work. */
export interface Workload {
  /** By which it is chosen, and its checks are reported. */
  readonly name: string
  /** How many clients are at it. */
  readonly clients: number
  /** Defines its collections; may be called again. */
  readonly define: (store: Store) => Promise<void>
  /** One client's work, until the faults are over and what it began is settled. */
  readonly client: (world: WorldClient, number: number, random: Random) => Promise<void>
  /**
   * Looks at what was told and at what is there now; throws what is wrong. Answers how much was looked at.
   */
  readonly check: (store: Store) => Promise<number>
}

/** Throws what a checker found, or that it did not find out. */
export function mustHold({ verdict, ...rest }: Verdict): void {
  if (verdict !== 'ok') throw new Error(`${verdict}: ${'explanation' in rest ? rest.explanation : ''}`)
}

/** True if the call may have had an effect, now or later. */
export function isUnknown(told: Told<unknown>): boolean {
  return told.how === 'gone' || (told.how === 'refused' && told.error.outcome === 'unknown')
}

/** True if it was refused with that code. */
export function isRefused(told: Told<unknown>, code: SillokError['code']): boolean {
  return told.how === 'refused' && isSillokError(told.error, code)
}

/** Writes down how the operation ended; `out`: what it answered, as a history says it. */
export function settle<Op extends OpName, T>(
  pending: Pending<Op>,
  told: Told<T>,
  out: (value: T) => Exclude<OperationOf<Op>['out'], undefined>,
): void {
  if (told.how === 'answered') pending.ok(out(told.value))
  else if (isUnknown(told)) pending.info()
  else pending.fail()
}

/** What only the node that was asked is not able to do. */
const ofTheNode: ReadonlySet<string> = new Set(['CLOSED', 'DISK_FAILED', 'STOPPED', 'DAMAGED'])

function isFinal({ code, retry }: SillokError): boolean {
  return retry === 'never' && !ofTheNode.has(code)
}

/** Asks again until there is an answer that another try would not change: for calls that may be repeated. */
export async function untilTold<T>(
  world: WorldClient,
  random: Random,
  call: (store: Store) => Promise<T>,
): Promise<Told<T>> {
  for (;;) {
    const told = await world.ask(random, call)
    if (told.how === 'answered' || (told.how === 'refused' && isFinal(told.error))) return told
    await world.pause(20 + random.below(200))
  }
}
