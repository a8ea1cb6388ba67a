/** Every story happens exactly as it is written. `REWRITE=1` writes down what happens instead. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { perform } from './script.js'

const folder = fileURLToPath(new URL('../../../test/transcripts/stories/', import.meta.url))

for (const name of readdirSync(folder).sort()) {
  t.test(name.replace('.txt', '').replaceAll('-', ' '), async t => {
    const story = readFileSync(folder + name, 'utf8')
    const happened = perform(story)
    if (process.env['REWRITE'] === '1') writeFileSync(folder + name, happened)
    else t.equal(happened, story)
  })
}
