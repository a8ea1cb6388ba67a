/** What the words of a command line mean: verbs, options, values, and what is said of wrong ones. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { nearName } from '../../../src/cli/near-name.js'
import { projectRoot } from '../../tidy/source.js'
import { shell } from './shell.js'

t.test('a verb is a file in commands, and one line of main.ts', async t => {
  const lines = readFileSync(path.join(projectRoot, 'src/cli/main.ts'), 'utf8').split('\n')
  for (const file of readdirSync(path.join(projectRoot, 'src/cli/commands'))) {
    const name = path.basename(file, '.ts')
    const own = lines.filter(line => line.includes(`commands/${name}.js`) && line.includes('import('))
    t.equal(own.length, 1, name)
  }
  t.notOk(lines.some(line => line.includes('as command') || line.includes('command as')))
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
