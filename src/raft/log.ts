/**
 * The log of one replica as the protocol sees it: the stored part behind an interface, the tail that is not
 * known to be durable in memory, and what of it is committed and applied.
 *
 *        snapshot ┐           stable ┐  handed ┐       last ┐
 *   ──────────────┼──────────────────┼─────────┼────────────┼
 *     compacted   │ storage          │ tail: on its way │ tail: to be handed out
 *
 * Always (asserted): applied <= applying <= commit <= last and applying <= stable <= handed <= last; nothing
 * committed is replaced; terms never fall along the log. An entry is applied only where it is durable here.
 */
import { assert, must } from '../base/assert.js'
import { type Entry, entryKinds } from '../base/entry.js'
import type { LogIndex, Term } from '../base/ids.js'
import { firstBytes, type LogStorage } from './log-storage.js'
import type { Place, Snapshot } from './messages.js'

/** Where a log stands when its replica starts. */
export interface LogStart {
  readonly storage: LogStorage
  readonly commit: LogIndex
  readonly applied: LogIndex
  /** Entries above `applied` that change the configuration, in order. */
  readonly configurations: readonly LogIndex[]
}

/** One replica's log. */
export class Log {
  readonly #storage: LogStorage
  /** Entries from stable + 1 on. */
  #tail: Entry[] = []
  /** Durable here, as attested in the present term: entries up to this one. */
  #stable: LogIndex
  /** Term of the entry there, which the storage need not have at hand for long. */
  #stableTerm: Term
  /** Handed out to be stored, up to this one. */
  #handed: LogIndex
  /** A snapshot that is not durable yet; then the log begins after it. */
  #installing: Snapshot | undefined
  #installHanded = false
  #commit: LogIndex
  #applying: LogIndex
  #applied: LogIndex
  /** What lies at or below this was taken over by a snapshot while it may have been handed out. */
  #replaced: LogIndex = 0
  /** Entries above `applied` that change the configuration, in order. */
  readonly #configurations: LogIndex[]

  constructor({ storage, commit, applied, configurations }: LogStart) {
    const { firstIndex, lastIndex } = storage
    assert(commit <= lastIndex, () => `commit ${commit} beyond the log, which ends at ${lastIndex}`)
    assert(applied <= lastIndex, () => `applied ${applied} beyond the log, which ends at ${lastIndex}`)
    assert(firstIndex - 1 <= applied, () => `the log begins at ${firstIndex}, ${applied} is applied: a hole`)
    this.#storage = storage
    this.#stable = lastIndex
    this.#stableTerm = lastIndex === 0 ? 0 : must(storage.term(lastIndex), 'the term of the last entry')
    this.#handed = lastIndex
    this.#applied = applied
    this.#applying = applied
    this.#commit = Math.max(commit, applied)
    this.#configurations = configurations.filter(index => index > applied)
  }

  get lastIndex(): LogIndex {
    return this.#stable + this.#tail.length
  }

  get lastTerm(): Term {
    return this.#tail.at(-1)?.term ?? this.#stableTerm
  }

  get firstIndex(): LogIndex {
    return this.#installing === undefined ? this.#storage.firstIndex : this.#installing.index + 1
  }

  get stable(): LogIndex {
    return this.#stable
  }

  get commit(): LogIndex {
    return this.#commit
  }

  get applying(): LogIndex {
    return this.#applying
  }

  get applied(): LogIndex {
    return this.#applied
  }

  /** A snapshot is being installed: until it is durable nothing is applied and no election begun. */
  get isInstalling(): boolean {
    return this.#installing !== undefined
  }

  /** True while an entry that changes the configuration is committed and not applied. */
  get hasUnappliedConfiguration(): boolean {
    const [first] = this.#configurations
    return first !== undefined && first <= this.#commit
  }

  /** The first entry above `applied` that changes the configuration. */
  get nextConfiguration(): LogIndex | undefined {
    return this.#configurations[0]
  }

