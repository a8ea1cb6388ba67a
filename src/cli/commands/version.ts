/** `sillok version`: which release runs, on what. The first thing that a bug report needs. */
import { readFile } from 'node:fs/promises'
import { assert } from '../../base/assert.js'
import { entryLevel } from '../../base/entry.js'
import type { Command } from '../command.js'
import { exitCodes } from '../failure.js'
import { printOne } from '../output.js'

/** Prints release, format level, Node and platform. */
export const command: Command = {
  usage: 'version',
  summary: 'print the release, the format level and the platform',
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

/** The version in this package's own package.json. */
export async function releaseVersion(): Promise<string> {
  const text = await readFile(new URL('../../../../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { readonly version?: unknown }
  assert(typeof version === 'string', 'package.json names a version')
  return version
}
