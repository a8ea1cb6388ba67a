/** Refusals for which no world has a reason. */
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import { unjustified } from '../../../src/testing/world/justified.js'

t.test('a refusal is wrong where the limits of the world give it no reason', async t => {
  const of = (code: SillokError['code'], limits = {}): string | undefined =>
    unjustified(new SillokError(code, 'no'), limits)
  t.match(of('OVERLOADED'), 'OVERLOADED has no reason in a world')
  t.match(of('SESSION_EXPIRED'), /idle for less than 3600000 ms/)
  t.equal(of('SESSION_EXPIRED', { sessionIdleMs: 4000 }), undefined)
  t.equal(of('CONFLICT'), undefined)
})
