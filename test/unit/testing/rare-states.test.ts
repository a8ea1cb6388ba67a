import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import type { Connection, Network } from '../../../src/env/network.js'
import type { PeerMessage } from '../../../src/raft/messages.js'
import { encodeAnswer, encodeAsk } from '../../../src/replica/ask-codec.js'
import { encodePeerMessage } from '../../../src/replica/message-codec.js'
import { RareMessages } from '../../../src/testing/world/rare-messages.js'
import { RareReplicas } from '../../../src/testing/world/rare-replicas.js'
import { Reached, rareStateNames } from '../../../src/testing/world/rare-states.js'
import type { WorldReport } from '../../../src/testing/world/report.js'
import { tapNetwork } from '../../../src/testing/world/tapped-network.js'
import { World } from '../../../src/testing/world/world.js'
import { seed } from '../../seed.js'
import { projectRoot } from '../../tidy/files.js'

const partition = 1

/** Who hears messages, and what it marked. */
function listener(): { reached: Reached; messages: RareMessages; hear: (message: PeerMessage) => void } {
  const reached = new Reached()
  const mark = reached.mark.bind(reached)
  const hasOpenReads: RareMessages['hasOpenReads'] = (...leader) => messages.hasOpenReads(...leader)
  const messages: RareMessages = new RareMessages(mark, new RareReplicas({ mark, founders: 3, hasOpenReads }))
  const hear = (message: PeerMessage): void =>
    messages.hear(message.from, encodePeerMessage(partition, message), 'node1:1')
  return { reached, messages, hear }
}

const nothing = { index: 0, term: 0 }

t.test('forty states and more are named, and somebody recognises each', async t => {
  t.ok(rareStateNames.length >= 40, `${rareStateNames.length}`)
  const folder = path.join(projectRoot, 'src/testing/world')
  const files = ['rare-replicas', 'rare-messages', 'rare-watch']
  const text = files.map(file => readFileSync(path.join(folder, `${file}.ts`), 'utf8')).join('')
  for (const name of rareStateNames) t.ok(text.includes(`'${name}'`), name)
})

t.test('only what was reached is told, as often as it was', async t => {
  const reached = new Reached()
  reached.mark('all-down')
  reached.mark('all-down')
  t.same(reached.toJSON(), { 'all-down': 2 })
})

t.test('two candidates of one term are a split vote; a pre-vote is none', async t => {
  const { reached, hear } = listener()
  const ask = { type: 'voteRequest', to: 3, term: 7, transfer: false, lastIndex: 5, lastTerm: 6 } as const
  hear({ ...ask, from: 1, pre: false, committed: nothing })
  hear({ ...ask, from: 2, pre: true, committed: nothing })
  t.same(reached.toJSON(), {})
  hear({ ...ask, from: 2, pre: false, committed: nothing })
  t.same(reached.toJSON(), { 'split-vote': 1 })
})

t.test('a refusal by who knows more to be committed is told from other refusals', async t => {
  const { reached, hear } = listener()
  const ask = { type: 'voteRequest', from: 1, term: 7, transfer: false, lastIndex: 5, lastTerm: 6 } as const
  hear({ ...ask, to: 2, pre: false, committed: nothing })
  const answer = { type: 'voteAnswer', to: 1, term: 7, pre: false, granted: false } as const
  hear({ ...answer, from: 2, committed: { index: 5, term: 6 } })
  t.same(reached.toJSON(), {})
  hear({ ...answer, from: 3, committed: { index: 6, term: 6 } })
  t.same(reached.toJSON(), { 'candidate-lacks-committed': 1 })
})

t.test('a round of reads is open until a majority has confirmed it', async t => {
  const { messages, hear } = listener()
  const beat = { type: 'heartbeat', from: 1, term: 7, commit: 0 } as const
  const answer = { type: 'heartbeatAnswer', to: 1, term: 7, recovering: undefined } as const
  t.notOk(messages.hasOpenReads(partition, 1, 7, 3), 'nobody asked')
  hear({ ...beat, to: 2, round: 4 })
  t.ok(messages.hasOpenReads(partition, 1, 7, 3))
  hear({ ...answer, from: 2, round: 3 })
  t.ok(messages.hasOpenReads(partition, 1, 7, 3), 'an older round confirms nothing')
  hear({ ...answer, from: 2, round: 4 })
  t.notOk(messages.hasOpenReads(partition, 1, 7, 3))
  t.ok(messages.hasOpenReads(partition, 1, 7, 5), 'of five, two more must')
})

t.test('a request that goes to a second node, and what that answers, is recognised', async t => {
  const { reached, messages } = listener()
  const mark = { session: 4, epoch: 1, sequence: 9, lowWater: 9, numbering: 'library', slot: 0 } as const
  const hash = Buffer.alloc(16)
  const command = { type: 'write', operations: [], mark: { ...mark, hash } } as const
  const ask = (number: number, address: string): void =>
    messages.hear(1, encodeAsk({ partition, request: { run: 1, number }, lane: 1, command }), address)
  const refusal = { ok: false, code: 'EXISTS', message: '', details: {} } as const
  const answer = (node: number, number: number): void =>
    messages.hear(node, encodeAnswer(partition, { run: 1, number }, refusal), 'node1:1')
  ask(1, 'node2:1')
  answer(2, 1)
  t.same(reached.toJSON(), {})
  ask(2, 'node3:1')
  answer(3, 2)
  t.same(reached.toJSON(), { 'retry-after-lost-answer': 1, 'refusal-repeated-by-another-leader': 1 })
})

t.test('a tapped network carries what is sent, and says where it goes', async t => {
  const heard: string[] = []
  const sent: string[] = []
  const connection: Connection = {
    remote: 'b:1',
    send: message => sent.push(Buffer.from(message).toString()) > 0,
    onMessage: () => {},
    onClose: () => {},
    close: () => {},
  }
  const listening = { address: 'a:1', close: async () => {} }
  const network: Network = {
    listen: async (_, accept) => {
      accept(connection)
      return listening
    },
    connect: async () => connection,
  }
  const tapped = tapNetwork(network, (frame, remote) => heard.push(`${Buffer.from(frame)} to ${remote}`))
  const made = await tapped.connect('b:1')
  t.ok(made.send(Buffer.from('one')))
  await tapped.listen('a:1', accepted => accepted.send(Buffer.from('two')))
  t.same(sent, ['one', 'two'])
  t.same(heard, ['one to b:1', 'two to b:1'])
})

t.test(
  'two runs of a seed have the same digest; another seed, or none of its strikes, has another',
  async t => {
    const run = (own: string, skip: readonly number[] = []): Promise<WorldReport> =>
      new World({ seed: own, faultMs: 4000, nodes: 3, skip }).run()
    const { digest, begun } = await run(seed)
    t.equal((await run(seed)).digest, digest, `seed ${seed}`)
    t.not((await run(`${seed}.1`)).digest, digest)
    const calm = await run(seed, [...Array(100).keys()])
    t.same(calm.begun, {})
    if (Object.keys(begun).length > 0) t.not(calm.digest, digest)
  },
)
