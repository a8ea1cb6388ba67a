/** What the words of a command line mean: verbs, options, values, and what is said of wrong ones. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { run } from '../../../src/cli/main.js'
import { nearName } from '../../../src/cli/near-name.js'
import { verbs } from '../../../src/cli/verbs.js'
import { verbOf } from '../../../src/cli/wrong-line.js'
import { projectRoot } from '../../tidy/files.js'
import { shell } from './shell.js'

t.test('a verb is a file in commands, and one entry of the table, which loads that file', async t => {
  const files = readdirSync(path.join(projectRoot, 'src/cli/commands')).map(file =>
    path.basename(file, '.ts'),
  )
  const names = verbs.map(({ usage }) => verbOf(usage))
  t.same([...names].sort(), files.sort())
  for (const [i, { load }] of verbs.entries()) {
    const file = new URL(`../../../src/cli/commands/${names[i]}.js`, import.meta.url)
    t.equal(await load(), await import(file.href), file.pathname)
  }
})

t.test('the help of bench and inspect lists what they take', async t => {
  const { sillok } = shell(t)
  await sillok('define', 'users', '--json', '{"key":"id"}')
  for (const [verb, said] of [
    ['bench', 'a workload is one of '],
    ['inspect', 'inspect looks at '],
  ] as const) {
    const { err } = await sillok(verb, 'nothing')
    const [, taken] = new RegExp(`^UsageError: ${said}(.*), not nothing\n`).exec(err) ?? []
    const summary = verbs.find(({ usage }) => verbOf(usage) === verb)?.summary ?? ''
    t.equal(/: (.*)$/.exec(summary)?.[1], taken, verb)
  }
})

t.test('an unknown verb is named, with the one that may be meant, and where help is', async t => {
  const { sillok } = shell(t)
  const list = 'sillok --help lists the verbs'
  const cases: [string[], string, string][] = [
    [['impotr', 'a', 'b'], 'no verb "impotr"; did you mean import?', list],
    [['statsu'], 'no verb "statsu"; did you mean status?', list],
    [['frob', 'x'], 'no verb "frob"', list],
    [['-o', 'json', 'gett', 'x'], 'no verb "gett"; did you mean get?', list],
    [[], 'name a verb', list],
    [['get', 'users'], '.*', 'sillok get --help'],
    [['put', 'users', '{}', '--if-version', 'x'], '.*', 'sillok put --help'],
  ]
  for (const [words, message, next] of cases) {
    const err = new RegExp(`^UsageError: ${message.replaceAll('?', '[?]')}\n +next: +${next}\n$`)
    t.match(await sillok(...words), { exit: 2, out: '', err }, words.join(' '))
  }
  t.equal(nearName('gt', ['put', 'get']), 'get')
  t.equal(nearName('ls', ['put', 'get']), undefined)
  t.equal(nearName('defnie', ['delete', 'define']), 'define')
})

t.test('after -- every word is a word, also one that begins with a dash', async t => {
  const { sillok } = shell(t)
  await sillok('define', 'users', '--json', '{"key":"id","unique":{"n":{"fields":["name"]}}}')
  t.match(await sillok('put', 'users', '--', '{"id":"-x","name":"--by"}'), { exit: 0 })
  t.match(await sillok('put', 'users', '{"id":"--","name":"-"}'), { exit: 0 })
  t.match(await sillok('put', '--insert', '--', 'users', '{"id":-5}'), { exit: 0 })
  t.match(await sillok('get', 'users', '--', '-x'), { exit: 0, out: '{"id":"-x","name":"--by"}\n' })
  t.match(await sillok('get', 'users', '--by', 'n', '--', '--by'), { exit: 0, out: /"-x"/ })
  t.match(await sillok('get', 'users', '--', '--'), { exit: 0, out: /"id":"--"/ })
  t.match(await sillok('get', 'users', '--by', 'n', '-'), { exit: 0, out: /"id":"--"/ })
  t.match(await sillok('get', 'users', '--number', '--', '-5'), { exit: 0, out: '{"id":-5}\n' })
  t.match(await sillok('get', 'users', '--', '-y'), { exit: 5, err: /^NOT_FOUND: no document users -y\n/ })
  t.match(await sillok('delete', 'users', '--', '-x', '-z'), { exit: 2, err: /^UsageError: [^\0x]*-z/ })
  t.match(await sillok('delete', 'users', '--', '-x'), { exit: 0, out: /"existed":true/ })
  t.match(await sillok('get', 'users', '-x'), { exit: 2 }, 'without -- it is an option')
  t.match(await sillok('--', '-x'), { exit: 2, err: /^UsageError: no verb "-x"\n/ })
})

t.test('the verb is found among words that name other verbs', async t => {
  const { sillok } = shell(t)
  await sillok('define', 'get', '--json', '{"key":"id"}')
  t.match(await sillok('put', 'get', '{"id":"import"}'), { exit: 0 })
  t.match(await sillok('get', 'get', 'import'), { exit: 0, out: '{"id":"import"}\n' })
  t.match(await sillok('-o', 'get', 'count', 'get'), { exit: 2, err: /^UsageError: -o is .*, not get\n/ })
  t.match(await sillok('-o', 'json', 'count', 'get'), { exit: 0, out: /"documents": 1/ })
})

t.test('a usage error names options with their dashes, and what is missing', async t => {
  const { sillok } = shell(t)
  const cases: [string[], string][] = [
    [['scan', 'users', '--limit', 'x'], '--limit is a whole number from 0, not x'],
    [['scan', 'users', '--limit', '1', '--limit', '2'], '--limit is given 2 times'],
    [['find', 'users', 'byName', '--limit', '0'], '--limit is a whole number from 1, not 0'],
    [['scan', 'users', '--limit'], 'a value is missing after --limit'],
    [['get', 'users', 'a', '--no-sense', '-q', '--odd=3'], 'not known here: --no-sense, -q, --odd'],
    [['delete', 'users', 'a', 'bC'], 'not known here: bC'],
    [['get', 'users'], 'a word is missing: sillok get <collection> <value..>'],
    [['get', '', 'a'], '<collection> is missing'],
    [['bench', 'put', '--concurrency', '1,x'], '--concurrency is a whole number from 1, not x'],
    [['bench', 'put', '--concurrency', '99999'], '--concurrency is at most 16384, not 99999'],
    [['bench', 'put', '--duration', 'x'], '--duration is seconds, over 0 and at most 86400'],
    [['bench', 'put', '--value-size', '9999999'], '--value-size is at most 1000000'],
  ]
  for (const [words, message] of cases) {
    const { exit, err } = await sillok(...words)
    t.equal(exit, 2)
    t.equal(err.split('\n')[0], `UsageError: ${message}`)
  }
})

t.test('a benchmark makes its folders where it is told, and leaves none', async t => {
  const { sillok, folder } = shell(t)
  const bench = ['bench', 'put', 'raw-sync', '--concurrency', '4', '--duration', '0.05']
  t.match(await sillok(...bench, '--scratch-dir', folder), { exit: 0, out: /"workload":"raw-sync"/ })
  const missing = await sillok(...bench, '--scratch-dir', path.join(folder, 'nope'))
  t.match(missing, { exit: 5, out: '', err: /^NOT_FOUND: cannot make .*nope.*its folder is not there/ })
  t.match(await sillok(...bench, '--dir', folder), { exit: 2 }, 'which is the folder of a store elsewhere')
  t.same(readdirSync(folder), [])
})

t.test('every option and word of every verb is described in the help', async t => {
  for (const file of readdirSync(path.join(projectRoot, 'src/cli/commands'))) {
    const verb = path.basename(file, '.ts')
    let help = ''
    const write = async (text: string): Promise<void> => {
      help += text
    }
    const sink = { isTerminal: false, width: 100, write }
    t.equal(await run([verb, '--help'], sink, sink), 0)
    t.notMatch(help, /default: \[\]/, verb)
    const described = help.match(/^ {2,6}[-\w].* {2}\S.*$/gm) ?? []
    t.ok(described.length >= 3, verb)
    for (const line of described) {
      const [, text = ''] = /^ +(?:-\w, )?(?:--)?[\w-]+ +(.*?)(?: *\[.*)?$/.exec(line) ?? []
      t.ok(text.length > 14 || line.includes('--help'), `${verb}: ${line}`)
    }
  }
})
