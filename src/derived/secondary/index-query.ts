/**
 * The type of questions to an index, from the documents' type and the index's fields: `eq` holds values of
 * the first fields, bounds values of the fields that follow, and `prefix` needs text there.
 */

/** How fields of T can be named. Of a path only the first name is checked; a wrong one has no values. */
export type IndexField<T> = {
  [Name in keyof T & string]: NonNullable<T[Name]> extends Leaf ? Name : Name | `${Name}.${string}`
}[keyof T & string]

type Leaf = string | number | boolean | Date | Uint8Array | readonly unknown[]

/** What the index holds of a field: the value, null where it may be missing. */
export type IndexedValue<T, Field extends string> = Field extends `${infer First}.${infer Rest}`
  ? First extends keyof T
    ? IndexedValue<NonNullable<T[First]>, Rest> | NullIfAbsent<T[First]>
    : never
  : Field extends keyof T
    ? Exclude<T[Field], undefined> | NullIfAbsent<T[Field]>
    : never

type NullIfAbsent<Value> = undefined extends Value ? null : null extends Value ? null : never

type OneOf<Value> = Value extends readonly (infer Element)[] ? Element : Value

type Values<T, Fields extends readonly string[], Each extends string> = {
  readonly [At in keyof Fields]: Fields[At] extends Each
    ? OneOf<IndexedValue<T, Fields[At]>>
    : IndexedValue<T, Fields[At]>
}

/** A question to the index over these fields of documents T; `Each` is the field with many values. */
export type IndexQuery<
  T,
  Fields extends readonly IndexField<T>[],
  Each extends Fields[number] = never,
> = Steps<readonly [], Values<T, Fields, Each>>

interface Common {
  readonly reverse?: boolean | undefined
  readonly after?: Uint8Array | undefined
  readonly limit?: number | undefined
}

type Steps<Fixed extends readonly unknown[], Left extends readonly unknown[]> =
  | (Common & Eq<Fixed> & Following<Left>)
  | (Left extends readonly [infer First, ...infer Rest] ? Steps<readonly [...Fixed, First], Rest> : never)

type Eq<Fixed extends readonly unknown[]> = Fixed extends readonly []
  ? { readonly eq?: readonly [] | undefined }
  : { readonly eq: Fixed }

type Following<Left extends readonly unknown[]> = Left extends readonly [infer First, ...unknown[]]
  ? Between<Bound<First, Left>> | (Extract<First, string> extends never ? never : Prefix)
  : Whole

// A list is never one value.
type Bound<First, Left extends readonly unknown[]> = Exclude<First, readonly unknown[]> | Heads<Left>

type Heads<Left extends readonly unknown[]> = Left extends readonly [infer First, ...infer Rest]
  ? readonly [First] | readonly [First, ...Heads<Rest>]
  : never

interface Between<Value> {
  readonly gt?: Value | undefined
  readonly gte?: Value | undefined
  readonly lt?: Value | undefined
  readonly lte?: Value | undefined
  readonly prefix?: undefined
}

interface Whole {
  readonly gt?: undefined
  readonly gte?: undefined
  readonly lt?: undefined
  readonly lte?: undefined
  readonly prefix?: undefined
}

type Prefix = Omit<Whole, 'prefix'> & { readonly prefix: string }
