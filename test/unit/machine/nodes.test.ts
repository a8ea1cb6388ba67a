/** The register of nodes: who gets a replica, which disk counts, and who belongs to the cluster. */
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import type { Command, EnterNode } from '../../../src/machine/command.js'
import { nodesKey } from '../../../src/machine/keys.js'
import { decodeNodes, type NodeRegister, noNodes } from '../../../src/machine/nodes.js'
import { seed } from '../../seed.js'
import { Rows } from './rows.js'

t.comment(`seed ${seed}`)

/** A register that commands are put to; the answer is the value, or the code of the refusal. */
class Register extends Rows {
  ask(command: Command): unknown {
    const decision = this.run(command)
    if (decision.type !== 'entry' && decision.type !== 'answer') return decision.type
    return decision.reply.ok ? decision.reply.value : decision.reply.code
  }

  enter(node: number, incarnation: string, given: Partial<EnterNode> = {}): unknown {
    const address = `host${node}:7001`
    return this.ask({ type: 'enterNode', node, address, incarnation, holds: null, role: 'voter', ...given })
  }

  get known(): NodeRegister {
    const row = this.rows.get(nodesKey)
    return row === undefined ? noNodes : decodeNodes(row.value)
  }

  /** Node, replica and role of all nodes. */
  get list(): string {
    return this.known.nodes.map(({ node, replica, role }) => `${node}:${replica} ${role}`).join(', ')
  }
}

/** A cluster of the node 1, which began it with replica 1. */
function begun(): Register {
  const register = new Register()
  register.enter(1, 'a', { holds: 1 })
  return register
}

t.test('the first node says what it holds, all others are given a replica', async t => {
  const register = new Register()
  t.equal(register.enter(2, 'b'), 'UNAVAILABLE', 'nobody began yet')
  t.strictSame(register.enter(1, 'a', { holds: 1 }), { replica: 1, role: 'voter' })
  t.strictSame(register.enter(2, 'b'), { replica: 2, role: 'voter' })
  t.strictSame(register.enter(7, 'c', { role: 'learner' }), { replica: 3, role: 'learner' })
  t.equal(register.list, '1:1 voter, 2:2 voter, 7:3 learner')
})

t.test('to enter again changes nothing but the address', async t => {
  const register = begun()
  register.enter(2, 'b')
  const { index } = register
  t.strictSame(register.enter(2, 'b'), { replica: 2, role: 'voter' })
  t.strictSame(register.enter(2, 'b', { holds: 2, role: 'learner' }), { replica: 2, role: 'voter' })
  t.equal(register.index, index)
  t.strictSame(register.enter(2, 'b', { address: 'other:1', holds: 2 }), { replica: 2, role: 'voter' })
  t.equal(register.known.nodes[1]?.address, 'other:1')
  t.equal(register.enter(2, 'b', { holds: 9 }), 'INVALID', 'that is no replica of its own')
  t.equal(register.enter(3, 'c', { address: 'other:1' }), 'INVALID', 'an address is that of one node')
})

t.test('an empty disk gets a new replica, and the lost one never counts again', async t => {
  const register = begun()
  register.enter(2, 'b')
  t.strictSame(register.enter(2, 'c'), { replica: 3, role: 'voter' })
  t.equal(register.enter(2, 'b', { holds: 2 }), 'FENCED')
  t.equal(register.enter(2, 'b'), 'FENCED', 'nor does a late copy of its first request')
  t.strictSame(register.enter(2, 'c', { holds: 3 }), { replica: 3, role: 'voter' })
})

t.test('a node leaves when no group has it any more, and its disk is refused', async t => {
  const register = begun()
  register.enter(2, 'b')
  const set = (node: number, role: 'voter' | 'learner' | 'none') =>
    register.ask({ type: 'setNodeRole', node, role })
  t.equal(set(3, 'none'), 'NOT_FOUND')
  register.ask({ type: 'forgetNode', replica: 2 })
  t.equal(register.list, '1:1 voter, 2:2 voter', 'who is to stay is not forgotten')
  t.equal(set(1, 'learner'), null)
  t.equal(set(2, 'none'), 'INVALID', 'somebody votes')
  t.equal(set(1, 'voter'), null)
  t.equal(set(2, 'none'), null)
  t.strictSame(
    register.enter(2, 'b', { holds: 2 }),
    { replica: 2, role: 'none' },
    'it still has to be reached',
  )
  t.equal(register.enter(2, 'c'), 'INVALID', 'and is not replaced meanwhile')
  register.ask({ type: 'forgetNode', replica: 2 })
  t.equal(register.list, '1:1 voter')
  t.equal(register.enter(2, 'b', { holds: 2 }), 'FENCED')
  t.equal(register.enter(2, 'b'), 'FENCED')
  t.strictSame(register.enter(2, 'd'), { replica: 3, role: 'voter' }, 'under its number with another disk')
})

t.test('there is a limit', async t => {
  const register = begun()
  for (let node = 2; node <= limits.nodesMax; node++) register.enter(node, `disk ${node}`)
  t.equal(register.known.nodes.length, limits.nodesMax)
  t.equal(register.enter(limits.nodesMax + 1, 'more'), 'INVALID')
  t.strictSame(register.enter(5, 'other'), { replica: limits.nodesMax + 1, role: 'voter' })
})

t.test('no replica is given out twice, whatever comes in whatever order', async t => {
  for (let n = 0; n < 50; n++) {
    const random = new Random(seed).split(`nodes ${n}`)
    const register = begun()
    const owners = new Map<number, string>([[1, 'a']])
    for (let step = 0; step < 60; step++) {
      const node = 1 + random.below(4)
      const incarnation = `${node} ${random.below(5)}`
      const holds = random.chance(0.2) ? 1 + random.below(6) : null
      const kind = random.below(6)
      if (kind === 0) register.ask({ type: 'setNodeRole', node, role: random.pick(['voter', 'none']) })
      else if (kind === 1) register.ask({ type: 'forgetNode', replica: 1 + random.below(9) })
      else register.enter(node, incarnation, { holds })
      for (const { replica, incarnation: owner } of register.known.nodes) {
        const before = owners.get(replica) ?? owner
        if (before !== owner) t.equal(owner, before, `seed ${seed}: replica ${replica}`)
        owners.set(replica, owner)
      }
      const replicas = register.known.nodes.map(({ replica }) => replica)
      if (new Set(replicas).size < replicas.length) t.fail(`seed ${seed}: ${register.list}`)
      if (!register.known.nodes.some(({ role }) => role === 'voter')) t.fail(`seed ${seed}: nobody votes`)
    }
    t.ok(owners.size > 3, `${owners.size} replicas`)
  }
})
