/**
 * The documents of the process tests: each a function of its key and of the number of the write that made it,
 * so that two numbers stand for the whole document and any wrong byte shows.
 */
import { crc32 } from '../../src/base/checksum.js'

export interface Item {
  readonly id: string
  readonly tag: string
  readonly write: number
  readonly value: string
}

/** A row of an import. */
export interface Row {
  readonly id: string
  readonly tag: string
}

export const itemDefinition = {
  key: 'id',
  unique: { tag: { fields: ['tag'], normalize: ['trim', 'fold'] } },
} as const

/** The same with indexes. */
export const itemIndexes = {
  byTag: { type: 'secondary', fields: ['tag', 'write'] },
  byWrite: { type: 'secondary', fields: ['write'] },
} as const

export const rowDefinition = { key: 'id', unique: { tag: { fields: ['tag'] } } } as const

/** Few enough that writers collide. */
const tagCount = 1500
const spellings = ['Tag', ' tag', 'TAG '] as const

/** The document that the write makes of the key. */
export function itemOf(id: string, write: number): Item {
  const chance = crc32(Buffer.from(`${id} ${write}`))
  const pattern = chance.toString(16).padStart(8, '0')
  // Few are long: the log's batches and the store's pages are to be of all sizes.
  const repeats = chance % 97 === 0 ? 2500 : chance % 25
  const spelling = spellings[chance % 3] ?? 'Tag'
  return { id, tag: `${spelling} ${(chance >>> 8) % tagCount}`, write, value: pattern.repeat(repeats) }
}

/** A tag as the constraint compares it. */
export function normalTag(tag: string): string {
  return tag.trim().toLowerCase()
}

/** The row with that number; every fifth asks for the value of the one before it, and is refused. */
export function rowOf(row: number): Row {
  return { id: `r${row}`, tag: `row ${row % 5 === 0 ? row - 1 : row}` }
}
