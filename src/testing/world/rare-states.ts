/**
 * The rare states: where faults of consensus, snapshots, recovery and clients are usually found. Named before
 * anybody looked whether worlds reach them; a campaign that never was in one of them has not tested it.
 *
 * Each is recognised from outside: by the status of replicas, which are looked at every 50 simulated ms and
 * in the step in which a process dies; by what goes over the cables; by what is on a disk when a process
 * begins; by what clients are told. So a state that came and went between two looks may be missed; one that
 * is marked was there.
 */

/** What each is, and how it is recognised. */
export const rareStates = {
  // Elections. Status and messages of replicas.
  'split-vote': 'two replicas ask for votes in one term',
  'candidate-wins-nothing': 'a replica asks for votes in a term in which nobody is seen to lead',
  'candidate-lacks-committed': 'a voter that knows of a later committed entry refuses a candidate',
  'pre-vote-refused': 'somebody would not vote for a replica that would campaign',
  'candidate-dies': 'the process of a candidate dies',
  'two-terms-without-commit': 'somebody leads, nothing is committed, and somebody leads in a later term',
  'two-leaders': 'two replicas believe that they lead, in different terms',
  'leader-behind-in-application': 'who leads anew has applied less than another living replica',
  'leader-steps-down-in-its-term': 'a leader follows in the term that it led: it lost touch with the others',
  'held-leader-is-followed': 'the process of a leader stands still while another one leads in a later term',
  'leader-by-transfer': 'a leader has another replica campaign at once',
  'transfer-given-up': 'a leader that was to hand over leads on in its term',
  'transferring-leader-dies': 'a leader dies while it hands over',
  'deposed-leader-with-reads':
    'a leader ends before a majority confirmed its newest round of reads, or is seen to follow',

  // The log.
  'leader-dies-with-uncommitted': 'a leader dies whose log holds what is not committed',
  'append-rejected': 'a member has no entry of that term before those that a leader sends',
  'log-is-cut-back': 'the log of a living replica becomes shorter, under another leader',
  'deposed-leader-is-cut-back': 'the same at one that led before',
  'log-is-trimmed': 'the log of a replica no longer begins at its first entry',
  'log-goes-under-an-index': 'an index has not yet taken an entry that the log no longer has',
  'log-is-rotated': 'a process begins on a write-ahead log of several files: the later ones restate',
  'log-files-are-reused': 'the first file of the write-ahead log is gone when a process begins',
  'leader-with-full-disk': 'the disk of a leader is full',
  'long-uncommitted-log': 'a replica holds 20 entries that are not committed',

  // Changes of the group.
  'leader-dies-with-pending-change': 'a leader dies while a change of the group is not committed',
  'follower-dies-with-pending-change': 'the same of a follower that holds the change',
  'pending-change-under-new-leader': 'a change is committed under another leader than the one that made it',
  'pending-change-is-cut-back': 'a change that a replica held is not there any more',
  'learner-promoted-as-leader-changes': 'the same of a change that gives a learner a vote',
  'leader-removes-itself': 'a leader proposes that it votes no more',
  'joint-group': 'a group is between two memberships: whatever it decides needs both',
  'leader-dies-while-joint': 'its leader dies then',
  'even-group': 'a group has an even number of voters: one may die less than it seems',
  'newcomer-leads': 'a replica leads with which the cluster did not begin',
  'damaged-node-replaced': 'a node that refused its files votes again, under a new id',
  'lost-during-replacement': 'a node is lost while another one is given new replicas',
  'leader-dies-during-replacement': 'a leader dies while a node is given new replicas',

  // Snapshots between nodes.
  'snapshot-over-longer-log': 'a snapshot takes the place of a log that reached beyond it',
  'snapshot-over-conflicting-log': 'a snapshot takes the place of a log with entries that were not committed',
  'snapshot-to-learner': 'a learner is sent a snapshot',
  'snapshot-sent-twice': 'a member is sent a second snapshot in one term',
  'snapshot-refused': 'a member refuses a snapshot that comes',
  'snapshot-sender-dies': 'a leader dies while it sends a snapshot',
  'leader-changes-during-snapshot': 'a leader that sends a snapshot leads no more',
  'crash-as-snapshot-comes': 'a process begins and finds a part of a snapshot, without a log behind it',
  'crash-as-its-entries-come': 'the same with a part of the log behind it, and the old folder counts',
  'crash-after-the-switch': 'a process begins, and the new folder counts, while the old one is still there',
  'crash-during-installation': 'a process dies while a snapshot takes the place of a replica',

  // Recovery.
  'torn-write-survived': 'a process that begins after a torn write takes part',
  'lost-name-survived': 'the same after a creation or a renaming was lost',
  'crash-in-opening': 'a process dies before its store may be used',
  'two-crashes-in-opening': 'two processes in a row do',
  'crash-in-closing': 'a process dies while it closes',
  'state-made-anew': 'rows are made again from a snapshot and the log',
  'majority-down': 'no majority of the nodes is up',
  'all-down': 'no node is up',

  // Clients.
  'kept-reply-from-another-leader': 'a request that is sent again gets its first answer from another node',
  'retry-after-lost-answer': 'a request of a session or with an id is asked of a second node',
  'refusal-repeated-by-another-leader': 'a refused request is sent again, and another node refuses it',
  'proposal-overwritten': 'a caller is told that another leader wrote at that position',
  'claim-refused-for-one-in-flight': 'a unique value is taken by an entry that came after the request left',
  'deposed-leader-is-asked': 'a request reaches a replica that leads in an old term',
  'session-fenced': 'a newer holder of a session was there first',
  'session-expires': 'a caller is told that its session ended',
  'retry-in-expired-session': 'the same of a request that was sent before',
  'outcome-unknown': 'a caller waits in vain',
  'window-full': 'a session has too many answers that its holder did not release',
  'log-lost-to-a-feed': 'who follows the changes is told that the log no longer has them',
} as const

/** The name of a rare state. */
export type RareState = keyof typeof rareStates

/** All names, in the order of the list. */
export const rareStateNames = Object.keys(rareStates) as readonly RareState[]

/** Says that the state is reached now. */
export type Mark = (state: RareState) => void

/** How often each was reached. */
export class Reached {
  readonly #counts = new Map<RareState, number>()

  /** Once more. */
  mark(state: RareState): void {
    this.#counts.set(state, (this.#counts.get(state) ?? 0) + 1)
  }

  /** Those that were reached. */
  toJSON(): Partial<Record<RareState, number>> {
    return Object.fromEntries(rareStateNames.flatMap(name => this.#pair(name)))
  }

  #pair(name: RareState): [RareState, number][] {
    const count = this.#counts.get(name)
    return count === undefined ? [] : [[name, count]]
  }
}
