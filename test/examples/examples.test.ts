/** The examples, driven as their clients would: services over the loopback, an index type in a store. */
import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { open, type Store } from 'sillok'
import t, { type Test } from 'tap'
import { domainIndex } from './domain-index.js'
import { orderService } from './orders.js'
import { signUpService } from './sign-up.js'
import { type Handler, serve } from './web-server.js'

interface Site {
  readonly db: Store
  readonly port: number
  ask(method: string, place: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly headers: Headers
}

async function siteIn(dir: string, service: (db: Store) => Promise<Handler>): Promise<Site> {
  const db = await open({ dir })
  const server: Server = await serve(await service(db), 0)
  const { port } = server.address() as AddressInfo
  return {
    db,
    port,
    async ask(method, place, body, headers = {}) {
      const sent = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body)
      const answer = await fetch(`http://127.0.0.1:${port}${place}`, { method, headers, body: sent })
      const text = await answer.text()
      return { status: answer.status, body: text === '' ? {} : JSON.parse(text), headers: answer.headers }
    },
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      await db.close()
    },
  }
}

function folderFor(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sillok-examples-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return path.join(folder, 'store')
}

const keyed = (key: string): Record<string, string> => ({ 'idempotency-key': key })

t.test('a retried sign-up gets its first answer, and no address is taken twice', async t => {
  const folder = folderFor(t)
  let site = await siteIn(folder, signUpService)
  const kim = { email: 'Kim@example.com', name: 'Kim' }
  const first = await site.ask('POST', '/accounts', kim, keyed('k1'))
  t.match(first, { status: 201, body: { id: /^[0-9a-f]{24}$/, version: Number } })
  t.strictSame((await site.ask('POST', '/accounts', kim, keyed('k1'))).body, first.body)
  t.match(await site.ask('POST', '/accounts', { ...kim, name: 'Lee' }, keyed('k1')), {
    status: 422,
    body: { error: 'REQUEST_ID_REUSED' },
  })
  const taken = { status: 409, body: { error: 'UNIQUE_TAKEN', constraint: 'email' } }
  const lee = { email: ' kim@EXAMPLE.com', name: 'Lee' }
  t.match(await site.ask('POST', '/accounts', lee, keyed('k2')), taken)
  t.match(await site.ask('POST', '/accounts', lee), taken, 'without a key too')

  const place = `/accounts/${String(first.body['id'])}`
  t.match(await site.ask('GET', place), { status: 200, body: kim })
  t.equal((await site.ask('DELETE', place)).status, 204)
  t.equal((await site.ask('GET', place)).status, 404)
  await site.close()
  site = await siteIn(folder, signUpService)
  t.match(await site.ask('POST', '/accounts', lee, keyed('k2')), taken, 'a refusal is an answer too')
  t.strictSame((await site.ask('POST', '/accounts', kim, keyed('k1'))).body, first.body)
  t.equal((await site.ask('GET', place)).status, 404, 'the retry made no account')
  t.equal((await site.ask('POST', '/accounts', lee, keyed('k3'))).status, 201)

  for (const [body, headers] of [
    ['{', {}],
    ['[]', {}],
    [{ email: 'x' }, {}],
  ] as const)
    t.equal((await site.ask('POST', '/accounts', body, headers)).status, 400)
  t.equal((await site.ask('POST', '/accounts', { ...kim, name: 'x'.repeat(70_000) })).status, 413)
  t.equal((await site.ask('POST', '/accounts', kim, keyed('x'.repeat(300)))).status, 413)
  await site.close()
})

t.test('requests that race or lose their answer sign up once', async t => {
  const site = await siteIn(folderFor(t), signUpService)
  const same = await Promise.all(
    Array.from({ length: 10 }, () =>
      site.ask('POST', '/accounts', { email: 'a@b.c', name: 'A' }, keyed('same')),
    ),
  )
  t.same(new Set(same.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size, 1)
  t.equal(same[0]?.status, 201)
  const rivals = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      site.ask('POST', '/accounts', { email: 'd@e.f', name: `${i}` }, keyed(`rival ${i}`)),
    ),
  )
  t.same(rivals.map(({ status }) => status).sort(), [201, ...Array<number>(19).fill(409)])

  // The client sends it and goes away before the answer; then it asks again.
  const body = JSON.stringify({ email: 'g@h.i', name: 'G' })
  const head = 'POST /accounts HTTP/1.1\r\nhost: x\r\nidempotency-key: lost\r\n'
  const socket = connect(site.port, '127.0.0.1')
  await new Promise(resolve => socket.write(`${head}content-length: ${body.length}\r\n\r\n${body}`, resolve))
  socket.destroy()
  t.equal((await site.ask('POST', '/accounts', body, keyed('lost'))).status, 201)
  t.equal(await site.db.collection('accounts').count(), 3)
  await site.close()
})

