/** Every block of code in the README runs, as a reader would run it, against the built package. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { type Block, commandLines, findBlocks, installInto, runBlock } from './docs/blocks.js'
import { projectRoot } from './tidy/files.js'

const fence = '```'

function folderFor(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sillok-docs-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  installInto(folder, projectRoot)
  return folder
}

function block(language: string, text: string): Block {
  return { language, text, line: 1, notRun: undefined }
}

/** True once the package can be used as the README says. */
async function opens(): Promise<boolean> {
  const entry = path.join(projectRoot, 'dist/src/index.js')
  if (!existsSync(entry)) return false
  const exported = (await import(pathToFileURL(entry).href)) as Readonly<Record<string, unknown>>
  return typeof exported['open'] === 'function'
}

t.test('blocks are found where they are, with the reason for which one is not run', async t => {
  const text = [
    '# A',
    `${fence}js`,
    'one()',
    '',
    'two()',
    fence,
    '<!-- not run: needs three machines -->',
    '',
    `${fence}sh`,
    'sillok serve',
    fence,
    `* in a list\n\n  ${fence}ts\n  let a\n  ${fence}`,
    fence,
    'bare',
    fence,
    '<!-- not run: -->',
    `${fence}js`,
    fence,
  ].join('\n')
  t.same(findBlocks(text), [
    { language: 'js', text: 'one()\n\ntwo()', line: 2, notRun: undefined },
    { language: 'sh', text: 'sillok serve', line: 9, notRun: 'needs three machines' },
    { language: 'ts', text: 'let a', line: 14, notRun: undefined },
    { language: '', text: 'bare', line: 17, notRun: undefined },
    { language: 'js', text: '', line: 21, notRun: undefined },
  ])
  t.same(commandLines('# setup\nnpm ci\n\n$ npx sillok get \\\n  users u1  # reads\n'), [
    'npm ci',
    'npx sillok get users u1',
  ])
})

t.test('a block that does not do what it shows fails', async t => {
  const folder = folderFor(t)
  const bad = [
    block('js', 'throw new Error("x")'),
    block('js', 'import { nothing } from "sillok/no-such-entry"'),
    block('ts', 'const a: number = "text"'),
    block('ts', 'process.exit(3)'),
    block('sh', 'npx sillok no-such-verb'),
    block('sh', 'npx sillok version\nnpx sillok version -o xml'),
    block('sh', 'curl http://127.0.0.1:1/'),
    block('sh', 'npx sillokx'),
    block('', 'bare'),
    block('yaml', 'a: 1'),
  ]
  for (const one of bad)
    t.equal(runBlock(one, folder, projectRoot).outcome, 'failed', `${one.language}: ${one.text}`)
  const good = [
    block('js', 'import { readFileSync } from "node:fs"; readFileSync("node_modules/sillok/package.json")'),
    block('ts', 'interface A { b: string }\nconst a: A = { b: "x" }\nconsole.log(a.b)'),
    block('sh', 'npm ci\nnpx sillok version -o json > v.json\nnode bin/sillok.js --help | grep version'),
    block('sh', 'npx sillok version | grep 0.'),
  ]
  for (const one of good) {
    const { outcome, output } = runBlock(one, folder, projectRoot)
    t.equal(outcome, 'ran', `${one.language}: ${one.text}\n${output}`)
  }
  t.same(runBlock(block('sh', 'npm ci\nnpm test'), folder, projectRoot).skipped, ['npm ci', 'npm test'])
  t.equal(runBlock(block('json', '{'), folder, projectRoot).outcome, 'shown')
  t.match(JSON.parse(readFileSync(path.join(folder, 'v.json'), 'utf8')), { formatLevel: Number })
})

t.test('every block of the README runs', async t => {
  const ready = await opens()
  const blocks = findBlocks(readFileSync(path.join(projectRoot, 'README.md'), 'utf8'))
  t.ok(blocks.length > 0, 'the README shows code')
  const shellFolder = folderFor(t)
  for (const one of blocks) {
    const name = `README.md:${one.line} (${one.language})`
    if (one.notRun !== undefined) {
      t.pass(name, { skip: one.notRun })
    } else if (one.language !== 'sh' && !ready) {
      t.pass(name, { skip: 'dist/src/index.js exports no open' })
    } else {
      const folder = one.language === 'sh' ? shellFolder : folderFor(t)
      const { outcome, output, skipped } = runBlock(one, folder, projectRoot)
      t.not(outcome, 'failed', `${name} runs`, { output })
      for (const line of skipped) t.comment(`${name}: left out: ${line}`)
    }
  }
  const left = blocks.filter(one => one.notRun !== undefined).length
  t.comment(`${blocks.length} blocks, ${left} of them not run`)
})
