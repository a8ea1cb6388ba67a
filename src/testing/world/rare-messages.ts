/** Recognises rare states by what nodes say to each other. */
import { entryKinds } from '../../base/entry.js'
import { SillokError } from '../../base/errors.js'
import { type PartitionId, type ReplicaId, type Term, versionsPerEpoch } from '../../base/ids.js'
import { frameKind } from '../../codec/frame.js'
import type { Address } from '../../env/network.js'
import type { PeerMessage } from '../../raft/messages.js'
import { type Answer, type Ask, decodeAsk, isAskFrame, type UnknownAsk } from '../../replica/ask-codec.js'
import { decodePeerMessage } from '../../replica/message-codec.js'
import { dataPartition } from '../../replica/partition-folders.js'
import type { RareReplicas } from './rare-replicas.js'
import type { Mark } from './rare-states.js'

/** Kinds of frames of a replica's messages; that of the refusal of a snapshot. */
const messageKinds = { first: 1, last: 12 }
const refusedKind = 25

/** A request of a session or with an id, over all its tries. */
interface Request {
  /** Where it was sent. */
  readonly asked: Set<Address>
  readonly answeredBy: Set<number>
  readonly refusedBy: Set<number>
  tries: number
}

/** A try: who asked, and what was committed when the request left. */
interface Try {
  readonly request: Request | undefined
  readonly commit: number
}

const keptMax = 5000

/** What goes over the cables of one world. */
export class RareMessages {
  readonly #mark: Mark
  readonly #replicas: RareReplicas
  /** Who asked for votes, by partition and term. */
  readonly #candidates = new Map<string, Set<ReplicaId>>()
  readonly #snapshots = new Map<string, number>()
  /** Members that confirmed the newest round of reads of a leader, by partition, leader and term. */
  readonly #rounds = new Map<string, { round: number; readonly confirmed: Set<ReplicaId> }>()
  readonly #requests = new Map<string, Request>()
  readonly #tries = new Map<string, Try>()

  constructor(mark: Mark, replicas: RareReplicas) {
    this.#mark = mark
    this.#replicas = replicas
  }

