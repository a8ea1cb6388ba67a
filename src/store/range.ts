/** Ranges of document keys, as ranges of rows. */
import { SillokError } from '../base/errors.js'
import { encodeKeyText, encodeTextPrefix, tuplePrefixEnd } from '../base/tuple.js'
import { keyText, type RowKey } from '../codec/row.js'
import type { ScanOptions } from './options.js'

/** Rows with gte <= key < lt; undefined if the range holds nothing. */
export function scanRange(prefix: RowKey, options: ScanOptions): { gte: RowKey; lt: RowKey } | undefined {
  const { gte, gt, lt, lte } = options
  if (options.prefix !== undefined) {
    if (gte !== undefined || gt !== undefined || lt !== undefined || lte !== undefined) {
      throw new SillokError('INVALID', 'scan: prefix goes without gte, gt, lt and lte')
    }
    const start = encodeTextPrefix([], options.prefix)
    return { gte: prefix + keyText(start), lt: prefix + keyText(tuplePrefixEnd(start)) }
  }
  if (gte !== undefined && gt !== undefined) throw new SillokError('INVALID', 'scan: gte or gt, not both')
  if (lt !== undefined && lte !== undefined) throw new SillokError('INVALID', 'scan: lt or lte, not both')
  const first =
    gt !== undefined ? after(prefix, gt) : gte !== undefined ? prefix + encodeKeyText(gte) : prefix
  const end =
    lte !== undefined ? after(prefix, lte) : lt !== undefined ? prefix + encodeKeyText(lt) : undefined
  const range = { gte: first, lt: end ?? `${prefix}\xff` }
  return range.gte < range.lt ? range : undefined
}

/** The first row key after that of the document: an encoded key is never the beginning of another one's. */
function after(prefix: RowKey, key: string | number): RowKey {
  return `${prefix}${encodeKeyText(key)}\0`
}
