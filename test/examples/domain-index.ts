/**
 * An index type of one's own: the keys of the documents whose e-mail address is of a domain.
 *
 *     const db = await open({ dir: './data', indexTypes: [domainIndex] })
 *     await db.define('users', { key: 'id', indexes: { byDomain: { type: 'domain' } } })
 *     for await (const key of db.collection('users').query('byDomain', 'example.com')) console.log(key)
 *
 * `test/laws/index-subjects.ts` puts it under the laws of indexes (`sillok/testing`). What to take from it:
 *
 * - An index type is a function from documents to rows. It reads nothing but what it is given: no clock, no
 *   chance, no file.
 * - It leaves a note with each document, by which it takes back what it wrote for it before.
 * - A question reads rows in pages, all as of one moment. What takes long asks `rows.pause()` at times, and
 *   awaits it.
 */
import { type DocumentKey, decodeTuple, encodeTuple, type IndexType } from 'sillok'

/** The type; its questions are domains, its hits the documents' keys. */
export const domainIndex: IndexType<object, string, DocumentKey> = {
  type: 'domain',
  // Raised when the same documents would give other rows.
  version: 1,
  // Checks what the definition says besides the type.
  configure: () => ({}),
  open: () => ({
    apply(changes, _rows, ops) {
      for (const change of changes) {
        const domain = domainOf(change.document?.['email'])
        const row = domain === undefined ? undefined : encodeTuple([domain, change.key])
        // The row that the document has so far.
        if (change.note !== undefined) ops.delete(change.note)
        if (row !== undefined) ops.put(row, Buffer.of())
        ops.note(change, row)
      }
    },
    async *query(domain, rows) {
      const begin = encodeTuple([domain])
      const range = { gte: begin, lt: Buffer.concat([begin, Buffer.of(0xff)]) }
      for await (const page of rows.scan(range)) yield page.map(([row]) => keyIn(row))
    },
  }),
}

function domainOf(email: unknown): string | undefined {
  return typeof email === 'string' ? email.split('@')[1] : undefined
}

function keyIn(row: Buffer): DocumentKey {
  const [, key] = decodeTuple(row)
  return key as DocumentKey
}
