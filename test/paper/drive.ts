/** Small verbs for the rules: groups that are driven by hand, and messages as others would send them. */
import assert from 'node:assert/strict'
import { type Entry, encodeEntry, entryHeadBytes, entryKinds } from '../../src/base/entry.js'
import { type Configuration, simpleConfiguration } from '../../src/raft/configuration.js'
import type { PeerMessage } from '../../src/raft/messages.js'
import { SimulatedGroup } from '../sim/raft/group.js'
import type { NodeOptions, SimulatedNode } from '../sim/raft/node.js'

/** A group of voters 1 … count. */
export function groupOf(
  count: number,
  options: NodeOptions = {},
  learners: readonly number[] = [],
): SimulatedGroup {
  const voters = Array.from({ length: count }, (_, place) => place + 1)
  return new SimulatedGroup([...voters, ...learners], simpleConfiguration(voters, learners), options)
}

/** A group of these replicas, of which these are members. */
export function groupWith(
  ids: readonly number[],
  configuration: Configuration,
  options: NodeOptions = {},
): SimulatedGroup {
  return new SimulatedGroup(ids, configuration, options)
}

/** The replica campaigns and wins, and everything that follows has happened. */
export function lead(group: SimulatedGroup, id: number): SimulatedNode {
  const node = group.node(id)
  node.alive.campaign()
  group.settle()
  assert.equal(node.alive.role, 'leader', `replica ${id} leads`)
  return node
}

/** Proposes an entry; answers its index. Nothing else happens yet. */
export function propose(node: SimulatedNode, text = 'x'): number {
  const proposed = node.alive.propose(Buffer.from(`${'\0'.repeat(entryHeadBytes)}${text}`), entryKinds.facts)
  assert.ok('index' in proposed, `proposed: ${JSON.stringify(proposed)}`)
  node.pump()
  return proposed.index
}

/** Nothing gets to the replica or from it. */
export function isolate(group: SimulatedGroup, ...ids: readonly number[]): void {
  for (const id of ids) {
    for (const other of group.nodes.keys()) {
      if (ids.includes(other)) continue
      group.cut.add(`${id}>${other}`).add(`${other}>${id}`)
    }
  }
}

/** Steps a message as another replica would send it; answers what the replica says, once that is durable. */
export function say(group: SimulatedGroup, message: PeerMessage): readonly PeerMessage[] {
  const node = group.node(message.to)
  const before = group.network.length
  group.hasActors = true
  node.alive.step(message)
  node.pump()
  while (node.appends.length > 0) node.storeOne()
  return group.network.splice(before)
}

/** Entries of these terms, from the index on. */
export function entriesOf(from: number, ...terms: readonly number[]): Entry[] {
  return terms.map((term, place) =>
    encodeEntry({ partition: 1, index: from + place, term, kind: entryKinds.facts }, Buffer.from(`${term}`)),
  )
}

/** A replica whose log has entries of these terms, all stored and none known to be committed. */
export function logOf(group: SimulatedGroup, id: number, ...terms: readonly number[]): SimulatedNode {
  const node = group.node(id)
  node.crash()
  const hardState = { term: terms.at(-1) ?? 0, vote: 0, commit: 0 }
  node.storage.store({
    type: 'storageAppend',
    hardState,
    snapshot: undefined,
    entries: entriesOf(1, ...terms),
    responses: [],
  })
  node.start()
  return node
}

/** Terms of the stored log. */
export function termsOf(node: SimulatedNode): readonly (number | undefined)[] {
  const { firstIndex, lastIndex } = node.storage
  return Array.from({ length: lastIndex - firstIndex + 1 }, (_, place) =>
    node.storage.term(firstIndex + place),
  )
}

const between = (from: number, to: number, term: number) => ({ from, to, term })

/** An append as a leader sends it. */
export function append(
  [from, to, term]: readonly [number, number, number],
  [previousIndex, previousTerm]: readonly [number, number],
  entries: readonly Entry[] = [],
  commit = 0,
): PeerMessage {
  return { type: 'append', ...between(from, to, term), previousIndex, previousTerm, entries, commit }
}

/** A request for a vote as a candidate sends it. */
export function voteRequest(
  [from, to, term]: readonly [number, number, number],
  [lastIndex, lastTerm]: readonly [number, number],
  { pre = false, transfer = false } = {},
): PeerMessage {
  const committed = { index: 0, term: 0 }
  return { type: 'voteRequest', ...between(from, to, term), pre, transfer, lastIndex, lastTerm, committed }
}

/** Message types on the network, with where they go. */
export function said(messages: readonly PeerMessage[]): readonly string[] {
  return messages.map(one => {
    const granted = one.type === 'voteAnswer' ? (one.granted ? ' granted' : ' refused') : ''
    return `${one.from}>${one.to} ${one.type}${granted}`
  })
}
