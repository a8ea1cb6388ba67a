/**
 * What the compiler says about indexes: in a definition, and in questions to a collection that is told of its
 * definition (`collection<User, typeof users>`). The definition must be written `as const`, else its fields
 * are any text and questions have nothing but their general form; so they have without a definition.
 */
import type { SecondaryDefinition } from '../derived/secondary/config.js'
import type { IndexField, IndexQuery } from '../derived/secondary/index-query.js'
import type { SecondaryQuery } from '../derived/secondary/query.js'

/**
 * Names of the secondary indexes in a definition, which `find` can ask; any text without one. Indexes of
 * other types are asked by `query`.
 */
export type IndexName<D> = D extends { readonly indexes: infer Indexes }
  ? { [Name in keyof Indexes & string]: IfSecondary<Indexes[Name], Name> }[keyof Indexes & string]
  : string

/** A type that is any text may be that of a secondary index. */
type IfSecondary<Index, Name> = Index extends { readonly type: infer Type }
  ? 'secondary' extends Type
    ? Name
    : never
  : Name

/** Questions to the index of that name over documents T. */
export type FindQuery<T, D, Name extends string> = D extends {
  readonly indexes: { readonly [N in Name]: infer Index }
}
  ? QueryOf<T, Index>
  : SecondaryQuery

type QueryOf<T, Index> = Index extends { readonly fields: infer Fields extends readonly string[] }
  ? string extends Fields[number]
    ? SecondaryQuery
    : Fields extends readonly IndexField<T>[]
      ? Index extends { readonly each: infer Each extends Fields[number] }
        ? IndexQuery<T, Fields, Each>
        : IndexQuery<T, Fields>
      : NoSuchField<Exclude<Fields[number], IndexField<T>>>
  : SecondaryQuery

/** No question fits: the index is on a field that the documents do not have, misspelt perhaps. */
export interface NoSuchField<Field> {
  readonly 'the documents have no such field': Field
}

/**
 * What a definition D must be besides: its secondary indexes have `fields`, and no option that they do not
 * know. What type an index has is known only where the definition is a literal, or `as const`.
 */
export type CheckedDefinition<D> = D extends { readonly indexes: infer Indexes }
  ? { readonly indexes: { readonly [Name in keyof Indexes]: CheckedIndex<Indexes[Name]> } }
  : unknown

type CheckedIndex<Index> = Index extends { readonly type: 'secondary' }
  ? SecondaryDefinition & { readonly [Other in Exclude<keyof Index, keyof SecondaryDefinition>]: never }
  : unknown
