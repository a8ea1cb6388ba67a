/** A simulated group that writes down all that happens, a line each. */
import { type Entry, entryBody, entryKinds } from '../../src/base/entry.js'
import type { Configuration } from '../../src/raft/configuration.js'
import type { PeerMessage, Ready, StorageAppend } from '../../src/raft/messages.js'
import type { RaftStatus } from '../../src/raft/raft.js'
import { SimulatedGroup } from '../sim/raft/group.js'
import type { SimulatedNode } from '../sim/raft/node.js'

/** What happened since the last look. */
export class ToldGroup extends SimulatedGroup {
  lines: string[] = []

  override sent(message: PeerMessage): void {
    super.sent(message)
    this.lines.push(`${message.from} -> ${message.to} ${tellMessage(message)}`)
  }

  override stored(node: SimulatedNode, append: StorageAppend): void {
    super.stored(node, append)
    const { hardState, snapshot, entries } = append
    const parts = [
      hardState && `term ${hardState.term} vote ${hardState.vote} commit ${hardState.commit}`,
      snapshot && `snapshot ${snapshot.index}/${snapshot.term}`,
      entries.length > 0 && `entries ${tellEntries(entries)}`,
    ]
    const what = parts.filter(Boolean).join(', ')
    this.lines.push(`${node.id} has stored ${what === '' ? 'all before' : what}`)
  }

  override applied(node: SimulatedNode, entry: Entry): void {
    super.applied(node, entry)
    const { index, kind } = entry
    const what =
      kind === entryKinds.configuration
        ? tellConfiguration(node.configuration)
        : kind === entryKinds.empty
          ? 'nothing'
          : `"${entryBody(entry).toString()}"`
    this.lines.push(`${node.id} applies ${index}: ${what}`)
  }

  override ready(node: SimulatedNode, ready: Ready): void {
    const { soft, readStates, alarms, messages } = ready
    if (soft !== undefined) {
      const leader = soft.role === 'follower' ? `, leader ${soft.leader === 0 ? 'unknown' : soft.leader}` : ''
      this.lines.push(`${node.id} is ${soft.role} in term ${soft.term}${leader}`)
    }
    for (const { token, index } of readStates) {
      this.lines.push(
        `${node.id} ${index === undefined ? `drops read ${token}` : `may read ${token} at ${index}`}`,
      )
    }
    for (const { replica, match, last } of alarms) {
      this.lines.push(`${node.id} ALARM: replica ${replica} acknowledged ${match} and holds ${last}`)
    }
    for (const one of messages) {
      if (one.type === 'needEntries')
        this.lines.push(`${node.id} has to read ${one.from}..${one.through} for ${one.to}`)
    }
    super.ready(node, ready)
  }

  protected override reportSnapshot(message: PeerMessage, arrives: boolean): void {
    const how = arrives ? 'has arrived' : 'did not arrive'
    if (this.nodes.get(message.from)?.raft !== undefined)
      this.lines.push(`${message.from} is told: the snapshot to ${message.to} ${how}`)
    super.reportSnapshot(message, arrives)
  }

  take(): string[] {
    return this.lines.splice(0)
  }
}

/** Index and term of each, runs of one term together. */
function tellEntries(entries: readonly Entry[]): string {
  return entries.map(({ index, term }) => `${index}/${term}`).join(' ')
}

/** Who votes, who listens. */
export function tellConfiguration({ voters, outgoing, learners, learnersNext }: Configuration): string {
  const parts = [
    `voters ${voters.join(' ')}`,
    outgoing.length > 0 && `outgoing ${outgoing.join(' ')}`,
    learners.length > 0 && `learners ${learners.join(' ')}`,
    learnersNext.length > 0 && `learners next ${learnersNext.join(' ')}`,
  ]
  return parts.filter(Boolean).join(', ')
}

function tellMessage(message: PeerMessage): string {
  return `${tellBody(message)} (term ${message.term})`
}

function tellBody(message: PeerMessage): string {
  switch (message.type) {
    case 'append': {
      const { previousIndex, previousTerm, entries, commit } = message
      const what = entries.length === 0 ? 'nothing' : tellEntries(entries)
      return `append ${what} after ${previousIndex}/${previousTerm}, commit ${commit}`
    }
    case 'appended':
      return `appended ${message.index}`
    case 'appendRejected':
      return `rejected after ${message.index}, hint ${message.hintIndex}/${message.hintTerm}`
    case 'heartbeat':
      return `heartbeat commit ${message.commit}${message.round > 0 ? ` round ${message.round}` : ''}`
    case 'heartbeatAnswer': {
      const { round, recovering } = message
      const lost = recovering === undefined ? '' : `, recovering from ${recovering}`
      return `heartbeat answer${round > 0 ? ` round ${round}` : ''}${lost}`
    }
    case 'voteRequest': {
      const { pre, lastIndex, lastTerm, transfer } = message
      const what = `asks for ${pre ? 'pre-vote' : 'vote'}, log ${lastIndex}/${lastTerm}`
      return transfer ? `${what}, by transfer` : what
    }
    case 'voteAnswer':
      return `${message.granted ? 'grants' : 'refuses'} ${message.pre ? 'pre-vote' : 'vote'}`
    case 'installSnapshot':
      return `snapshot ${message.snapshot.index}/${message.snapshot.term}`
    case 'readRequest':
      return `asks for read ${message.token}`
    case 'readAnswer':
      return `answers read ${message.token} at ${message.index}`
    case 'transferRequest':
      return `asks to transfer to ${message.transferee}`
    case 'campaignNow':
      return 'says: campaign now'
  }
}

/** The status in a few lines. */
export function tellStatus(status: RaftStatus): string[] {
  const { role, term, leader, commit, applied, lastIndex, configuration, members, recovering, transferee } =
    status
  const indexes = `applied ${applied} commit ${commit} last ${lastIndex}`
  const extra = `${recovering ? ', recovering' : ''}${transferee > 0 ? `, transfers to ${transferee}` : ''}`
  return [
    `${role} in term ${term}, leader ${leader}, ${indexes}${extra}`,
    tellConfiguration(configuration),
    ...members.map(one => {
      const flags = [
        one.isPaused && 'paused',
        !one.recentlyActive && 'silent',
        one.inFlight > 0 && `${one.inFlight} in flight`,
        one.isLearner && 'learner',
      ]
      return [`  ${one.replica}: ${one.state} match ${one.match} next ${one.next}`, ...flags]
        .filter(Boolean)
        .join(', ')
    }),
  ]
}
