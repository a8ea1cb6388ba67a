/** Which release this is. */
import { readFile } from 'node:fs/promises'
import { assert } from '../base/assert.js'

/** The version in this package's own package.json. */
export async function releaseVersion(): Promise<string> {
  const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { readonly version?: unknown }
  assert(typeof version === 'string', 'package.json names a version')
  return version
}
