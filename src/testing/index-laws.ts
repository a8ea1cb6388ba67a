/**
 * The laws of derived indexes: what the contract (`IndexType`) demands of a type, and what a store rests on.
 * They feed indexes in memory with random changes, as a store would.
 */
import assert from 'node:assert/strict'
import { isSillokError } from '../base/errors.js'
import { type DocumentKey, decodeKey, encodeKey } from '../base/tuple.js'
import { encodeDocument } from '../codec/document.js'
import { packStrict, unpackStrict } from '../codec/msgpack.js'
import { type Applying, IndexCopy } from './index-copy.js'
import type { IndexSubject } from './index-subject.js'
import { IndexWorld } from './index-world.js'
import type { Law } from './law.js'
import { toldTwice } from './told-twice.js'

/** Worlds that a law is tried in. */
const worlds = 4
const changesInWorld = 100

/** Tries something in some worlds, each with a configuration and a log of its own. */
async function inWorlds(
  subject: IndexSubject,
  law: string,
  check: (world: IndexWorld) => Promise<void>,
): Promise<void> {
  for (let n = 0; n < worlds; n++) {
    const world = new IndexWorld(subject, subject.random.split(`${law} ${n}`))
    world.grow(changesInWorld)
    await check(world)
  }
}

/** A law that is tried in some worlds. */
function law(title: string, check: (world: IndexWorld) => Promise<void>): Law<IndexSubject> {
  return { title, check: subject => inWorlds(subject, title, check) }
}

/** The index, failing for changes of some documents once it has dealt with them. */
function failingFor(index: Applying, poison: ReadonlySet<DocumentKey>): Applying {
  return {
    async apply(changes, rows, ops) {
      await index.apply(changes, rows, ops)
      const failed = changes.find(({ key }) => poison.has(key))
      if (failed !== undefined) throw new Error(`the change ${failed.version} cannot be taken`)
    },
  }
}

const configurationLaws: readonly Law<IndexSubject>[] = [
  {
    title: 'a configuration is plain values, and its normal form gives itself',
    async check({ type, definition, random }) {
      for (let n = 0; n < 50; n++) {
        const config = type.configure(definition(random.split(`definition ${n}`)))
        assert.deepEqual(unpackStrict(packStrict(config)), config, 'it is as it was when it is read back')
        assert.deepEqual(type.configure(config as Readonly<Record<string, unknown>>), config)
      }
      assert.ok(Number.isSafeInteger(type.version))
    },
  },
  {
    title: 'a wrong definition and a wrong question are INVALID',
    async check(subject) {
      for (const wrong of subject.wrongDefinitions ?? []) {
        assert.throws(() => subject.type.configure(wrong), { code: 'INVALID' }, JSON.stringify(wrong))
      }
      const world = new IndexWorld(subject, subject.random.split('wrong questions'))
      world.grow(20)
      const copy = await IndexCopy.fed(world)
      for (const wrong of subject.wrongQuestions ?? []) {
        await assert.rejects(copy.ask(wrong), { code: 'INVALID' }, JSON.stringify(wrong))
      }
      await copy.close()
    },
  },
]

const pureLaws: readonly Law<IndexSubject>[] = [
  law('the same changes over the same rows give the same operations, at any time and place', async world => {
    const copy = await IndexCopy.open(world)
    const index = toldTwice(copy.index, () => world.index(), true)
    await copy.feed(world.length, { index })
    await copy.close()
  }),
  law('an index keeps nothing from one call to the next that changes what it does', async world => {
    const copy = await IndexCopy.open(world)
    const index = toldTwice(copy.index, () => world.index(), false)
    await copy.feed(world.length, { index })
    await copy.close()
  }),
  law('changes stay as they were given', async world => {
    const copy = await IndexCopy.open(world)
    const index: Applying = {
      async apply(changes, rows, ops) {
        const texts = (): unknown[] =>
          changes.map(({ keyBytes, document, note }) => [
            keyBytes.toString('hex'),
            document && encodeDocument(document).toString('hex'),
            note?.toString('hex'),
          ])
        const before = texts()
        await copy.index.apply(changes, rows, ops)
        assert.deepEqual(texts(), before)
      },
    }
    await copy.feed(world.length, { index })
    await copy.close()
  }),
]

const sameRowsLaws: readonly Law<IndexSubject>[] = [
  law('equal positions mean equal rows, whatever batches the changes came in', async world => {
    const [one, other, whole] = [
      await IndexCopy.open(world),
      await IndexCopy.open(world),
      await IndexCopy.open(world),
    ]
    for (const position of [world.length >> 1, world.length]) {
      await one.feed(position, {}, 1)
      await other.feed(position)
      await whole.feed(position, {}, 1_000_000)
      const meaning = await one.meaning()
      assert.deepEqual(await other.meaning(), meaning)
      assert.deepEqual(await whole.meaning(), meaning)
    }
    for (const copy of [one, other, whole]) await copy.close()
  }),
  law(
    'built from the documents of any moment, with changes meanwhile, it is as if told of all',
    async world => {
      const told = await IndexCopy.fed(world)
      for (let n = 0; n < 3; n++) {
        const built = await IndexCopy.open(world)
        await built.build()
        assert.deepEqual(await built.meaning(), await told.meaning())
        await built.close()
      }
      await told.close()
    },
  ),
  law('a document that is written again as it is changes no row', async world => {
    const copy = await IndexCopy.fed(world)
    const rows = (lines: string[]): string[] => lines.filter(line => line.startsWith('row '))
    const before = rows(await copy.meaning())
    for (const [key, document] of world.documents()) world.write(key, document)
    await copy.feed(world.length)
    assert.deepEqual(rows(await copy.meaning()), before)
    await copy.close()
  }),
  law('what a document added goes with it: when all are gone nothing is left', async world => {
    const [copy, empty] = [await IndexCopy.fed(world), await IndexCopy.open(world)]
    const half = [...world.documents().keys()].filter((_, n) => n % 2 === 0)
    for (const key of half) world.write(key, undefined)
    await copy.feed(world.length)
    const without = await IndexCopy.open(world)
    await without.write({ changes: world.chunk(world.length, undefined, 1_000_000), position: world.length })
    assert.deepEqual(await copy.meaning(), await without.meaning(), 'as if the deleted ones had never been')
    world.clear()
    await copy.feed(world.length)
    assert.deepEqual(await copy.meaning(), await empty.meaning())
    for (const one of [copy, empty, without]) await one.close()
  }),
  law('rows and configuration survive a restart between any two batches', async world => {
    const [copy, told] = [await IndexCopy.open(world), await IndexCopy.fed(world)]
    for (let position = 0; position < world.length; ) {
      position = Math.min(world.length, position + 15)
      await copy.feed(position)
      if (world.random.chance(0.5)) await copy.store.checkpoint()
      await copy.reopen()
      assert.equal(copy.store.position, position)
    }
    assert.deepEqual(await copy.meaning(), await told.meaning())
    for (let n = 0; n < 10; n++) {
      const question = world.subject.question(world.random)
      assert.deepEqual(await copy.ask(question), await told.ask(question))
    }
    await copy.close()
    await told.close()
  }),
]

