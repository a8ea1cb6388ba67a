/**
 * Rows of an index as they are once some operations are written that are not yet: what was put or deleted
 * hides what is stored.
 */

import { limits } from '../base/limits.js'
import type { IndexRange, IndexRow, IndexRows } from './contract.js'
import type { PendingBatch } from './pending-batch.js'

/** Stored rows under operations on them. */
export class OverlayRows implements IndexRows {
  readonly #stored: IndexRows
  /** By key as Latin-1; without a value the row is gone. */
  readonly #written = new Map<string, readonly [key: Buffer, value: Buffer | undefined]>()

  constructor(stored: IndexRows) {
    this.#stored = stored
  }

  /** From now on as if that was written. */
  write(batch: PendingBatch): void {
    for (const [key, value] of batch.rows()) this.#written.set(key.toString('latin1'), [key, value])
  }

  pause(): Promise<void> | undefined {
    return this.#stored.pause()
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    const found = await this.#stored.getMany(keys)
    return found.map((value, at) => {
      const written = this.#written.get(Buffer.from(keys[at] ?? []).toString('latin1'))
      return written === undefined ? value : written[1]
    })
  }

  async *scan(range: IndexRange, pageRows: number = limits.scanPageRows): AsyncGenerator<IndexRow[]> {
    const order = range.reverse === true ? -1 : 1
    const written = [...this.#written.values()]
      .filter(([key]) => isWithin(key, range))
      .sort(([one], [other]) => order * Buffer.compare(one, other))
    let next = 0
    let page: IndexRow[] = []
    const add = (key: Buffer, value: Buffer | undefined): void => {
      if (value !== undefined) page.push([key, value])
    }
    for await (const rows of this.#stored.scan(range, pageRows)) {
      for (const [key, value] of rows) {
        let isHidden = false
        for (; next < written.length; next++) {
          const [own, ownValue] = written[next] as readonly [Buffer, Buffer | undefined]
          const compared = order * Buffer.compare(own, key)
          if (compared > 0) break
          isHidden ||= compared === 0
          add(own, ownValue)
        }
        if (!isHidden) add(key, value)
      }
      for (; page.length >= pageRows; page = page.slice(pageRows)) yield page.slice(0, pageRows)
    }
    for (const [key, value] of written.slice(next)) add(key, value)
    for (let at = 0; at < page.length; at += pageRows) yield page.slice(at, at + pageRows)
  }
}

function isWithin(key: Buffer, { gte, gt, lt, lte }: IndexRange): boolean {
  return (
    (gte === undefined || Buffer.compare(key, gte) >= 0) &&
    (gt === undefined || Buffer.compare(key, gt) > 0) &&
    (lt === undefined || Buffer.compare(key, lt) < 0) &&
    (lte === undefined || Buffer.compare(key, lte) <= 0)
  )
}
