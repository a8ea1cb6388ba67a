/** A range of keys, as the verbs that go over one take it. */
import type { Argv } from 'yargs'
import type { ScanOptions } from '../store/options.js'
import type { Arguments } from './command.js'
import { isGiven, keyOf, textOf } from './words.js'

const bounds = ['gte', 'gt', 'lt', 'lte'] as const

/** Bounds of keys; without any, all keys. */
export type KeyRange = Pick<ScanOptions, (typeof bounds)[number] | 'prefix'>

/** Declares the bounds. */
export function declareKeyRange(yargs: Argv): Argv {
  return yargs
    .option('gte', {
      type: 'string',
      requiresArg: true,
      describe: 'only keys that are this one or come after it',
    })
    .option('gt', { type: 'string', requiresArg: true, describe: 'only keys that come after this one' })
    .option('lt', { type: 'string', requiresArg: true, describe: 'only keys that come before this one' })
    .option('lte', {
      type: 'string',
      requiresArg: true,
      describe: 'only keys that are this one or come before it',
    })
    .option('prefix', {
      type: 'string',
      requiresArg: true,
      describe: 'only keys that are text and begin with this; not with another bound',
    })
    .option('number', { type: 'boolean', describe: 'the bounds are whole numbers, not text' })
}

/** The range that was asked for. UsageError for a bound that is no key. */
export function keyRangeOf(given: Arguments): KeyRange {
  const isNumber = isGiven(given, 'number')
  const range: { -readonly [Name in keyof KeyRange]: KeyRange[Name] } = {}
  for (const bound of bounds) {
    const word = textOf(given, bound)
    if (word !== undefined) range[bound] = keyOf(word, isNumber)
  }
  const prefix = textOf(given, 'prefix')
  if (prefix !== undefined) range.prefix = prefix
  return range
}
