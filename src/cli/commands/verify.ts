/**
 * `sillok verify`: reads every byte of a closed store that anything depends on, and names what is wrong.
 *
 * One row per finding, those of the log before those of what is made from it: fault or note, the file from
 * the data folder, the place in it, and what. A fault makes the exit code 1; a note is what a crash may
 * leave, and does not. What was read is told on standard error.
 */
import { faultsText } from '../../base/finding.js'
import { RealClock } from '../../env/real-clock.js'
import type { Command } from '../command.js'
import { declareFolder, folderOf, mustHoldSomething } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { printRows } from '../output.js'
import { duration, grouped } from '../progress.js'
import { ofVerify } from '../verb-promises.js'

/** Prints what was found; no file of the store is changed. */
export const command: Command = {
  declare: yargs => declareFolder(yargs).epilogue(ofVerify),
  async run(given, terminal) {
    const folder = folderOf(given)
    await mustHoldSomething(folder)
    const { verifyFolder } = await import('../verify-folder.js')
    const clock = new RealClock()
    const startMs = clock.monotonicMs()
    const { faults, faultCount, notes, counts } = await verifyFolder(folder)
    const rows = [
      ...faults.map(fault => ({ kind: 'fault', ...fault })),
      ...notes.map(note => ({ kind: 'note', ...note })),
    ]
    await printRows(rows, terminal.format, terminal.out)
    const parts = Object.entries(counts).map(([name, count]) => `${grouped(count)} ${name}`)
    const time = duration(clock.monotonicMs() - startMs)
    const verdict = faultCount === 0 ? 'sound' : faultsText(faultCount)
    await terminal.err.write(`${verdict}: read ${parts.join(', ')} in ${time}\n`)
    return faultCount === 0 ? exitCodes.ok : exitCodes.failed
  },
}
