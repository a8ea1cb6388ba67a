/** Definitions as a store shows them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { open } from '../../../src/index.js'
import { words } from './own-index.js'

const written = {
  key: 'id',
  unique: {
    email: { fields: ['email'], normalize: ['trim', 'fold'] },
    pair: { fields: ['a', { field: 'b', normalize: ['nfc'] }], normalize: ['trim'] },
    plain: { fields: ['x', { field: 'y' }] },
  },
  indexes: {
    byCity: { type: 'secondary', fields: ['city', 'tags'], each: 'tags' },
    words: { type: 'words', field: 'text' },
  },
} as const

const normal = {
  key: 'id',
  unique: {
    email: { fields: ['email'], normalize: ['trim', 'fold'] },
    pair: {
      fields: [
        { field: 'a', normalize: ['trim'] },
        { field: 'b', normalize: ['nfc'] },
      ],
      normalize: [],
    },
    plain: { fields: ['x', 'y'], normalize: [] },
  },
  indexes: {
    byCity: { type: 'secondary', fields: ['city', 'tags'], each: 'tags', sparse: false },
    words: { type: 'words', field: 'text' },
  },
}

t.test('a definition is shown in its normal form, which defines the same', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'sillok-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  {
    await using store = await open({ dir, indexTypes: [words] })
    t.equal(store.definition('users'), undefined)
    await store.define('users', written)
    await store.define('bare', { key: 'k' })
    t.strictSame(store.definition('users'), normal)
    t.strictSame(store.definition('bare'), { key: 'k', unique: {}, indexes: {} })
  }
  const store = await open({ dir, indexTypes: [words] })
  const shown = store.definition('users')
  t.strictSame(shown, normal, 'also when the store is opened again')
  const entries = () => store.status().partitions[0]?.lastIndex
  const before = entries()
  if (shown !== undefined) await store.define('users', shown)
  t.equal(entries(), before, 'it makes no entry')
  const copy = shown as unknown as { unique: { email: { fields: string[] } } }
  copy.unique.email.fields.push('more')
  t.strictSame(store.definition('users'), normal, 'what is shown is a copy')
  await store.define('users', { ...written, indexes: {} }, { drop: true })
  t.strictSame(store.definition('users'), { ...normal, indexes: {} })
  t.throws(() => store.definition(5 as never), { code: 'INVALID' })
  await store.close()
  t.throws(() => store.definition('users'), { code: 'CLOSED' })
})