t.test('orders are listed by index page by page, changed by version, and found by words', async t => {
  const site = await siteIn(folderFor(t), orderService)
  const items = [
    'Blue ceramic teapot, two cups',
    'Teapots of iron',
    'Green tea, 찻주전자를 하나',
    'Two books on tea',
  ]
  for (const [i, text] of items.entries()) {
    const order = { id: `o-${i}`, customer: i % 2 === 0 ? 'kim' : 'lee', items: text }
    t.match(await site.ask('POST', '/orders', order), { status: 201, body: { id: `o-${i}` } })
  }
  const idsOf = ({ body }: Answer): unknown[] => (body['orders'] as { id: string }[]).map(({ id }) => id)
  t.same(idsOf(await site.ask('GET', '/orders?state=open&customer=kim')), ['o-0', 'o-2'])
  const page = await site.ask('GET', '/orders?limit=3')
  t.same(idsOf(page), ['o-0', 'o-2', 'o-1'])
  const cursor = String(page.body['cursor'])
  t.same(idsOf(await site.ask('GET', `/orders?limit=3&cursor=${encodeURIComponent(cursor)}`)), ['o-3'])
  t.equal((await site.ask('GET', '/orders?cursor=forged')).status, 400)

  const foundBy = async (query: string): Promise<unknown[]> => {
    const { body } = await site.ask('GET', `/search?${query}`)
    return (body['hits'] as { order: { id: string } }[]).map(({ order }) => order.id).sort()
  }
  t.same(await foundBy('q=teapot'), ['o-0', 'o-1'])
  t.same(await foundBy(`q=${encodeURIComponent('주전자')}`), ['o-2'])

  const moved = await site.ask('PATCH', '/orders/o-1', { state: 'packed' })
  t.match(moved, { status: 200, body: { state: 'packed' } })
  const tag = { 'if-match': moved.headers.get('etag') ?? '' }
  t.equal((await site.ask('PATCH', '/orders/o-1', { state: 'sent' }, tag)).status, 200)
  t.match(await site.ask('PATCH', '/orders/o-1', { state: 'open' }, tag), {
    status: 412,
    body: { error: 'CONFLICT' },
  })
  t.same(idsOf(await site.ask('GET', '/orders?state=sent')), ['o-1'])
  t.same(await foundBy('q=teapot&state=open'), ['o-0'])
  t.equal((await site.ask('PATCH', '/orders/o-9', { state: 'sent' })).status, 404)
  t.equal((await site.ask('POST', '/orders', { id: 'o-1', customer: 'kim', items: '' })).status, 409)
  await site.close()
})

t.test('an index of a type of its own follows every change of a document', async t => {
  const db = await open({ memory: true, indexTypes: [domainIndex] })
  await db.define('users', { key: 'id', indexes: { byDomain: { type: 'domain' } } })
  const users = db.collection('users')
  const keysOf = async (domain: string): Promise<unknown[]> => {
    const keys: unknown[] = []
    for await (const key of users.query('byDomain', domain)) keys.push(key)
    return keys
  }
  await users.insert({ id: 'u1', email: 'kim@example.com' })
  await users.insert({ id: 7, email: 'lee@example.com' })
  await users.insert({ id: 'u2', email: 'park@example.com.kr' })
  t.strictSame(await keysOf('example.com'), [7, 'u1'])
  await users.put({ id: 'u1', email: 'kim@example.org' })
  await users.put({ id: 'u2' })
  await users.delete(7)
  t.strictSame(await keysOf('example.com'), [])
  t.strictSame(await keysOf('example.com.kr'), [])
  t.strictSame(await keysOf('example.org'), ['u1'])
  await db.close()
})
