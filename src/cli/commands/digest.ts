/**
 * `sillok digest`: one short text for all that a store holds, by which two copies are compared.
 *
 * It is the SHA-256 of what `db.digest()` answers, which has thousands of digits.
 */
import { createHash } from 'node:crypto'
import type { Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { printOne } from '../output.js'

/** Prints the digest: equal ones mean equal documents, unique values and kept replies, and versions. */
export const command: Command = {
  declare: declareFolder,
  async run(given, terminal) {
    const text = await withPresentStore(given, terminal, store => Promise.resolve(store.digest()))
    const digest = createHash('sha256').update(text).digest('hex')
    await printOne({ digest }, terminal.format, terminal.out)
    return exitCodes.ok
  },
}
