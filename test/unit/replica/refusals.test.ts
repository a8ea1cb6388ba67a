/** What callers are told whose proposals nobody will answer any more. */
import t from 'tap'
import { type Code, SillokError } from '../../../src/base/errors.js'
import { whileWaiting } from '../../../src/replica/refusals.js'

t.test('where a replica stops nobody says of a proposal that it was not applied', async t => {
  const told = (code: Code): string[] => {
    const { code: said, outcome, message } = whileWaiting(new SillokError(code, 'why'))
    return [said, outcome, message]
  }
  t.strictSame(told('DAMAGED'), ['DAMAGED', 'unknown', 'why'])
  t.strictSame(told('DISK_FAILED'), ['DISK_FAILED', 'unknown', 'why'])
  t.strictSame(told('CLOSED').slice(0, 2), ['CLOSED_WHILE_WAITING', 'unknown'])
})
