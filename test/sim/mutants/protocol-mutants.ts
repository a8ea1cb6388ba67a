/** Bugs of the protocol that its own tests do not plant. */
import { type Mutant, mutant } from './planting.js'

/** Worth a whole world. */
export const moreProtocolMutants: readonly Mutant[] = [
  mutant(
    'wins with half of the votes',
    'raft/quorum',
    'return Math.floor(count / 2) + 1;',
    'return Math.max(1, Math.floor(count / 2));',
  ),
  mutant(
    'counts who has not answered as a vote',
    'raft/quorum',
    'votes.filter(vote => vote === true)',
    'votes.filter(vote => vote !== false)',
  ),
  mutant(
    'lets a learner campaign',
    'raft/configuration',
    'return configuration.voters.includes(replica) || configuration.outgoing.includes(replica);',
    'return membersOf(configuration).includes(replica);',
  ),
  mutant(
    'hands leadership to who is behind',
    'raft/replication',
    `if (progress.match === core.log.lastIndex)
        sendCampaignNow(core, leader);
    else`,
    `if (true)
        sendCampaignNow(core, leader);
    else`,
  ),
  mutant(
    'takes a snapshot over a longer log that holds it',
    'raft/following',
    `if (log.has(index, term)) {
        log.commitTo(index);
        return false;
    }`,
    '',
  ),
  mutant(
    'installs a snapshot that is older than its log',
    'raft/following',
    `if (index <= log.commit)
        return false;`,
    '',
  ),
  mutant(
    'forgets a recovery at its next start',
    'replica/open-replica',
    'recovering: register(registerKinds.recovering) !== undefined',
    'recovering: false',
  ),
]
