/** Where a partition's log begins, by what the write-ahead log remembers of it. */
import t from 'tap'
import { cutOf, type FindRegister, installedOf, marksOf } from '../../../src/replica/marks-of.js'
import { installedRegister, type Register, truncationRegister } from '../../../src/wal/registers.js'

function finding(...registers: readonly Register[]): FindRegister {
  return kind => registers.findLast(one => one.kind === kind)?.payload
}

const snapshot = { generation: 2, index: 500, cutIndex: 450, cutTerm: 6, time: 77 }
const installed = [installedRegister(snapshot), truncationRegister({ index: 500, term: 7 })]

t.test('a log that nobody cut begins at entry 1', async t => {
  t.equal(cutOf(finding()), undefined)
  t.strictSame(marksOf(finding()), {})
})

t.test('a cut is where it says', async t => {
  const find = finding(truncationRegister({ index: 40, term: 3 }))
  t.strictSame(cutOf(find), { index: 40, term: 3 })
  t.strictSame(marksOf(find), { truncated: 40 })
})

t.test('behind a snapshot of another replica the log begins where that one was cut', async t => {
  const find = finding(...installed)
  t.strictSame(installedOf(find), snapshot)
  t.strictSame(cutOf(find), { index: 450, term: 6 })
})

t.test('and when it was trimmed since then, where it was trimmed', async t => {
  const find = finding(...installed, truncationRegister({ index: 900, term: 8 }))
  t.strictSame(cutOf(find), { index: 900, term: 8 })
  t.strictSame(marksOf(find), { truncated: 900 })
})
