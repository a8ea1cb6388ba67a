/** Chance for production: the seeded generator, its seed drawn from the system. */
import { randomBytes } from 'node:crypto'
import { Random } from '../base/random.js'

/** A generator whose seed nobody can guess; its numbers are no secrets. */
export function systemRandom(): Random {
  return new Random(randomBytes(16).toString('hex'))
}
