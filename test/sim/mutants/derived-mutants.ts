/** Bugs of indexes and feeds. */
import { type Mutant, mutant } from './planting.js'

/** What is derived from the log. */
export const derivedMutants: readonly Mutant[] = [
  mutant(
    'passes over an entry at the start of each index batch',
    'derived/runner',
    'source.changes(from + 1, through)',
    'source.changes(from + 2, through)',
  ),
  mutant(
    'answers from an index that is behind',
    'derived/runner',
    `documents = this.#options.source.view();
            await this.#followThrough(store, documents.index);`,
    'documents = this.#options.source.view();',
  ),
  mutant(
    'writes rows of an index without a sync',
    'derived/index-store',
    'await write.write({ sync: true });',
    'await write.write();',
  ),
  mutant(
    'writes the position of an index before its rows',
    'derived/index-store',
    `pending.add(marker, sealMarker(marker));
        pending.add(markKeys.position, sealPosition(at));`,
    `const first = this.#store.batch();
     first.put(marker, sealMarker(marker));
     first.put(markKeys.position, sealPosition(at));
     await first.write({ sync: true });`,
  ),
  mutant(
    'takes a change into an index twice',
    'derived/index-notes',
    'Math.max(known?.version ?? 0, aside?.version ?? 0) < change.version',
    'true',
  ),
  mutant(
    'forgets in an index what a deleted document left',
    'derived/pending-batch',
    'return this.document !== undefined || this.isHeld;',
    'return this.document !== undefined;',
  ),
  mutant(
    'trusts an index of a log that is not here',
    'derived/runner',
    '(store.position > source.applied || store.position + 1 < source.firstIndex)',
    'false',
  ),
  mutant(
    'ends the building of an index before it has caught up',
    'derived/runner',
    'chunk.isLast && through >= chunk.index',
    'chunk.documents.length > 0 || chunk.isLast',
  ),
  mutant(
    'goes on in a feed behind the entry that was read in part',
    'replica/change-feed',
    'entry.index === this.#at.index ? own.slice(this.#at.count) : own',
    'entry.index === this.#at.index && this.#at.count > 0 ? [] : own',
  ),
  mutant(
    'tells the changes of an entry in a feed again',
    'replica/change-feed',
    'entry.index === this.#at.index ? own.slice(this.#at.count) : own',
    'own',
  ),
  mutant(
    'passes over an entry between two pieces of a feed',
    'replica/change-feed',
    '(entries.at(-1)?.index ?? through) + 1',
    '(entries.at(-1)?.index ?? through) + 2',
  ),
  mutant(
    'lets the holder before read a named feed on',
    'store/changes',
    'if (decodeSubscription(row.value).epoch === this.#epoch)',
    'if (true)',
  ),
  mutant(
    'lets an acknowledgement take a feed back',
    'machine/subscriptions',
    'if (!isBehind(now, position))',
    'if (false)',
  ),
  mutant(
    'lets the holder before acknowledge',
    'machine/subscriptions',
    'if (now.epoch !== epoch)',
    'if (false)',
  ),
]
