/**
 * Forgets request ids that were kept for their life in the data partition's log time.
 *
 * That one is over stands in no place but its row, so all are looked at, in pages; rarely: a look that has
 * seen all knows when the next one can find something. What a decision drops is what that decision finds too
 * old, so a row that changed since the look is left alone.
 */
import type { LogTime } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { RowKey } from '../codec/row.js'
import { droppedPerEntryMax } from '../machine/decide-requests.js'
import { requestCountPrefix, requestPrefix } from '../machine/keys.js'
import { requestTime } from '../machine/requests.js'
import type { Partition } from './partition.js'

/** The shortest log time between two looks: each reads every kept id, up to 1 GiB of them. */
const looksApartMs = 10 * 60_000

/** The expiry of one partition's request ids. */
export class RequestExpiry {
  readonly #partition: Partition
  readonly #limits: Limits
  readonly #sender = {}
  /** Before this log time no id is over, or the last look was a moment ago. */
  #due: LogTime = 0
  #looking = false

  constructor(partition: Partition, limits: Limits) {
    this.#partition = partition
    this.#limits = limits
  }

  /**
   * Drops what is over. While there are ids the log is told the time: what passed must not be forgotten at
   * each restart, or they would be kept for ever. Rejects as the replica does.
   */
  async expire(): Promise<void> {
    if (this.#looking || this.#partition.state.partitionRows(requestCountPrefix).length === 0) return
    this.#looking = true
    try {
      if (this.#partition.logTime() >= this.#due) this.#due = await this.#look()
    } finally {
      this.#looking = false
    }
    this.#partition.recordTime(this.#limits.unloggedTimeMsMax)
  }

  /** Drops what is over, and resolves with the log time at which to look again. */
  async #look(): Promise<LogTime> {
    const life = this.#limits.requestIdLifeMs
    const now = this.#partition.logTime()
    let oldest = now
    let over: RowKey[] = []
    for await (const page of this.#partition.state.scan({
      gte: requestPrefix,
      lt: `${requestPrefix}\xff\xff`,
    })) {
      for (const [key, row] of page) {
        const time = requestTime(row.value)
        if (time + life > now) oldest = Math.min(oldest, time)
        else over.push(key)
        if (over.length === droppedPerEntryMax) over = await this.#drop(over)
      }
    }
    await this.#drop(over)
    return Math.max(oldest + life, now + Math.min(looksApartMs, life))
  }

  async #drop(keys: readonly RowKey[]): Promise<RowKey[]> {
    if (keys.length > 0) await this.#partition.call({ type: 'dropRequests', keys }, this.#sender)
    return []
  }
}
