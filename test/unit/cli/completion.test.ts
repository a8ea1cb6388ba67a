/** What a shell is told when it asks for completions. */
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { run } from '../../../src/cli/main.js'
import { open } from '../../../src/index.js'
import { listFiles } from '../../tidy/files.js'
import { shell } from './shell.js'

async function completions(...words: string[]): Promise<string[]> {
  let [out, err] = ['', '']
  const sink = (add: (text: string) => void) => ({
    isTerminal: false,
    width: 80,
    write: async (text: string) => add(text),
  })
  const exit = await run(
    ['--get-yargs-completions', ...words],
    sink(text => {
      out += text
    }),
    sink(text => {
      err += text
    }),
  )
  if (exit !== 0 || err !== '') throw new Error(`${words.join(' ')}: ${exit} ${err}`)
  return out.split('\n').filter(line => line !== '')
}

/** All bytes of a folder but those of its lock, and when they were written. */
function printOf(folder: string): string {
  const files = listFiles(['.'], folder).filter(file => !/lock/i.test(file))
  const hash = createHash('sha256')
  for (const file of files) {
    const place = path.join(folder, file)
    hash.update(`${file} ${statSync(place).mtimeMs}\n`).update(readFileSync(place))
  }
  return `${files.length} ${hash.digest('hex')}`
}

t.test('verbs, options and names are completed, and nothing is written to the store', async t => {
  const { sillok, folder } = shell(t)
  const indexes =
    '{"byCity":{"type":"secondary","fields":["city"]},"b y":{"type":"secondary","fields":["x"]}}'
  const definition = `{"key":"id","unique":{"email":{"fields":["email"]}},"indexes":${indexes}}`
  for (const name of ['users', 'books']) await sillok('define', name, '--json', definition)
  const dir = path.join(folder, 'store')
  const before = printOf(dir)
  const old = [process.env['SILLOK_DIR'], process.env['SHELL']]
  t.teardown(() => {
    for (const [i, name] of ['SILLOK_DIR', 'SHELL'].entries()) {
      if (old[i] === undefined) delete process.env[name]
      else process.env[name] = old[i]
    }
  })
  process.env['SILLOK_DIR'] = dir
  process.env['SHELL'] = '/bin/bash'
  const cases: [string[], string[]][] = [
    [['in'], ['indexes', 'inspect']],
    [['find', '--re'], ['--reverse']],
    [['find', '--reverse', 'users', '--lim'], ['--limit']],
    [
      ['find', ''],
      ['users', 'books'],
    ],
    [['find', 'u'], ['users']],
    [['find', '--limit', '3', '--reverse', 'b'], ['books']],
    [['find', 'users', ''], ['byCity']],
    [['find', 'nobody', ''], []],
    [['find', 'users', 'byCity', ''], []],
    [['get', 'users', '--by', ''], ['email']],
    [['inspect', 'claims', 'users', '--constraint', 'e'], ['email']],
    [
      ['get', 'users', '-o', ''],
      ['table', 'json', 'ndjson'],
    ],
    [['import', 'users', ''], []],
    [['get', '--dir', ''], []],
    [['get', '--dir', '/nowhere', ''], []],
    [
      ['completion', ''],
      ['bash', 'zsh'],
    ],
    [['find', '--', 'users', 'by'], ['byCity']],
    [['nonsense', 'x'], []],
  ]
  for (const [words, expected] of cases) t.same(await completions(...words), expected, words.join(' '))
  t.ok((await completions('')).includes('define'))
  t.equal(printOf(dir), before, 'nothing was written')
  process.env['SHELL'] = '/bin/zsh'
  t.match(await completions('imp'), [/^import:insert the documents/])

  const holder = await open({ dir })
  t.same(await completions('find', ''), [], 'of a folder in use nothing is told')
  await holder.close()
})

t.test('the script is for the shell that is named, or that SHELL names', async t => {
  const { sillok } = shell(t)
  t.match(await sillok('completion', 'bash'), { exit: 0, out: /\ncomplete -o default -F _sillok sillok\n$/ })
  t.match(await sillok('completion', 'zsh', '-o', 'json'), { exit: 0, out: /^#compdef sillok\n/ })
  t.match(await sillok('completion', 'fish'), {
    exit: 2,
    out: '',
    err: /completion knows bash and zsh, not fish/,
  })
})
