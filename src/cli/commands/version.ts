/** `sillok version`: which release runs, on what. The first thing that a bug report needs. */
import { entryLevel } from '../../base/entry.js'
import type { Command } from '../command.js'
import { exitCodes } from '../failure.js'
import { printOne } from '../output.js'
import { releaseVersion } from '../release.js'

/** Prints release, format level, Node and platform. */
export const command: Command = {
  declare: yargs => yargs,
  async run(_given, terminal) {
    const fields = {
      sillok: await releaseVersion(),
      formatLevel: entryLevel,
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
    }
    await printOne(fields, terminal.format, terminal.out)
    return exitCodes.ok
  },
}
