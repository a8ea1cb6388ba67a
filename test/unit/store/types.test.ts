/** What the compiler says of definitions and questions: this file compiles only if it is right. */
import t from 'tap'
import type { Collection, Definition, Store } from '../../../src/index.js'

interface User {
  readonly id: string
  readonly city: string
  readonly age: number
  readonly address?: { readonly street: string }
}

const users = {
  key: 'id',
  indexes: {
    byCity: { type: 'secondary', fields: ['city', 'age'] },
    byStreet: { type: 'secondary', fields: ['address.street'] },
    byCty: { type: 'secondary', fields: ['cty'] },
    words: { type: 'words', field: 'city' },
    text: {
      type: 'search',
      fields: ['city', { field: 'address.street', weight: 2 }],
      filters: ['age', 'city'],
    },
    all: { type: 'search', fields: ['city'] },
  },
} as const

/** Never run. */
const questions = (own: Collection<User, typeof users>): void => {
  own.find('byCity', { eq: ['Seoul'], gte: 30 })
  own.find('byStreet', { prefix: 'Mapo' })
  void own.findPage('byCity', { eq: ['Seoul'] }, { limit: 1 })
  own.query('words', { from: 'a' })
  // @ts-expect-error the documents have no field cty
  own.find('byCty', { eq: ['Seoul'] })
  // @ts-expect-error an index of another type is asked by query
  own.find('words')
  // @ts-expect-error and gives no pages
  void own.findPage('words')
  // @ts-expect-error the limit of a page is an option
  void own.findPage('byCity', { limit: 1 })
}

/** Never run. */
const searches = (own: Collection<User, typeof users>): void => {
  void own.search('text', 'seoul', { where: { age: { gte: 30 }, city: ['Seoul', 'Busan'] }, limit: 5 })
  void own.search('text', 'seoul', { where: { age: 30 }, highlight: { fields: ['address.street'] } })
  void own.search('all', 'seoul').then(({ hits }) => hits[0]?.document.age.toFixed())
  // @ts-expect-error it is no search index
  void own.search('byCity', 'seoul')
  // @ts-expect-error find takes secondary indexes
  own.find('text')
  // @ts-expect-error an age is a number
  void own.search('text', 'seoul', { where: { age: 'old' } })
  // @ts-expect-error there is no such filter
  void own.search('text', 'seoul', { where: { 'address.street': 'x' } })
  // @ts-expect-error this one has no filters
  void own.search('all', 'seoul', { where: { age: 1 } })
  // @ts-expect-error nor that field
  void own.search('all', 'seoul', { highlight: { fields: ['address.street'] } })
  // @ts-expect-error and no such option
  void own.search('all', 'seoul', { offset: 10 })
}

const definitions = (store: Store, loose: Definition): void => {
  void store.define('a', users)
  void store.define('b', loose)
  void store.define('c', { key: 'id', indexes: { own: { type: 'words', field: 'x' } } })
  void store.define('d', { key: 'id', indexes: { byX: { type: 'secondary', fields: ['x'], sparse: true } } })
  const wide = { key: 'id', indexes: { byX: { type: 'secondary', fields: ['x'] } } }
  void store.define('e', wide)
  // @ts-expect-error a secondary index has fields, not a field
  void store.define('f', { key: 'id', indexes: { byX: { type: 'secondary', field: ['x'] } } })
  // @ts-expect-error nor has it an option that is misspelt
  void store.define('g', { key: 'id', indexes: { byX: { type: 'secondary', fields: ['x'], spars: true } } })
  // @ts-expect-error its fields are a list
  void store.define('h', { key: 'id', indexes: { byX: { type: 'secondary', fields: 'x' } } })
  // @ts-expect-error an index has a type
  void store.define('i', { key: 'id', indexes: { byX: { fields: ['x'] } } })
  // @ts-expect-error a definition has a key
  void store.define('j', { indexes: { byX: { type: 'secondary', fields: ['x'] } } })
}

const untyped = (store: Store): void => {
  store.collection('users').find('anything', { eq: ['x'], limit: 1 })
  const wide = { key: 'id', indexes: { byX: { type: 'secondary', fields: ['x'] } } }
  const own = store.collection<User, typeof wide>('users')
  own.find('byX', { eq: [1, 'whatever'] })
  void own.search('byX', 'text', { where: { anything: 1 } })
  // @ts-expect-error the names are known all the same
  own.find('byY')
}

t.test('questions and definitions that cannot be meant do not compile', async t => {
  for (const compiled of [questions, searches, definitions, untyped]) t.type(compiled, 'function')
})
