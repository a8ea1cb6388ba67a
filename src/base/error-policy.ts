/** What an index does about a document that its type throws for. */

/**
 * - `stop`: the index fails, and tries again, until the document is replaced or deleted.
 * - `park`: the change is put aside, with the reason; other documents go on. The index keeps what it held for
 *   the document, and tries again with each later change of it, at each opening, and when it is asked to.
 * - `skip`: the document is left out, with what the index held for it, until a later change of it.
 */
export type ErrorPolicy = 'stop' | 'park' | 'skip'

/** All of them; the first is the default. */
export const errorPolicies = ['stop', 'park', 'skip'] as const satisfies readonly ErrorPolicy[]
