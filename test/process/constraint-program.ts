/**
 * Builds a constraint over many documents while others write, as a process to be killed: prints how far it
 * is, and at the end compares its violations with the documents.
 *
 *   node constraint-program.js FOLDER WRITES_PER_SECOND
 */
import { expectedPlaces, type Place } from '../../src/cli/demo/places.js'
import { isSillokError, open } from '../../src/index.js'
import { comparePlaces, placeConstraint } from './constraint-places.js'

const [folder = '', rate = '0'] = process.argv.slice(2)
const perTick = Number(rate) / 100
const store = await open({ dir: folder })
const places = store.collection<Place>('places')

let isOver = false
let writes = 0
let refused = 0
let due = 0
const inFlight = new Set<Promise<unknown>>()
/** Every second write moves a place to another name, one of few, so that violations come and go. */
const ticker = setInterval(() => {
  for (due += perTick; due >= 1 && !isOver; due--) {
    const n = writes++
    const id = String(1 + ((n * 7919 + process.pid) % expectedPlaces.rows)).padStart(6, '0')
    const write = places
      .update(id, place => {
        if (place === undefined) return undefined
        return n % 2 === 0 ? { ...place, lat: place.lat } : { ...place, name: `Place ${n % 50_000}` }
      })
      .catch((error: unknown) => {
        if (!isSillokError(error, 'UNIQUE_TAKEN')) fail(error)
        refused++
      })
    inFlight.add(write)
    void write.then(() => inFlight.delete(write))
  }
}, 10)

function fail(error: unknown): never {
  console.error(error)
  process.exit(1)
}

const teller = setInterval(() => {
  const [status] = store.status().constraints
  if (status !== undefined) console.log(JSON.stringify({ ...status, writes, refused }))
}, 10)

const beganMs = performance.now()
await store.define('places', placeConstraint)
await store.enforced('places', 'place', { deadlineMs: 600_000 }).catch((error: unknown) => {
  if (!isSillokError(error, 'UNIQUE_TAKEN')) fail(error)
})
const builtMs = performance.now() - beganMs
isOver = true
clearInterval(ticker)
clearInterval(teller)
await Promise.all(inFlight)
const compared = await comparePlaces(store).catch(fail)
console.log(JSON.stringify({ ...store.status().constraints[0], writes, refused, builtMs, ...compared }))
await store.close()
