/**
 * The package as a user gets it: packed, unpacked beside its dependencies in an empty project, then used from
 * ES modules, CommonJS, strict TypeScript and the command line. Dependencies are linked from this checkout,
 * so no registry is needed.
 */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { findBlocks, runBlock } from '../docs/blocks.js'
import { listFiles, projectRoot } from '../tidy/files.js'

/** More than that is a mistake in `files`: the package had 2.0 MB when this was written. */
const tarballBytesMax = 2_300_000

t.setTimeout(120_000)

const project = mkdtempSync(path.join(tmpdir(), 'sillok-package-'))
const installed = path.join(project, 'node_modules', 'sillok')
t.teardown(() => rmSync(project, { recursive: true, force: true }))

interface Ended {
  readonly exit: number | null
  readonly out: string
  readonly all: string
}

function run(program: string, words: readonly string[], cwd = project): Ended {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' }
  // The hooks of the test runner are for the tests, not for what they start.
  delete env['NODE_OPTIONS']
  const done = spawnSync(program, words, { cwd, env, encoding: 'utf8', timeout: 60_000 })
  const failure = done.error === undefined ? '' : `${done.error.message}\n`
  return { exit: done.status, out: done.stdout ?? '', all: `${done.stdout}${done.stderr}${failure}` }
}

/** A script of the project: it must end by itself, and say only this. */
function script(name: string, text: string): Ended {
  writeFileSync(path.join(project, name), text)
  return run(process.execPath, [name])
}

