/**
 * What goes in and out of the protocol. Each message says who sends it, when, and what must be durable first.
 *
 * Storage is a target like any other: writes, applications and reads of the log leave as messages and come
 * back as responses, since nothing in Node is synchronous. Messages of a Ready that are not in a
 * StorageAppend may leave at once, also before that append is durable: so a leader replicates in parallel
 * with its own disk. What needs durability first stands among the responses of a StorageAppend.
 */
import type { Entry } from '../base/entry.js'
import type { LogIndex, ReplicaId, Term } from '../base/ids.js'
import type { Configuration } from './configuration.js'

/**
 * Must be durable before a message that depends on it leaves. `commit` is a hint and forces no sync by
 * itself.
 */
export interface HardState {
  readonly term: Term
  /** The replica that got this replica's vote in `term`; 0 for none. */
  readonly vote: ReplicaId
  readonly commit: LogIndex
}

/** What a snapshot stands for: the state after the entry at `index`, and who belonged to the group then. */
export interface Snapshot {
  readonly index: LogIndex
  readonly term: Term
  readonly configuration: Configuration
  /** Index of the entry that made this configuration; 0 if it was there from the start. */
  readonly configurationIndex: LogIndex
}

/** An entry, by its place: two logs that agree on it agree on all before it. */
export interface Place {
  readonly index: LogIndex
  readonly term: Term
}

interface Between {
  readonly from: ReplicaId
  readonly to: ReplicaId
  /** Term of the sender, but for the answer to a pre-vote that is granted. */
  readonly term: Term
}

/**
 * Leader to each member: entries after the one at `previousIndex`, and how far the log is committed. Empty as
 * a probe, and to tell a new commit index. Leaves before the leader's own disk has the entries.
 */
export interface Append extends Between {
  readonly type: 'append'
  readonly previousIndex: LogIndex
  readonly previousTerm: Term
  readonly entries: readonly Entry[]
  readonly commit: LogIndex
}

/**
 * Member to leader, and leader to itself: my log equals yours up to `index`. Leaves when the entries up to
 * there and the term are durable.
 */
export interface Appended extends Between {
  readonly type: 'appended'
  readonly index: LogIndex
}

/**
 * Member to leader: I have no entry of that term at `index`. The hint is the last place where our logs may
 * meet (0 and 0 if there is none). Leaves when the term is durable.
 */
export interface AppendRejected extends Between {
  readonly type: 'appendRejected'
  readonly index: LogIndex
  readonly hintIndex: LogIndex
  readonly hintTerm: Term
}

/**
 * Leader to each member, at its heartbeat ticks and for reads: I lead; you may commit what you hold. `round`
 * is the newest round of reads. Needs nothing durable.
 */
export interface Heartbeat extends Between {
  readonly type: 'heartbeat'
  readonly commit: LogIndex
  readonly round: number
}

/**
 * Member to leader: I follow you as of this round. `recovering` is there while the member has lost, or may
 * have lost, entries that it had acknowledged: how far its log equals the leader's for certain. Needs nothing
 * durable: it promises nothing for later.
 */
export interface HeartbeatAnswer extends Between {
  readonly type: 'heartbeatAnswer'
  readonly round: number
  readonly recovering: LogIndex | undefined
}

/**
 * Candidate to every other voter. As a pre-vote (thesis 9.6) it asks what the answer would be, in the term
 * that the sender would campaign in, and changes nothing anywhere. `transfer`: the leader asked for this
 * election, so its lease is no reason to refuse. Needs nothing durable.
 */
export interface VoteRequest extends Between {
  readonly type: 'voteRequest'
  readonly pre: boolean
  readonly lastIndex: LogIndex
  readonly lastTerm: Term
  readonly transfer: boolean
  /** What the sender knows to be committed. */
  readonly committed: Place
}

/**
 * Voter to candidate, and candidate to itself. Leaves when term and vote are durable. A granted pre-vote
 * carries the term that was asked for, a refused one the voter's own.
 */
export interface VoteAnswer extends Between {
  readonly type: 'voteAnswer'
  readonly pre: boolean
  readonly granted: boolean
  /** What the sender knows to be committed. */
  readonly committed: Place
}

/**
 * Leader to a member whose next entry is no longer in the log: take this state. Whoever carries messages
 * sends the state with it, and tells the leader by `reportSnapshot` how it ended. Needs nothing durable.
 */
export interface InstallSnapshot extends Between {
  readonly type: 'installSnapshot'
  readonly snapshot: Snapshot
}

/** Member to leader: which index must be applied for a read that begins now? Needs nothing durable. */
export interface ReadRequest extends Between {
  readonly type: 'readRequest'
  /** Names this run of the asking replica: tokens begin anew after a restart, and behind a snapshot. */
  readonly run: number
  readonly token: number
}

