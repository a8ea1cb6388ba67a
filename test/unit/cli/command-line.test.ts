/** What the words of a command line mean: verbs, options, values, and what is said of wrong ones. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { projectRoot } from '../../tidy/source.js'

t.test('a verb is a file in commands, and one line of main.ts', async t => {
  const lines = readFileSync(path.join(projectRoot, 'src/cli/main.ts'), 'utf8').split('\n')
  for (const file of readdirSync(path.join(projectRoot, 'src/cli/commands'))) {
    const name = path.basename(file, '.ts')
    const own = lines.filter(line => line.includes(`commands/${name}.js`) && line.includes('import('))
    t.equal(own.length, 1, name)
  }
  t.notOk(lines.some(line => line.includes('as command') || line.includes('command as')))
})