  /** Terms with a candidate and without a leader, in the end. */
  end(): void {
    for (const key of this.#candidates.keys()) {
      const [partition = 0, term = 0] = key.split(' ').map(Number)
      if (!this.#replicas.hadLeader(partition, term)) this.#mark('candidate-wins-nothing')
    }
  }

  /** That node sends this. */
  hear(node: number, frame: Uint8Array, remote: Address): void {
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
    const kind = frameKind(bytes)
    if (kind === refusedKind) this.#mark('snapshot-refused')
    else if (isAskFrame(bytes)) this.#asked(node, decodeAsk(bytes), remote)
    else if (kind >= messageKinds.first && kind <= messageKinds.last) {
      const { partition, message } = decodePeerMessage(bytes)
      this.#message(partition, message)
    }
  }

  /** A leader ends, or follows: true if nobody knows whether it led when it was last asked for a read. */
  hasOpenReads(partition: PartitionId, leader: ReplicaId, term: Term, voters: number): boolean {
    const one = this.#rounds.get(`${partition} ${leader} ${term}`)
    return one !== undefined && one.round > 0 && one.confirmed.size + 1 <= voters / 2
  }

  #message(partition: PartitionId, message: PeerMessage): void {
    const { type, from, to, term } = message
    if (type === 'appendRejected') this.#mark('append-rejected')
    if (type === 'append') {
      for (const entry of message.entries)
        if (entry.kind === entryKinds.configuration) this.#replicas.changes(entry, from)
    }
    if (type === 'campaignNow') this.#mark('leader-by-transfer')
    if (type === 'voteRequest' && !message.pre) {
      const key = `${partition} ${term}`
      const candidates = this.#candidates.get(key) ?? new Set()
      this.#candidates.set(key, candidates.add(from))
      if (candidates.size > 1) this.#mark('split-vote')
    }
    if (type === 'voteRequest') this.#keep(this.#lasts, `${partition} ${from}`, message.lastIndex)
    if (type === 'voteAnswer' && !message.granted) {
      if (message.pre) this.#mark('pre-vote-refused')
      const last = this.#lasts.get(`${partition} ${to}`)
      if (last !== undefined && last < message.committed.index) this.#mark('candidate-lacks-committed')
    }
    if (type === 'heartbeat') this.#heartbeat(`${partition} ${from} ${term}`, message.round)
    if (type === 'heartbeatAnswer') {
      const one = this.#rounds.get(`${partition} ${to} ${term}`)
      if (one !== undefined && message.round >= one.round) one.confirmed.add(from)
    }
    if (type === 'installSnapshot') {
      if (this.#replicas.isLearner(partition, to)) this.#mark('snapshot-to-learner')
      const key = `${partition} ${to} ${term}`
      const sent = (this.#snapshots.get(key) ?? 0) + 1
      this.#keep(this.#snapshots, key, sent)
      if (sent > 1) this.#mark('snapshot-sent-twice')
    }
  }

  /** The last entry of who asked for votes, by partition and replica. */
  readonly #lasts = new Map<string, number>()

  #heartbeat(key: string, round: number): void {
    const one = this.#rounds.get(key)
    if (one === undefined) this.#keep(this.#rounds, key, { round, confirmed: new Set<ReplicaId>() })
    else if (round > one.round) {
      one.round = round
      one.confirmed.clear()
    }
  }

  #asked(node: number, frame: Ask | UnknownAsk | Answer, remote: Address): void {
    if (frame.type === 'unknown') return
    const { run, number } = frame.request
    if (frame.type === 'answer') {
      const one = this.#tries.get(`${run} ${number}`)
      if (one !== undefined) this.#answered(node, one, frame.result)
      return
    }
    if (this.#replicas.isDeposed(Number(/[0-9]+/.exec(remote)), frame.partition))
      this.#mark('deposed-leader-is-asked')
    const name = nameOf(frame)
    const commit = this.#replicas.commitOf(dataPartition)
    let request = name === undefined ? undefined : this.#requests.get(name)
    if (name !== undefined && request === undefined) {
      request = { asked: new Set(), answeredBy: new Set(), refusedBy: new Set(), tries: 0 }
      this.#keep(this.#requests, name, request)
    }
    if (request !== undefined) {
      request.tries += 1
      if (request.asked.add(remote).size > 1) this.#mark('retry-after-lost-answer')
    }
    this.#keep(this.#tries, `${run} ${number}`, { request, commit })
  }

  #answered(node: number, { request, commit }: Try, result: Answer['result']): void {
    const isRetry = request !== undefined && request.tries > 1
    if (result instanceof SillokError || !result.ok) {
      this.told(result.code)
      if (result.code === 'SESSION_EXPIRED' && isRetry) this.#mark('retry-in-expired-session')
      if (result.code === 'UNIQUE_TAKEN' && Number(result.details['version']) % versionsPerEpoch > commit)
        this.#mark('claim-refused-for-one-in-flight')
      if (request === undefined || result instanceof SillokError) return
      if (request.refusedBy.size > 0 && !request.refusedBy.has(node))
        this.#mark('refusal-repeated-by-another-leader')
      request.refusedBy.add(node)
      return
    }
    if (request === undefined) return
    const isKept = isRetry && result.version > 0 && result.version % versionsPerEpoch <= commit
    if (isKept && request.asked.size > 1 && !request.answeredBy.has(node))
      this.#mark('kept-reply-from-another-leader')
    request.answeredBy.add(node)
  }

  /** A caller is refused, or its call fails, with that code. */
  told(code: SillokError['code']): void {
    if (code === 'LEADERSHIP_LOST') this.#mark('proposal-overwritten')
    if (code === 'SESSION_EXPIRED') this.#mark('session-expires')
    if (code === 'FENCED') this.#mark('session-fenced')
    if (code === 'TIMED_OUT') this.#mark('outcome-unknown')
    if (code === 'WINDOW_FULL') this.#mark('window-full')
    if (code === 'LOG_TRUNCATED') this.#mark('log-lost-to-a-feed')
  }

  /** The oldest go. */
  #keep<T>(map: Map<string, T>, key: string, value: T): void {
    map.set(key, value)
    if (map.size <= keptMax) return
    const [oldest] = map.keys()
    if (oldest !== undefined) map.delete(oldest)
  }
}

/** What stays the same over the tries of a request; undefined if nothing does. */
function nameOf({ command }: Ask): string | undefined {
  if (command.type !== 'write') return undefined
  if (command.request !== undefined) return `request ${command.request.id}`
  const { mark } = command
  return mark === undefined ? undefined : `${mark.session} ${mark.epoch} ${mark.sequence}`
}
