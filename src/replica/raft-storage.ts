/**
 * Carries out what Raft wants stored and read of one partition's log, and remembers beside it who belongs to
 * the group and whether this replica recovers.
 *
 * All of it goes to the write-ahead log in the order in which it comes up, and what is durable there is a
 * prefix of that: so no vote and no acknowledgement is durable without the change of the group, or the end or
 * beginning of a recovery, that came before it.
 */
import type { Entry } from '../base/entry.js'
import type { LogIndex, PartitionId, ReplicaId } from '../base/ids.js'
import type { Inbound, NeedEntries, PeerMessage, StorageAppend } from '../raft/messages.js'
import type { Raft } from '../raft/raft.js'
import {
  hardStateRegister,
  opaqueRegister,
  type Register,
  recoveringRegister,
  registerKinds,
  voidRegister,
} from '../wal/registers.js'
import type { Wal } from '../wal/wal.js'
import { cappedTo, partsOf } from './append-parts.js'
import type { Memberships } from './memberships.js'
import type { StoredLog } from './stored-log.js'

/** What it works with. */
export interface RaftStorageParts {
  readonly partition: PartitionId
  readonly replica: ReplicaId
  readonly wal: Wal
  readonly log: StoredLog
  readonly memberships: Memberships
  /** As the write-ahead log has it. */
  readonly isRecovering: boolean
  /** Takes a response; does nothing after a failure. */
  readonly step: (response: Inbound) => void
  /** To another replica. */
  readonly send: (message: PeerMessage) => void
}

/** The storage of one replica, as its Raft knows it. */
export class RaftStorage {
  readonly #parts: RaftStorageParts
  #isRecovering: boolean

  constructor(parts: RaftStorageParts) {
    this.#parts = parts
    this.#isRecovering = parts.isRecovering
  }

  /**
   * What one turn proposed may be more than a batch of the log holds: it goes out in parts, the hard state
   * with the first and the responses after the last. A crash between them leaves a prefix, as of a log, so
   * the hard state may name no commit beyond its part.
   */
  append({ entries, hardState, responses }: StorageAppend): void {
    const { partition, wal } = this.#parts
    const parts = partsOf(entries)
    for (const [place, part] of parts.entries()) {
      const registers =
        place > 0 || hardState === undefined ? [] : [hardStateRegister(cappedTo(hardState, part))]
      const isLast = place === parts.length - 1
      wal.append({ partition, entries: part, registers }, error => {
        if (error === undefined && isLast) this.#stored(responses)
      })
    }
  }

  /** Reads entries for a replica that is far behind. */
  load(request: NeedEntries): void {
    void this.#parts.log.load(request).then(this.#parts.step)
  }

  /** A change of the group is applied; one that counted before this start is not made anew. */
  changeGroup(entry: Entry, raft: Raft): void {
    const { memberships } = this.#parts
    if (entry.index <= memberships.newest.index) return
    memberships.add(entry.index, raft.applyConfiguration(entry))
    this.#record(opaqueRegister('configuration', memberships.encode()))
  }

  /** Remembers whether this replica recovers; call before anything leaves that rests on it. */
  noteRecovery(isRecovering: boolean, applied: LogIndex): void {
    if (isRecovering === this.#isRecovering) return
    this.#isRecovering = isRecovering
    this.#record(
      isRecovering ? recoveringRegister({ fromIndex: applied + 1 }) : voidRegister(registerKinds.recovering),
    )
  }

  #stored(responses: StorageAppend['responses']): void {
    const { replica, step, send } = this.#parts
    for (const response of responses) {
      if (response.type === 'storageAppended' || response.to === replica) step(response)
      else send(response)
    }
  }

  /** A log that fails stops its host: nobody waits for this. */
  #record(register: Register): void {
    const { partition, wal } = this.#parts
    wal.append({ partition, registers: [register] }, () => {})
  }
}
