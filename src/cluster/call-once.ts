/** One call to a node, over a connection of its own. */
import * as schema from '../codec/wire-schema.js'
import { Caller, type CallerOptions } from './caller.js'
import { type Answered, answers, type NodeMethod, type Said } from './node-calls.js'

/** What the node answers; rejects as `Caller.call`, and with INVALID if that is no answer to the method. */
export async function callOnce<M extends NodeMethod>(
  node: CallerOptions,
  method: M,
  argument: Said<M>,
  deadlineMs: number,
): Promise<Answered<M>> {
  const caller = new Caller(node)
  try {
    const answer = await caller.call(method, argument, deadlineMs)
    return schema.parse(answers[method] as schema.Shape<Answered<M>>, answer, method)
  } finally {
    caller.close()
  }
}
