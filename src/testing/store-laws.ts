/**
 * The laws of a store: what everybody meets who uses one. They use its public face only, wait for nothing but
 * its answers, and share a store with whatever else goes on in it: each law makes collections of its own,
 * under new names. The last one closes the store object that it was given.
 */
import { batchLaws } from './batch-laws.js'
import { constraintLaws, definitionLaws } from './constraint-laws.js'
import { feedLaws } from './feed-laws.js'
import type { Law } from './law.js'
import { misuseLaws } from './misuse-laws.js'
import { indexAnswerLaws, readLaws } from './read-laws.js'
import { requestLaws } from './request-laws.js'
import { sessionLaws } from './session-laws.js'
import type { StoreLike } from './store-like.js'
import { writeLaws } from './write-laws.js'

/** What every store keeps. */
export const storeLaws: readonly Law<StoreLike>[] = [
  ...writeLaws,
  ...batchLaws,
  ...readLaws,
  ...indexAnswerLaws,
  ...constraintLaws,
  ...definitionLaws,
  ...requestLaws,
  ...sessionLaws,
  ...feedLaws,
  ...misuseLaws,
]
