/**
 * What to do about damaged bytes: the log and its segments are the only copy, everything else is made from
 * them.
 */
import type { SillokError } from '../base/errors.js'

const derivedFolder = /^.*partitions[\\/]\d+-\d+[\\/](?:state|indexes[\\/]\d+)(?=[\\/]|$)/

/**
 * The next step if the damage lies in what is made anew from the log; undefined if the log itself is
 * concerned.
 */
export function damageAdvice({ details }: SillokError): string | undefined {
  const { file, folder, key, firstLost } = details
  // The state knows entries that the log has lost: it is the log that is damaged.
  if (firstLost !== undefined) return undefined
  const place = [file, folder].find(name => typeof name === 'string')
  const derived = typeof place === 'string' ? derivedFolder.exec(place)?.[0] : undefined
  if (derived !== undefined) return `close the store and delete the folder ${derived}: ${madeAnew}`
  // A stored row is named by its key only.
  if (place === undefined && typeof key === 'string')
    return `close the store and delete the folder \`state\` of its partitions: ${madeAnew}`
  return undefined
}

const madeAnew = 'it is made anew from the log'
