/** Bugs that break one rule each, most of them too rare for random schedules; the rule must see them. */
import type { Mutant } from '../sim/mutants/planting.js'
import { mutant } from '../sim/raft/mutants.js'

/** A bug and the beginning of the rule that it breaks. */
export const ruleMutants: readonly (readonly [mutant: Mutant, rule: string])[] = [
  [
    mutant(
      'as a new leader forgets changes that are on their way',
      'role',
      'this.pendingConfiguration = lastIndex',
      'this.pendingConfiguration = 0',
    ),
    'a new leader proposes no change',
  ],
  [
    mutant(
      'elects itself against its own word',
      'election',
      'core.options.leaseReads && core.keepsLease',
      'false',
    ),
    'who has promised a lease',
  ],
  [
    mutant('counts entries of an old term', 'replication', 'index < leader.termStart || ', ''),
    'an entry of an older term is not counted',
  ],
  [
    mutant('elects by the incoming half', 'quorum', 'majorityVote(electorate.outgoing, voteOf)', "'won'"),
    'no election is won by one half',
  ],
  [
    mutant(
      'campaigns under a configuration that is overtaken',
      'election',
      '&& !core.log.hasUnappliedConfiguration',
      '',
    ),
    'who has not applied a committed change',
  ],
  [
    mutant('believes a stale append completion', 'raft', 'if (term === this.#core.term)', ''),
    'a completion that is overtaken',
  ],
  [
    mutant(
      'commits what it did not compare',
      'following',
      'Math.min(commit, last)',
      'Math.min(commit, log.lastIndex)',
    ),
    'a follower commits no further',
  ],
  [
    mutant(
      'forgets the reads that a smaller quorum has confirmed',
      'membership',
      'answerConfirmedReads(core, leader)',
      'void answerConfirmedReads',
    ),
    'a read that waits for who is removed',
  ],
  [
    mutant('answers reads before its first commit', 'reading', 'core.log.commit < leader.termStart', 'false'),
    'before its first commit',
  ],
  [
    mutant('leaves joint though nobody asked for it', 'membership', '!configuration.autoLeave || ', ''),
    'one that is to be left',
  ],
  [
    mutant('lets a late answer confirm all reads', 'reads', 'read.round > reached', 'false'),
    'a leader that is cut off answers no read',
  ],
  [
    mutant('keeps its lease after a transfer', 'reading', '|| role.leaseForfeited', ''),
    'who may campaign by the word',
  ],
  [
    mutant('votes while it recovers', 'election', '&& core.recovering === undefined', ''),
    'a replica that may have lost',
  ],
  [
    mutant('stays leader without a vote', 'membership', '!isVoter(core.configuration, core.id)', 'false'),
    'a leader that is removed',
  ],
  [
    mutant('keeps to itself what is committed', 'election', 'log.commitTo(index)', ''),
    'the last voter of a new configuration',
  ],
  [
    mutant('votes against its lease', 'raft', '!message.transfer && core.keepsLease', 'false'),
    'who hears a leader refuses',
  ],
  [
    mutant('leads on without a quorum', 'raft', '!hearsQuorum(core, leader)', 'false'),
    'an old leader that only a bridge',
  ],
  [
    mutant(
      'goes back entry by entry',
      'following',
      'log.meetingPlace(Math.min(previousIndex, log.lastIndex), previousTerm)',
      '{ index: Math.min(previousIndex, log.lastIndex + 1) - 1, term: 0 }',
    ),
    'leader and follower find where',
  ],
]
