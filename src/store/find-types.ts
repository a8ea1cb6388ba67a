/**
 * How `find` is typed: by the definition, when the collection is told of it (`collection<User, typeof
 * users>`), else by nothing but the general form of a question.
 */
import type { IndexField, IndexQuery } from '../derived/secondary/index-query.js'
import type { SecondaryQuery } from '../derived/secondary/query.js'

/** Names of the indexes in a definition; any text without one. */
export type IndexName<D> = D extends { readonly indexes: infer Indexes } ? keyof Indexes & string : string

/** Questions to the index of that name over documents T. */
export type FindQuery<T, D, Name extends string> = D extends {
  readonly indexes: { readonly [N in Name]: infer Index }
}
  ? QueryOf<T, Index>
  : SecondaryQuery

type QueryOf<T, Index> = Index extends { readonly fields: infer Fields extends readonly IndexField<T>[] }
  ? Index extends { readonly each: infer Each extends Fields[number] }
    ? IndexQuery<T, Fields, Each>
    : IndexQuery<T, Fields>
  : SecondaryQuery
