/** Bugs of the write-ahead log, the segments and the state: what is durable, when, and where it is found. */
import { alsoIn, type Mutant, mutant } from './planting.js'

/** The write-ahead log. */
export const logMutants: readonly Mutant[] = [
  mutant('uses a log file that was never durable', 'wal/recovery', 'file.isFinished && ', ''),
  mutant(
    'tells that a batch is durable before it is written',
    'wal/commit-loop',
    'await this.#writer.commit(current, flags, 0, this.#isLone(filled.entries));',
    `const isLone = this.#isLone(filled.entries);
     for (const done of filled.dones.splice(0)) done();
     await this.#writer.commit(current, flags, 0, isLone);`,
  ),
  mutant(
    'leaves the last batch of an earlier life where it is',
    'wal/recovery',
    'const unit = clean ? [] : lastUnit(newest);',
    'const unit = [];',
  ),
  alsoIn(
    mutant(
      'takes a damaged batch for a torn one',
      'wal/recovery',
      'if (file.later.length > 0)',
      'if (false)',
    ),
    'wal/recovery',
    'if (durable !== undefined && durable > last)',
    'if (false)',
  ),
  mutant('does not repeat a hard state', 'wal/batch-maker', 'if (!opening)', 'if (false)'),
  mutant('does not sync the folder of a new log file', 'wal/wal-file', 'await disk.syncFolder(folder);', ''),
  alsoIn(
    mutant(
      'gives up a log file whose entries are needed',
      'wal/ring',
      'file => this.usage.bytesIn(file.sequence) > 0',
      '() => false',
    ),
    'wal/ring',
    'assert(this.usage.bytesIn(file.sequence) === 0,',
    'assert(true,',
  ),
  mutant(
    'restates in a new log file what no batch holds yet',
    'wal/partition-log',
    'return [...this.written].map(',
    'return [...this.registers].map(',
  ),
  mutant(
    'forgets in a new log file what is released',
    'wal/partition-log',
    'if (this.written.has(registerKinds.created) && this.released > this.toldReleased)',
    'if (false)',
  ),
  mutant(
    'keeps entries that were replaced',
    'wal/replay',
    `if (!copy) {
            for`,
    `if (false) {
            for`,
  ),
]

/** The segments. */
export const segmentMutants: readonly Mutant[] = [
  mutant('records a segment as synced that is not', 'segments/segment-writer', 'await open.file.sync();', ''),
  mutant('seals a segment that is not synced', 'segments/segment-writer', 'await file.sync();', ''),
  mutant(
    'does not sync the folder of a sealed segment',
    'segments/segment-writer',
    'await disk.syncFolder(folder);',
    '',
  ),
  mutant(
    'takes the name of an open segment for durable',
    'segments/segment-writer',
    'named: false',
    'named: true',
  ),
  mutant(
    'cuts a segment where a write happens to end',
    'segments/segment-writer',
    'if (room <= 0)',
    'if (false)',
  ),
  mutant(
    'gives up the newest sealed segment',
    'segments/segment-log',
    'this.#writer.recorded.slice(0, -1)',
    'this.#writer.recorded',
  ),
  mutant(
    'reads an entry without a look at its segment',
    'segments/segment-log',
    'if (from < this.#firstIndex)',
    'if (false)',
  ),
]

/** The state. */
export const stateMutants: readonly Mutant[] = [
  mutant('lets a part of the rows pass for the whole', 'state/scan', 'this.#isCut = true;', ''),
  alsoIn(
    mutant(
      'records a checkpoint of what is not flushed',
      'state/maintenance',
      'const checkpoint = { index, digests, tables };',
      'const checkpoint = { index: this.#parts.applied(), digests: this.#parts.digests.copy(), tables };',
    ),
    'state/maintenance',
    'await proveCheckpoint(store, index);',
    'await proveCheckpoint(store, this.#parts.applied());',
  ),
  mutant('does not compact for a checkpoint', 'state/checkpoint', 'await store.compact();', ''),
  mutant('trusts a compaction without a probe', 'state/checkpoint', 'await probe.write({ sync: true });', ''),
  mutant(
    'forgets to remove a row that came back in a replay',
    'state/flush',
    'else if (!form.born || !job.skipsUnborn)',
    'else if (!form.born)',
  ),
  mutant(
    'flushes a window of replies as it is now',
    'state/windows',
    'if (this.#frozen.size > 0 && this.#frozen.get(window) === undefined && this.#frozen.has(window))',
    'if (false)',
  ),
  mutant(
    'leaves an empty window in the store',
    'state/windows',
    'else if (window.stored)',
    'else if (false)',
  ),
  mutant(
    'forgets kept replies in a snapshot',
    'state/snapshot-writer',
    'if (key[0] === markKind)',
    'if (key[0] === markKind || key[0] === 0x73)',
  ),
  mutant(
    'does not take a deleted row out of the digest',
    'state/state',
    'this.#digests.replace(slot, 0, 0, prev0, prev1);',
    '',
  ),
  mutant(
    'does not take dropped replies out of the digest',
    'state/state',
    'this.#digests.replace(fact.slot, 0, 0, fact.sum0, fact.sum1);',
    '',
  ),
  mutant(
    'looks into the store before the generation that is being flushed',
    'state/layers',
    'return row !== undefined || this.#frozen === undefined ? row : this.#frozen.get(key);',
    'return row;',
  ),
  mutant(
    'takes a loaded row for what it is now',
    'state/loaded',
    'return change === undefined ? this.#rows.get(key) : change;',
    'return this.#rows.has(key) ? this.#rows.get(key) : change;',
  ),
  mutant(
    'keeps no older form for who reads on',
    'state/generation',
    'if (form.index <= newestReader)',
    'if (false)',
  ),
  mutant(
    'reads before the replay has passed what the store holds',
    'state/state',
    'return this.#applied >= this.#newest;',
    'return true;',
  ),
  mutant(
    'takes the store for older than it is',
    'state/maintenance',
    'newest: Math.max(newest, generation.upTo)',
    'newest: generation.from',
  ),
]
