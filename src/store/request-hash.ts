/**
 * What binds a number or an id to a request: the bytes as they are sent, not how or when.
 *
 * An update is bound to its verb and key alone: what it writes depends on what it finds.
 */
import { hash } from 'node:crypto'
import { checkRequestId } from '../base/request-id.js'
import { type RowKey, slotOfRow } from '../codec/row.js'
import type { Operation, RequestMark } from '../machine/command.js'
import { requestHashBytes } from '../machine/reply.js'

/**
 * The hash of these operations in their order; of a request with an id another one than without, and of
 * operations that stand each by itself another one than of a batch.
 */
export function requestHash(operations: readonly Operation[], id?: string, isEach = false): Buffer {
  const heads: string[] = []
  const name = `${id === undefined ? '' : `request ${id}\n`}${isEach ? 'each\n' : ''}`
  let size = Buffer.byteLength(name)
  for (const { op, collection, key, document, ifVersion } of operations) {
    const condition = ifVersion === undefined ? '' : String(ifVersion)
    const head = `${op} ${collection} ${key.length} ${document?.length ?? 0} ${condition}\n`
    heads.push(head)
    size += head.length + key.length + (document?.length ?? 0)
  }
  const bytes = Buffer.allocUnsafe(size)
  let at = bytes.write(name, 0)
  for (let i = 0; i < operations.length; i++) {
    const { key, document } = operations[i] as Operation
    at += bytes.write(heads[i] as string, at, 'latin1')
    at += bytes.write(key, at, 'latin1')
    if (document !== undefined) at += document.copy(bytes, at)
  }
  return bound(bytes)
}

/**
 * The first bytes of the digest. Taken as text: a digest as bytes gets memory of its own outside the heap,
 * which costs as much again as the hashing.
 */
function bound(bytes: Buffer): Buffer {
  return Buffer.from(hash('sha256', bytes, 'binary').slice(0, requestHashBytes), 'latin1')
}

/** Ties a write, of one operation or more, to the id. Throws INVALID or TOO_LARGE for what is no id. */
export function requestMark(id: string, operations: readonly Operation[]): RequestMark {
  return { id: checkRequestId(id), slot: slotOfRow(operations[0]?.key ?? ''), hash: requestHash(operations) }
}

/** Ties the update of that document to the id. Throws INVALID or TOO_LARGE for what is no id. */
export function updateMark(id: string, key: RowKey): RequestMark {
  const bytes = Buffer.from(`update ${key}`, 'latin1')
  return { id: checkRequestId(id), slot: slotOfRow(key), hash: bound(bytes) }
}