/** Packs the checkout, unpacks it into the project; the reason if that cannot be done here. */
function install(): { readonly tarball: string } | { readonly reason: string } {
  const packed = run(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', project],
    projectRoot,
  )
  const name = /"filename": "([^"]+)"/.exec(packed.out)?.[1]
  if (packed.exit !== 0 || name === undefined) return { reason: `npm pack: ${packed.all.slice(-300)}` }
  const tarball = path.join(project, name)
  mkdirSync(installed, { recursive: true })
  const unpacked = run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'])
  if (unpacked.exit !== 0) return { reason: `tar: ${unpacked.all.slice(-300)}` }
  writeFileSync(path.join(project, 'package.json'), '{"name":"project","private":true}\n')
  const { dependencies } = JSON.parse(readFileSync(path.join(installed, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  // What a user of TypeScript on Node has besides.
  for (const name of [...Object.keys(dependencies), '@types/node']) {
    const place = path.join(project, 'node_modules', name)
    mkdirSync(path.dirname(place), { recursive: true })
    symlinkSync(path.join(projectRoot, 'node_modules', name), place)
  }
  return { tarball }
}

const ready = install()
const reason = 'reason' in ready ? ready.reason : undefined
const tarball = 'tarball' in ready ? ready.tarball : ''
const skip = reason === undefined ? {} : { skip: reason }
if (reason !== undefined) t.comment(`the package was not tried: ${reason}`)

t.test('the package holds what it needs, and no map without its source', skip, async t => {
  const files = listFiles(['.'], installed)
  const allowed =
    /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|bin\/sillok\.js|dist\/src\/.*\.(js|js\.map|d\.ts))$/
  t.same(
    files.filter(file => !allowed.test(file)),
    [],
  )
  const lost: string[] = []
  for (const file of files) {
    const text = readFileSync(path.join(installed, file), 'utf8')
    const map = /^\/\/# sourceMappingURL=(.*)$/m.exec(/\.(js|d\.ts)$/.test(file) ? text : '')?.[1]
    if (map !== undefined && !existsSync(path.join(installed, path.dirname(file), map)))
      lost.push(`${file}: ${map}`)
    if (!file.endsWith('.map')) continue
    const { sources, sourcesContent } = JSON.parse(text) as { sources: string[]; sourcesContent?: string[] }
    if (sourcesContent?.length !== sources.length) lost.push(file)
  }
  t.same(lost, [])
  const { size } = statSync(tarball)
  t.ok(size < tarballBytesMax, `${size} bytes packed`)
  t.comment(`${size} bytes packed, ${files.length} files`)
})

t.test('publint and attw find nothing in it', skip, async t => {
  const tool = (name: string, ...words: string[]): Ended =>
    run(process.execPath, [path.join(projectRoot, 'node_modules', name), ...words])
  const publint = tool('publint/src/cli.js', 'run', tarball, '--strict')
  t.equal(publint.exit, 0, 'publint', { output: publint.all })
  const attw = tool('@arethetypeswrong/cli/dist/index.js', tarball, '--profile', 'esm-only')
  t.equal(attw.exit, 0, 'attw', { output: attw.all })
})

t.test('the first block of the README runs in the project, and ends by itself', skip, async t => {
  const [quickStart] = findBlocks(readFileSync(path.join(installed, 'README.md'), 'utf8')).filter(
    block => block.language === 'js',
  )
  if (quickStart === undefined) throw new Error('the README has no block of JavaScript')
  const { outcome, output } = runBlock(quickStart, project, projectRoot)
  t.equal(outcome, 'ran', 'it runs', { output })
  t.match(output, /UNIQUE_TAKEN not-applied\ntrue\n$/)
})

t.test('CommonJS requires it', skip, async t => {
  const { exit, out, all } = script(
    'common.cjs',
    `const { open, SillokError } = require('sillok')
     open({ memory: true }).then(async db => {
       await db.define('users', { key: 'id' })
       await db.collection('users').put({ id: 'u1' })
       const missing = await db.collection('none').get('x').catch(error => error)
       console.log(JSON.stringify(await db.collection('users').get('u1')), missing instanceof SillokError)
       await db.close()
     })`,
  )
  t.equal(exit, 0, 'it ends well', { output: all })
  t.equal(out, '{"id":"u1"} true\n')
})

t.test('two stores live in one process, which ends when both are closed', skip, async t => {
  const { exit, out, all } = script(
    'two.mjs',
    `import { open } from 'sillok'
     const [a, b] = await Promise.all([open({ dir: './a' }), open({ dir: './b' })])
     for (const db of [a, b]) await db.define('users', { key: 'id', unique: { mail: { fields: ['mail'] } } })
     const kim = db => db.collection('users').insert({ id: db.folder, mail: 'kim@example.com' })
     await Promise.all([a, b].map(kim))
     console.log((await open({ dir: './a' }).catch(error => error)).code)
     await a.close()
     console.log((await b.collection('users').getBy('mail', 'kim@example.com')).id)
     await b.close()
     const again = await open({ dir: './a' })
     console.log(await again.collection('users').count())
     await again.close()`,
  )
  t.equal(exit, 0, 'it ends well', { output: all })
  t.equal(out, 'FOLDER_IN_USE\n./b\n1\n')
})

t.test('an implementation is put under the laws of sillok/testing with node:test alone', skip, async t => {
  const { exit, out, all } = script(
    'laws.mjs',
    `import { mkdtempSync, rmSync } from 'node:fs'
     import { test } from 'node:test'
     import { open } from 'sillok'
     import * as testing from 'sillok/testing'
     const { diskLaws, indexLaws, keyValueLaws, networkLaws, opened, storeLaws, testLaws } = testing
     console.log([diskLaws, indexLaws, keyValueLaws, networkLaws].every(laws => laws.length > 5))
     testLaws(storeLaws.slice(0, 3), opened(() => open({ memory: true })), (title, run) => test(title, run))
     const type = {
       type: 'all',
       version: 1,
       configure: () => ({}),
       open: () => ({
         apply(changes, _rows, ops) {
           for (const { keyBytes, document } of changes)
             if (document) ops.put(keyBytes, Buffer.from('x'))
             else ops.delete(keyBytes)
         },
         async *query(_, rows) {
           for await (const page of rows.scan({})) yield page.map(([key]) => key.toString('hex'))
         },
       }),
     }
     const subject = () => ({
       type,
       random: new testing.Random('a seed'),
       definition: () => ({}),
       document: random => ({ n: random.below(5) }),
       question: () => null,
     })
     testLaws(indexLaws, check => check(subject()), (title, run) => test(title, run))`,
  )
  t.equal(exit, 0, 'it ends well', { output: all })
  t.match(out, /^true$/m)
  t.match(out, /^(# |ℹ )fail 0$/m)
})

t.test('its types compile in a strict project that checks libraries too', skip, async t => {
  const file = path.join(project, 'types.mts')
  writeFileSync(
    file,
    `import { type Change, type Definition, isSillokError, type OpenOptions, open, type Store } from 'sillok'

import { type IndexSubject, indexLaws, opened, Random, storeLaws, testLaws } from 'sillok/testing'

const subject: IndexSubject<object, string, string> = {
  type: { type: 'none', version: 1, configure: () => ({}), open: () => ({ apply() {}, async *query() {} }) },
  random: new Random(1),
  definition: () => ({}),
  document: random => ({ n: random.below(3) }),
  question: () => '',
}
const test = (title: string, run: () => Promise<void>): void => void [title, run]
testLaws(indexLaws, check => check(subject), test)
testLaws(storeLaws, opened(() => open({ memory: true })), test)

interface User {
  id: string
  email?: string
  age: number
}
const users = {
  key: 'id',
  unique: { email: { fields: ['email'], normalize: ['trim', 'fold'] } },
  indexes: { byAge: { type: 'secondary', fields: ['age'] } },
} as const satisfies Definition
const options: OpenOptions = { memory: true }
const db: Store = await open(options)
try {
  await db.define('users', users)
  const people = db.collection<User, typeof users>('users')
  const { version } = await people.insert({ id: 'u1', age: 33 }, { requestId: db.requestId() })
  const next: number = version + 1
  for await (const user of people.find('byAge', { gte: 30 })) console.log(user.id, user.email ?? '', next)
  const seen: Change<User>[] = []
  for await (const change of db.changes<User>({ collection: 'users', from: 'start', follow: false }))
    seen.push(change)
  // @ts-expect-error: the index is on a number
  people.find('byAge', { gte: 'text' })
} catch (error) {
  if (!isSillokError(error, 'UNIQUE_TAKEN')) throw error
} finally {
  await db.close()
}
`,
  )
  const program = ts.createProgram([file], {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
    typeRoots: [path.join(project, 'node_modules', '@types')],
  })
  const host = { getCanonicalFileName: String, getCurrentDirectory: () => project, getNewLine: () => '\n' }
  t.equal(ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), host), '')
})

t.test('its command line runs from where it is installed', skip, async t => {
  const { exit, all } = run(process.execPath, [
    path.join(installed, 'bin', 'sillok.js'),
    'version',
    '-o',
    'json',
  ])
  t.equal(exit, 0, 'it ends well', { output: all })
  t.match(JSON.parse(all), { sillok: /^\d/, formatLevel: Number })
})
