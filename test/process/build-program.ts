/**
 * Builds an index over many documents while others write, as a process to be killed: prints how far it is,
 * and at the end compares the index with the documents.
 *
 *   node build-program.js FOLDER WRITES_PER_SECOND
 */

import { expectedPlaces, type Place } from '../../src/cli/demo/places.js'
import { open } from '../../src/index.js'

const buildIndexes = { byName: { type: 'secondary', fields: ['country', 'name'] } } as const

const [folder = '', rate = '0'] = process.argv.slice(2)
const perTick = Number(rate) / 100
const store = await open({ dir: folder })
const places = store.collection<Place>('places')

let isOver = false
let writes = 0
let due = 0
const inFlight = new Set<Promise<unknown>>()
/** Moves random places to another name, so that the index changes before and behind the build. */
const ticker = setInterval(() => {
  for (due += perTick; due >= 1 && !isOver; due--) {
    const id = String(1 + ((writes++ * 7919 + process.pid) % expectedPlaces.rows)).padStart(6, '0')
    const write = places.update(id, place => place && { ...place, name: `${place.name.slice(0, 40)}*` })
    inFlight.add(write)
    write.then(() => inFlight.delete(write), fail)
  }
}, 10)

function fail(error: unknown): never {
  console.error(error)
  process.exit(1)
}

const teller = setInterval(() => {
  const [status] = store.status().indexes
  if (status === undefined) return
  console.log(JSON.stringify({ ...status, writes }))
}, 10)

const beganMs = performance.now()
await store.define('places', { key: 'id', indexes: buildIndexes })
for await (const _ of places.find('byName', { limit: 1 }));
const builtMs = performance.now() - beganMs
isOver = true
clearInterval(ticker)
await Promise.all(inFlight)
const all: Place[] = []
for await (const place of places.scan()) all.push(place)
const order = (one: string, two: string): number => Buffer.compare(Buffer.from(one), Buffer.from(two))
all.sort((one, two) => order(one.country, two.country) || order(one.name, two.name) || order(one.id, two.id))
let at = 0
for await (const place of places.find('byName')) {
  const expected = all[at++]
  if (JSON.stringify(place) !== JSON.stringify(expected)) {
    fail(new Error(`at ${at}: ${JSON.stringify(place)}, it should be ${JSON.stringify(expected)}`))
  }
}
if (at !== all.length) fail(new Error(`the index has ${at} of ${all.length} documents`))
clearInterval(teller)
console.log(JSON.stringify({ ...store.status().indexes[0], writes, builtMs, documents: at, equal: true }))
await store.close()