const answerLaws: readonly Law<IndexSubject>[] = [
  law('answers are those of a reading of all documents', async world => {
    const { answer, question } = world.subject
    const copy = await IndexCopy.open(world)
    for (let position = 0; position < world.length; ) {
      position = Math.min(world.length, position + 10)
      await copy.feed(position)
      for (let n = 0; answer !== undefined && n < 5; n++) {
        const asked = question(world.random)
        const expected = answer(world.config, asked, world.documents(position))
        assert.deepEqual(await copy.ask(asked), expected, `the answer to ${JSON.stringify(asked)}`)
      }
    }
    await copy.close()
  }),
  law('answers do not depend on batches, nor on the pages in which rows come', async world => {
    const [one, other] = [await IndexCopy.fed(world), await IndexCopy.fed(world)]
    for (let n = 0; n < 20; n++) {
      const question = world.subject.question(world.random)
      const answer = await one.ask(question)
      assert.deepEqual(await other.ask(question), answer, JSON.stringify(question))
      assert.deepEqual(await one.ask(question, 1), answer, `${JSON.stringify(question)}, row by row`)
      assert.deepEqual(await one.ask(question, 3), answer, `${JSON.stringify(question)}, in threes`)
    }
    await one.close()
    await other.close()
  }),
]

const poisonLaws: readonly Law<IndexSubject>[] = [
  law('a document that fails its batch is parked alone, and is taken once it can be', async world => {
    const begin = world.random.below(world.length)
    const later = world.changes(begin, world.length).map(({ keyBytes }) => decodeKey(keyBytes))
    const poison = new Set(later.filter(() => world.random.chance(0.1)))
    const [copy, without, told] = [
      await IndexCopy.open(world),
      await IndexCopy.open(world),
      await IndexCopy.fed(world),
    ]
    await copy.feed(begin)
    await copy.feed(world.length, { index: failingFor(copy.index, poison), onError: 'park' })
    const changes = world.changes(0, world.length)
    const taken = changes.filter(({ keyBytes }, n) => n < begin || !poison.has(decodeKey(keyBytes)))
    await without.write({ changes: taken, position: world.length })
    assert.deepEqual(await copy.meaning(), await without.meaning(), 'the others are as if it had not come')
    const parked = [...copy.store.parked.values()].map(({ version }) => world.change(version))
    await copy.write({ changes: parked, isRetry: true })
    assert.equal(copy.store.parked.size, 0)
    assert.deepEqual(await copy.meaning(), await told.meaning(), 'mended, it is as if nothing had failed')
    for (const one of [copy, without, told]) await one.close()
  }),
  law('what check lets pass is taken, and what cannot be taken harms no other document', async world => {
    const { random, subject } = world
    const copy = await IndexCopy.fed(world)
    for (const [key, document] of world.documents())
      assert.doesNotThrow(() => copy.index.check?.({ key, document }))
    if (subject.poison !== undefined) {
      const document = subject.poison(random)
      const check = copy.index.check?.bind(copy.index)
      if (check !== undefined) {
        assert.throws(() => check({ key: 'poison', document }), isSillokError, 'a SillokError refuses it')
      }
      const before = await copy.meaning()
      const change = { keyBytes: encodeKey('poison'), version: world.length + 1, document }
      await copy.write({ changes: [change], position: world.length + 1, onError: 'park' })
      assert.equal(copy.store.parked.size, 1)
      assert.deepEqual(await copy.meaning(), before)
    }
    await copy.close()
  }),
]

/**
 * What every type of index keeps. For a type of one's own:
 *
 *     testLaws(indexLaws, check => check(subject()), (title, run) => test(title, run))
 *     const subject = () => ({
 *       type: domainIndex,
 *       random: new Random('a seed, to be printed'),
 *       definition: () => ({}),
 *       document: random => ({ email: `someone@${random.pick(['a.example', 'b.example'])}` }),
 *       question: random => random.pick(['a.example', 'b.example', 'none.example']),
 *       answer: (_config, domain, documents) => keysOfDomain(documents, domain),
 *     })
 */
export const indexLaws: readonly Law<IndexSubject>[] = [
  ...configurationLaws,
  ...pureLaws,
  ...sameRowsLaws,
  ...answerLaws,
  ...poisonLaws,
]
