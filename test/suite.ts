/**
 * `npm test -- [arguments of tap]`: the test files that `.taprc` names, or those that are given, under tap.
 * Each test process first loads `preload.ts`, which spares most of the time of tap itself; `npx tap` alone
 * gives the same results, later. The exit code is tap's own.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { projectRoot } from './tidy/files.js'

/** Runs tap, the tests and their children under that Node, with these arguments of tap: its exit code. */
export function runTap(node: string, words: readonly string[]): number {
  const tapRoot = path.join(projectRoot, 'node_modules', 'tap')
  const manifest = JSON.parse(readFileSync(path.join(tapRoot, 'package.json'), 'utf8')) as {
    bin: { tap: string }
  }
  const program = path.join(tapRoot, manifest.bin.tap)
  const own = process.env['NODE_OPTIONS'] ?? ''
  const first = `--import=${new URL('./preload.js', import.meta.url).href}`
  const testEnv = [`NODE_OPTIONS=${first} ${own}`.trim(), `SILLOK_TEST_NODE_OPTIONS=${own}`]
  const env = { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env['PATH'] ?? ''}` }
  const run = spawnSync(node, [program, ...testEnv.map(one => `--test-env=${one}`), ...words], {
    cwd: projectRoot,
    stdio: 'inherit',
    env,
  })
  return run.status ?? 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = runTap(process.execPath, process.argv.slice(2))
}
