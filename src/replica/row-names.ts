/** Rows of a partition's state as people read them: what a row is, of what, and under which key. */
import { decodeKey, decodeTuple, type TupleValue } from '../base/tuple.js'
import { keyBytes, type RowKey } from '../codec/row.js'
import { schemaPrefix, uint48FromText, violationParts } from '../machine/keys.js'
import { type CollectionSchema, decodeSchema } from '../machine/schema.js'

/** A row's key, taken apart. */
export interface NamedRow {
  readonly row: string
  /** The collection of a document or claim, by its name where that is known. */
  readonly of?: string
  readonly key: string
}

/** What stands behind the two letters of the partition's own rows. */
const ownRows: Readonly<Record<string, string>> = {
  ms: 'schema',
  mn: 'collection name',
  mi: 'counters',
  mr: 'registered session',
  mu: 'session name',
  mw: 'registration',
  mo: 'open session',
  mx: 'meta cursor',
  mh: 'nodes',
  mp: 'subscription',
  mq: 'subscription count',
  mk: 'request id count',
  mc: 'constraint',
}

const sessionRows: ReadonlySet<string> = new Set(['mr', 'mo'])

/** Names collections and constraints by the schemas that it was shown. */
export class RowNames {
  readonly #collections = new Map<number, CollectionSchema>()

  /** The collections, in the order of their numbers. */
  get collections(): readonly CollectionSchema[] {
    return [...this.#collections.values()].sort((left, right) => left.id - right.id)
  }

  /** Takes in a row that was put; only schemas count. */
  learn(key: RowKey, value: Buffer): void {
    if (!key.startsWith(schemaPrefix)) return
    const schema = decodeSchema(value)
    this.#collections.set(schema.id, schema)
  }

  /** What the key says. */
  describe(key: RowKey): NamedRow {
    const bytes = keyBytes(key)
    switch (key[0]) {
      case 'd': {
        const id = bytes.readUInt32BE(1)
        const of = this.#collections.get(id)?.name ?? `collection ${id}`
        return { row: 'document', of, key: String(decodeKey(bytes.subarray(5))) }
      }
      case 'c':
        return {
          row: 'claim',
          of: this.#constraint(bytes.readUInt32BE(1)),
          key: valuesText(bytes.subarray(5)),
        }
      case 'v': {
        const { value, key: own } = violationParts(key)
        const of = this.#constraint(bytes.readUInt32BE(1))
        const holder = own.length > 0 ? ` of ${String(decodeKey(own))}` : ''
        return { row: 'violation', of, key: `${valuesText(value)}${holder}` }
      }
      case 's': {
        const session = `session ${uint48FromText(key, 2)} epoch ${bytes.readUInt32BE(8)}`
        return { row: 'reply', of: session, key: String(bytes.readUIntBE(12, 6)) }
      }
      case 'r':
        return { row: 'request id', of: `slot ${bytes[1]}`, key: bytes.toString('utf8', 2) }
      default:
        return this.#own(key)
    }
  }

  #own(key: RowKey): NamedRow {
    const kind = key.slice(0, 2)
    const rest = key.slice(2)
    const row = ownRows[kind] ?? 'unknown'
    if (sessionRows.has(kind)) return { row, key: String(uint48FromText(key, 2)) }
    if (kind === 'mk') return { row, key: `slot ${rest.charCodeAt(0)}` }
    if (kind === 'ms') return { row, key: String(keyBytes(rest).readUInt32BE(0)) }
    if (kind === 'mc') return { row, of: this.#constraint(keyBytes(rest).readUInt32BE(0)), key: '' }
    return { row, key: keyBytes(rest).toString('utf8') }
  }

  #constraint(id: number): string {
    for (const { name, unique } of this.#collections.values()) {
      const constraint = unique.find(one => one.id === id)
      if (constraint !== undefined) return `${name}.${constraint.name}`
    }
    return `constraint ${id}`
  }
}

/** The values of a tuple; several with commas between them. */
export function valuesText(tuple: Buffer): string {
  return decodeTuple(tuple).map(valueText).join(', ')
}

function valueText(value: TupleValue): string {
  if (value instanceof Date) return value.toISOString()
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value)
}
