/** A broken world, for a reader: what, when, how to see it again, and what happened before. */
import type { Broken } from '../../../src/testing/world/report.js'
import { commandOf, type Said } from './said.js'

/** All that helps who looks for the fault. */
export function failureText(broken: Broken, said: Said): string {
  const { seed, options, check, stack, atMs, strikes, lastOfEach } = broken
  return [
    `seed ${seed} broke a promise at ${atMs.toFixed(3)} simulated ms, after ${strikes} strikes:`,
    `  ${check}`,
    `again:   ${commandOf(seed, said)}`,
    `smaller: ${commandOf(seed, said).replace('--replay', '--minimise')}`,
    `nodes ${options.nodes}, faults for ${options.faultMs} ms${options.beyond ? ', beyond the model' : ''}`,
    `faults ${options.faults.join(' ')}`,
    `workloads ${options.workloads.join(' ')}`,
    `limits ${JSON.stringify(options.limits)}`,
    ...(options.skip.length > 0 ? [`without the strikes ${options.skip.join(' ')}`] : []),
    ...(stack === '' ? [] : ['found at', stack]),
    'the last events of each node:',
    lastOfEach,
  ].join('\n')
}

/**
 * Which check it is that found something, whatever numbers it named: two failures with the same name are
 * taken for the same fault.
 */
export function checkName(check: string): string {
  const [head = ''] = check.split(/: |\n/)
  return head.replaceAll(/\d+(\.\d+)?/g, '#').slice(0, 120)
}