/** Leader to the member that asked, when a quorum has confirmed that it leads; the index to wait for. */
export interface ReadAnswer extends Between {
  readonly type: 'readAnswer'
  readonly run: number
  readonly token: number
  readonly index: LogIndex
}

/** Member to leader: hand leadership to the transferee, as somebody asked here. Needs nothing durable. */
export interface TransferRequest extends Between {
  readonly type: 'transferRequest'
  readonly transferee: ReplicaId
}

/** Leader to the transferee, once that has the whole log: campaign at once (thesis 3.10). */
export interface CampaignNow extends Between {
  readonly type: 'campaignNow'
}

/** What replicas say to each other. */
export type PeerMessage =
  | Append
  | Appended
  | AppendRejected
  | Heartbeat
  | HeartbeatAnswer
  | VoteRequest
  | VoteAnswer
  | InstallSnapshot
  | ReadRequest
  | ReadAnswer
  | TransferRequest
  | CampaignNow

/**
 * To the log, in order; several may be in flight. When snapshot, entries and hard state are durable (one
 * sync), take each of `responses` in order: step those to this replica, send the others. Not before: they are
 * acknowledgements and votes. A first entry at or below the log's last one replaces the log from there on.
 */
export interface StorageAppend {
  readonly type: 'storageAppend'
  readonly hardState: HardState | undefined
  /** Replaces state and whole log: install it before the entries, in the same sync. */
  readonly snapshot: Snapshot | undefined
  readonly entries: readonly Entry[]
  readonly responses: readonly StorageResponse[]
}

/**
 * From the log: the entries up to (index, entryTerm) and the snapshot are durable. Attested in `term`: in a
 * later one the entry there may have been replaced and written again, so the response counts for nothing
 * (ABA), and the append that carries the later term attests anew.
 */
export interface StorageAppended {
  readonly type: 'storageAppended'
  /** The term in which the append was handed out. */
  readonly term: Term
  readonly index: LogIndex
  readonly entryTerm: Term
  /** Index of the snapshot that this append installed. */
  readonly snapshotIndex: LogIndex | undefined
}

/**
 * To the state: these committed, locally durable entries may be applied, in order. When one is a change of
 * the configuration, call `applyConfiguration` as it is applied.
 */
export interface StorageApply {
  readonly type: 'storageApply'
  readonly from: LogIndex
  readonly through: LogIndex
}

/** From the state: everything up to index is applied. */
export interface StorageApplied {
  readonly type: 'storageApplied'
  readonly index: LogIndex
}

/** To the log of a leader: read these entries for member `to`, and answer with `entriesLoaded`. */
export interface NeedEntries {
  readonly type: 'needEntries'
  readonly to: ReplicaId
  /** The answer is ignored in another term. */
  readonly term: Term
  readonly from: LogIndex
  readonly through: LogIndex
  readonly bytesMax: number
}

/**
 * From the log: what was asked for, one entry at least; `compacted` if the first is no longer there, `failed`
 * if it cannot be read: then the member waits for the next heartbeat.
 */
export interface EntriesLoaded {
  readonly type: 'entriesLoaded'
  readonly request: NeedEntries
  readonly entries: readonly Entry[] | 'compacted' | 'failed'
}

/** What comes with a durable append. */
export type StorageResponse = StorageAppended | Appended | AppendRejected | VoteAnswer

/** What `step` takes. */
export type Inbound = PeerMessage | StorageAppended | StorageApplied | EntriesLoaded

/** What a Ready hands out. */
export type Outbound = PeerMessage | StorageAppend | StorageApply | NeedEntries

/**
 * A read that may be answered from state at or above index (ReadIndex, thesis 6.4). Without an index it was
 * dropped (leadership went, or nobody answered): ask again.
 */
export interface ReadState {
  readonly token: number
  readonly index: LogIndex | undefined
}

/**
 * A member no longer holds what it had acknowledged: its disk lost it. `replica` is the one that lost,
 * `match` what it had acknowledged, `last` what it holds.
 */
export interface Alarm {
  readonly type: 'matchRegressed'
  readonly replica: ReplicaId
  readonly match: LogIndex
  readonly last: LogIndex
}

/**
 * The output of the protocol since the last one. Carry out `messages` in their order; they may be in flight
 * at once. `readStates` may be used as soon as that index is applied.
 */
export interface Ready {
  readonly messages: readonly Outbound[]
  readonly readStates: readonly ReadState[]
  /**
   * Present when role, term or leader changed: whoever holds speculative state drops it before anything else.
   */
  readonly soft: SoftState | undefined
  readonly alarms: readonly Alarm[]
}

/** What a replica does in its group at the moment. */
export type RoleName = 'follower' | 'preCandidate' | 'candidate' | 'leader'

/** What may be lost: role, term and leader as they are now. */
export interface SoftState {
  readonly role: RoleName
  readonly term: Term
  /** The leader of the term as far as known; 0 for none. */
  readonly leader: ReplicaId
}
