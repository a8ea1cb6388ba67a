/** Operations written by hand: who, what, which key, with what; what was answered; from when till when. */
import type { Operation, OpName, ReadLevel, Value } from '../../../src/testing/history.js'

type Words = readonly [client: string, op: OpName, key: string, input?: Value]

function operation([client, op, key, input = null]: Words, rest: object): Operation {
  return { client, op, key, in: input, out: null, ...rest } as unknown as Operation
}

/** Answered. */
export function ok(call: number, end: number, words: Words, out: Value = null): Operation {
  return operation(words, { out, call, return: end, status: 'ok' })
}

/** Certainly without effect. */
export function fail(call: number, end: number, words: Words): Operation {
  return operation(words, { call, return: end, status: 'fail' })
}

/** Called, and nothing heard of. */
export function info(call: number, words: Words): Operation {
  return operation(words, { call, return: null, status: 'info' })
}

/** A read of a level. */
export function readAt(
  level: ReadLevel,
  [call, end]: readonly [number, number],
  client: string,
  out: Value,
): Operation {
  return { ...ok(call, end, [client, 'get', 'k'], out), level } as Operation
}
