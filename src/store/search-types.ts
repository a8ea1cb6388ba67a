/**
 * Searches as the compiler sees them: options, answers, and what a definition says of both. A definition must
 * be written `as const`, else names and fields are any text.
 */
import type { Version } from '../base/ids.js'
import type { DocumentKey } from '../base/tuple.js'
import type { HighlightOptions } from '../derived/search/document-highlights.js'
import type { FilterBounds, SearchFilter } from '../derived/search/filter.js'
import type { IndexedValue } from '../derived/secondary/index-query.js'
import type { FindOptions } from './options.js'

/** How a collection is searched. */
export interface SearchOptions<Where = SearchFilter, Field extends string = string> extends FindOptions {
  /** Hits in the page at most: 1 to `limits.searchHitsMax`; 10. */
  readonly limit?: number | undefined
  /** The `cursor` of the page before: gives the one after it. */
  readonly cursor?: string | undefined
  /**
   * `all`: each word is required; `any`: one is enough. Default: any, but a text that is a single run of
   * Hangul finds what contains it as it is written.
   */
  readonly match?: 'any' | 'all' | undefined
  /** True: the last word is still being typed. Default false. */
  readonly prefix?: boolean | undefined
  /** By filter of the index: a value, a list of values of which one is enough, or bounds. */
  readonly where?: Where | undefined
  /** Fragments of the texts, with marks: true, or which. Default false. */
  readonly highlight?: boolean | HighlightOptions<Field> | undefined
}

/** A document that answers a search. */
export interface FoundDocument<T> {
  readonly key: DocumentKey
  readonly version: Version
  /** The higher the better; comparable within one answer only. */
  readonly score: number
  readonly document: T
  /**
   * If asked for: by field, its fragments as HTML. The text is escaped, what was asked for stands in
   * `<mark>`. A field in which nothing is marked is left out.
   */
  readonly highlights?: Readonly<Record<string, readonly string[]>>
}

/** One page of a search, the best first. */
export interface SearchPage<T> {
  readonly hits: readonly FoundDocument<T>[]
  /** Gives the next page; undefined: there is none. */
  readonly cursor: string | undefined
  /** The entry of the log up to which the answer shows everything. */
  readonly position: number
  /**
   * There if not 0: documents that the index could not take as they are now (`onError: 'park'`). They are
   * left out, so a page may be shorter than `limit`.
   */
  readonly parked?: number
}

/** Names of the search indexes in a definition; any text without one. */
export type SearchName<D> = D extends { readonly indexes: infer Indexes }
  ? { [Name in keyof Indexes & string]: IfSearch<Indexes[Name], Name> }[keyof Indexes & string]
  : string

/** A type that is any text may be that of a search index. */
type IfSearch<Index, Name> = Index extends { readonly type: infer Type }
  ? 'search' extends Type
    ? Name
    : never
  : Name

/** Options of searches in the index of that name over documents T. */
export type SearchOptionsOf<T, D, Name extends string> = D extends {
  readonly indexes: { readonly [N in Name]: infer Index }
}
  ? SearchOptions<WhereOf<T, Index>, FieldOf<Index>>
  : SearchOptions

type FieldOf<Index> = Index extends { readonly fields: readonly (infer Field)[] }
  ? Field extends { readonly field: infer Name extends string }
    ? Name
    : Extract<Field, string>
  : string

type WhereOf<T, Index> = Index extends { readonly filters: readonly (infer Filter extends string)[] }
  ? string extends Filter
    ? SearchFilter
    : { readonly [Name in Filter]?: Condition<Value<T, Name>> | undefined }
  : Index extends { readonly type: infer Type }
    ? string extends Type
      ? SearchFilter
      : Readonly<Record<string, never>>
    : SearchFilter

/** What a filter holds of a document: of a list each element. A path into an object is not followed. */
type Value<T, Name extends string> = Name extends keyof T
  ? Element<Exclude<T[Name], undefined>> | Absent<T[Name]>
  : Name extends `${string}.${string}`
    ? Element<IndexedValue<T, Name>>
    : never

type Element<Of> = Of extends readonly (infer One)[] ? One : Of

type Absent<Of> = undefined extends Of ? null : null extends Of ? null : never

type Condition<One> =
  | One
  | readonly One[]
  | { readonly [Bound in keyof FilterBounds]?: Exclude<One, null> | undefined }