  /** Term of the entry at the index: 0 at 0, undefined where there is none or none is known any more. */
  term(index: LogIndex): Term | undefined {
    if (index > this.#stable) return this.#tail[index - this.#stable - 1]?.term
    if (index === this.#stable) return this.#stableTerm
    if (this.#installing !== undefined && index <= this.#installing.index) {
      return index === this.#installing.index ? this.#installing.term : undefined
    }
    return index === 0 ? 0 : this.#storage.term(index)
  }

  /** The last entry that is committed; 0 and 0 if its term is not at hand. */
  get committed(): Place {
    const term = this.term(this.#commit)
    return term === undefined ? { index: 0, term: 0 } : { index: this.#commit, term }
  }

  /** True if the log has an entry of that term at the index. */
  has(index: LogIndex, term: Term): boolean {
    return this.term(index) === term
  }

  /** True if a log that ends so holds everything that this one may have committed (paper 5.4.1). */
  isUpToDate(lastIndex: LogIndex, lastTerm: Term): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex)
  }

  /** Entries from the index on, as many as fit, none if there are none; see `LogStorage`. */
  entries(from: LogIndex, bytesMax: number): readonly Entry[] | 'absent' | 'compacted' {
    if (from > this.lastIndex) return []
    if (from < this.firstIndex) return 'compacted'
    if (from > this.#stable) return firstBytes(this.#tail.slice(from - this.#stable - 1), bytesMax)
    const stored = this.#storage.entries(from, this.#stable, bytesMax)
    const isAll = typeof stored !== 'string' && from + stored.length > this.#stable
    return isAll && this.#tail.length > 0 ? firstBytes([...stored, ...this.#tail], bytesMax) : stored
  }

  /** The newest snapshot to send. */
  snapshot(): Snapshot | undefined {
    return this.#installing === undefined ? this.#storage.snapshot() : undefined
  }

  /**
   * The last place at or below the index whose term is not above the given one: before it two logs may meet,
   * behind it they cannot. Skips a whole term at a step of the exchange. Index 0 meets always; a place whose
   * term is not known any more comes back with term 0.
   */
  meetingPlace(index: LogIndex, term: Term): Place {
    for (let place = index; place > 0; place--) {
      const own = this.term(place)
      if (own === undefined) return { index: place, term: 0 }
      if (own <= term) return { index: place, term: own }
    }
    return { index: 0, term: 0 }
  }

  /** A leader's own entries, at the end. */
  append(entry: Entry): void {
    const { lastIndex, lastTerm } = this
    const follows = entry.index === lastIndex + 1 && entry.term >= lastTerm
    if (!follows) assert(false, `entry ${entry.index}/${entry.term} after ${lastIndex}/${lastTerm}`)
    this.#push(entry)
  }

  /**
   * Entries of a leader after a place where the logs meet. What is here already stays; only from the first
   * entry of another term on is the log replaced, since a delayed append must never shorten it.
   */
  merge(entries: readonly Entry[]): void {
    const fresh = entries.findIndex(entry => !this.has(entry.index, entry.term))
    const first = entries[fresh]
    if (first === undefined) return
    assert(first.index > this.#commit, () => `entry ${first.index} replaces a committed one, ${this.#commit}`)
    if (first.index <= this.lastIndex) this.#truncateFrom(first.index)
    for (const entry of entries.slice(fresh)) this.append(entry)
  }

  /** True if the index is news. It never falls and never lies beyond the log. */
  commitTo(index: LogIndex): boolean {
    if (index <= this.#commit) return false
    assert(index <= this.lastIndex, () => `commit ${index} beyond the log, which ends at ${this.lastIndex}`)
    this.#commit = index
    return true
  }

  /** What a snapshot stands for replaces the whole log. */
  install(snapshot: Snapshot): void {
    const { index } = snapshot
    assert(index > this.#commit, () => `snapshot at ${index}, committed is ${this.#commit}`)
    this.#installing = snapshot
    this.#installHanded = false
    this.#tail = []
    this.#stable = index
    this.#stableTerm = snapshot.term
    this.#handed = index
    this.#commit = index
    this.#replaced = index
    this.#configurations.length = 0
  }

  get hasUnhanded(): boolean {
    return this.#handed < this.lastIndex || (this.#installing !== undefined && !this.#installHanded)
  }

  /** True while something that was or will be handed out is not known to be durable. */
  get isUnstable(): boolean {
    return this.#tail.length > 0 || this.#installing !== undefined
  }

  /** Takes what has to be stored; each thing is handed out once. */
  hand(): { readonly entries: readonly Entry[]; readonly snapshot: Snapshot | undefined } {
    const snapshot = this.#installHanded ? undefined : this.#installing
    this.#installHanded = this.#installing !== undefined
    const entries = this.#tail.slice(this.#handed - this.#stable)
    this.#handed = this.lastIndex
    return { entries, snapshot }
  }

  /**
   * Entries up to this one are durable, if it is still of that term: an attestation of what was replaced
   * meanwhile counts for nothing.
   */
  stored(index: LogIndex, term: Term): void {
    if (index <= this.#stable || !this.has(index, term)) return
    assert(index <= this.#handed, () => `durable ${index} beyond what was handed out, ${this.#handed}`)
    this.#tail.splice(0, index - this.#stable)
    this.#stable = index
    this.#stableTerm = term
  }

  /** The snapshot is durable, and with it the state: its index is applied. */
  installed(index: LogIndex): void {
    if (this.#installing?.index !== index) return
    this.#installing = undefined
    this.#applying = index
    this.#applied = index
  }

  /** The last entry that may be handed out for application: committed and durable here. */
  get applicable(): LogIndex {
    return this.isInstalling ? this.#applying : Math.min(this.#commit, this.#stable)
  }

  /** Hands out entries for application, at most so many at once and not yet applied. */
  apply(countMax: number): { readonly from: LogIndex; readonly through: LogIndex } | undefined {
    const through = Math.min(this.applicable, this.#applied + countMax)
    if (through <= this.#applying) return undefined
    const from = this.#applying + 1
    this.#applying = through
    return { from, through }
  }

  /** True if a snapshot took the place of this entry: what is still said of it counts for nothing. */
  isReplaced(index: LogIndex): boolean {
    return index <= this.#replaced
  }

  /** Everything up to the index is applied. */
  appliedTo(index: LogIndex): void {
    const [configuration] = this.#configurations
    assert(index <= this.#applying, () => `applied ${index} beyond what was handed out, ${this.#applying}`)
    assert(index >= this.#applied, () => `applied falls from ${this.#applied} to ${index}`)
    assert(
      configuration === undefined || configuration > index,
      () => `change ${configuration} was not applied`,
    )
    this.#applied = index
  }

  /** The change of the configuration at the index is being applied. */
  configurationApplied(index: LogIndex): void {
    const first = this.#configurations.shift()
    assert(first === index, () => `the change at ${index} is applied, the next one is at ${first}`)
    assert(index <= this.#applying, () => `the change at ${index} was not handed out for application`)
  }

  #push(entry: Entry): void {
    this.#tail.push(entry)
    if (entry.kind === entryKinds.configuration) this.#configurations.push(entry.index)
  }

  #truncateFrom(index: LogIndex): void {
    if (index > this.#stable) {
      this.#tail.length = index - this.#stable - 1
    } else {
      const term = must(this.term(index - 1), `the term of entry ${index - 1}`)
      this.#tail = []
      this.#stable = index - 1
      this.#stableTerm = term
    }
    this.#handed = Math.min(this.#handed, index - 1)
    while ((this.#configurations.at(-1) ?? 0) >= index) this.#configurations.pop()
  }
}
