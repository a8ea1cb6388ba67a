/** What the laws of derived indexes are put to: a type, and what it is to be asked and told. */
import type { Random } from '../base/random.js'
import type { DocumentKey } from '../base/tuple.js'
import type { IndexType } from '../derived/contract.js'

/** Documents by their keys. */
export type KnownDocuments = ReadonlyMap<DocumentKey, Readonly<Record<string, unknown>>>

/** A type of index, and the makers of what it meets. */
export interface IndexSubject<Config = unknown, Query = unknown, Hit = unknown> {
  readonly type: IndexType<Config, Query, Hit>
  readonly random: Random
  /** What a definition says of an index besides its type. */
  definition(random: Random): Readonly<Record<string, unknown>>
  /**
   * A document that the index can take; its key is not part of it. The laws find more if there are documents
   * that give the same rows, several rows and none.
   */
  document(random: Random): Record<string, unknown>
  /** A question; often one that some document answers. */
  question(random: Random): Query
  /** What a question is answered with, in its order, by reading all documents. */
  answer?(config: Config, question: Query, documents: KnownDocuments): readonly unknown[]
  /** What of a hit `answer` says; all of it if not given. */
  seen?(hit: Hit): unknown
  /** A document that the index cannot take: its `check` refuses it, or `apply` throws. */
  poison?(random: Random): Record<string, unknown>
  /** What must be refused with INVALID. */
  readonly wrongDefinitions?: readonly Readonly<Record<string, unknown>>[]
  /** What must be refused with INVALID. */
  readonly wrongQuestions?: readonly unknown[]
}
