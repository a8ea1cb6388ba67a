/** What a call makes of the answer to its command. */
import t from 'tap'
import { type Code, SillokError } from '../../../src/base/errors.js'
import type { Refused } from '../../../src/machine/reply.js'
import type { Partition } from '../../../src/replica/partition.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { Asking } from '../../../src/store/asking.js'
import { Deadlines } from '../../../src/store/deadlines.js'

/** Calls whose commands are all answered so, and the damage that they told of. */
function answered(result: SillokError | Refused): { readonly asking: Asking; readonly damaged: string[] } {
  const damaged: string[] = []
  const partition = { submit: (ticket: Parameters<Partition['submit']>[0]) => ticket.answer(result) }
  const deadlines = new Deadlines(new SimClock(), 1000)
  const asking = new Asking(partition as Partition, deadlines, undefined, reason => damaged.push(reason))
  return { asking, damaged }
}

t.test('stored bytes that fail their check are told of here, if they are this node’s', async t => {
  const command = { type: 'unsubscribe', name: 'x' } as const
  const request = { sender: {}, finish: () => {} }
  const own = answered(new SillokError('DAMAGED', 'a row'))
  await t.rejects(own.asking.ask(command, 1, request, {}), { code: 'DAMAGED' })
  t.strictSame(own.damaged, ['a row'])
  const other = answered(new SillokError('DAMAGED', 'a row', { details: { node: 'b' } }))
  await t.rejects(other.asking.ask(command, 1, request, {}), { code: 'DAMAGED', details: { node: 'b' } })
  t.strictSame(other.damaged, [])
})

t.test('a holder that lost its session does not know of a request that it may have sent before', async t => {
  const command = { type: 'write', operations: [], mark: undefined } as const
  const told = async (code: Code, mayBeRetry: boolean): Promise<unknown> => {
    const { asking } = answered({ ok: false, code, message: 'no', details: {} })
    const failed = asking.ask(command, 1, { sender: {}, finish: () => {}, mayBeRetry }, {})
    return await failed.catch(({ outcome }: SillokError) => outcome)
  }
  t.equal(await told('FENCED', true), 'unknown')
  t.equal(await told('FENCED', false), 'not-applied')
  t.equal(await told('CONFLICT', true), 'not-applied', 'its first answer')
})
