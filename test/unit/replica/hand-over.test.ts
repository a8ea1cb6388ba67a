/** Leadership is given to the voter that has most of the log, of those that were heard; else it stays. */
import t from 'tap'
import type { ReplicaId } from '../../../src/base/ids.js'
import { handOver } from '../../../src/replica/hand-over.js'
import type { Replica } from '../../../src/replica/replica.js'

interface Member {
  readonly replica: ReplicaId
  readonly match: number
  readonly recentlyActive?: boolean
  readonly state?: 'probe' | 'replicate' | 'snapshot'
}

/** Whom replica 1 asks, with these members, of whom 1 to 3 vote. */
function asked(members: readonly Member[], { leads = true, transferee = 0 } = {}): readonly ReplicaId[] {
  const to: ReplicaId[] = []
  const replica = {
    leads,
    group: () => ({
      leader: 1,
      transferee,
      configuration: { voters: [1, 2, 3] },
      members: members.map(member => ({ recentlyActive: true, state: 'replicate', ...member })),
    }),
    transferLeader: (other: ReplicaId) => to.push(other),
  }
  handOver(replica as unknown as Replica)
  return to
}

const own = { replica: 1, match: 100 }

t.test('the voter that has most of the log is asked', async t => {
  t.strictSame(asked([own, { replica: 2, match: 7 }, { replica: 3, match: 9 }]), [3])
  t.strictSame(asked([own, { replica: 2, match: 9, state: 'probe' }, { replica: 3, match: 7 }]), [2])
})

t.test('who was not heard of late, takes in a snapshot or does not vote is not asked', async t => {
  const silent = { replica: 2, match: 9, recentlyActive: false }
  t.strictSame(asked([own, silent, { replica: 3, match: 7 }]), [3])
  t.strictSame(asked([own, { replica: 2, match: 9, state: 'snapshot' }, { replica: 3, match: 7 }]), [3])
  t.strictSame(asked([own, { replica: 4, match: 100 }, { replica: 3, match: 7 }]), [3], 'a learner')
  t.strictSame(asked([own, silent]), [], 'there is nobody')
  t.strictSame(asked([own]), [])
})

t.test('nobody is asked twice, nor by one who does not lead', async t => {
  const members = [own, { replica: 2, match: 9 }]
  t.strictSame(asked(members, { transferee: 2 }), [])
  t.strictSame(asked(members, { leads: false }), [])
})
