/**
 * The order book of a shop: orders by customer and state, page by page, and a search over what was ordered.
 *
 *     node dist/test/examples/orders.js ./orders 8080      # after npm run build
 *     curl localhost:8080/orders -d '{"id":"o-1","customer":"kim","items":"Blue ceramic teapot, two cups"}'
 *     curl 'localhost:8080/orders?state=open&customer=kim'
 *     curl 'localhost:8080/search?q=teapots&state=open'
 *
 * What to take from it:
 *
 * - Indexes are part of the definition. A list or a search sees every write that was answered before.
 * - A page has a cursor for the next one, which is safe to hand to a browser: it is signed.
 * - The version of a document is its ETag. A change with `If-Match` is refused (412) if somebody was faster.
 * - A search answers with orders, the best first, and with what was found in them, ready for a page of HTML.
 *   `state` is a filter of it.
 */
import { pathToFileURL } from 'node:url'
import { open, type Store } from 'sillok'
import { type Handler, jsonOf, serve } from './web-server.js'

const states = ['open', 'packed', 'sent'] as const

/** What is stored of an order. */
export interface Order {
  readonly id: string
  readonly customer: string
  readonly items: string
  readonly state: (typeof states)[number]
}

const orders = {
  key: 'id',
  indexes: {
    byState: { type: 'secondary', fields: ['state', 'customer', 'id'] },
    text: { type: 'search', fields: ['items'], filters: ['state'] },
  },
} as const

/** The service over a store; makes its collection if it is not there. */
export async function orderService(db: Store): Promise<Handler> {
  await db.define('orders', orders)
  const collection = db.collection<Order, typeof orders>('orders')

  async function place(request: Request): Promise<Response> {
    const { id, customer, items } = await jsonOf(request)
    if (typeof id !== 'string' || typeof customer !== 'string' || typeof items !== 'string')
      return Response.json({ error: 'id, customer and items are needed' }, { status: 400 })
    const { version } = await collection.insert({ id, customer, items, state: 'open' })
    return Response.json({ id }, { status: 201, headers: { etag: `"${version}"` } })
  }

  async function move(id: string, request: Request): Promise<Response> {
    const asked = (await jsonOf(request))['state']
    const state = states.find(known => known === asked)
    if (state === undefined) return Response.json({ error: `state is ${states.join(', ')}` }, { status: 400 })
    const found = await collection.getVersioned(id)
    if (found === undefined) return Response.json({ error: 'no such order' }, { status: 404 })
    const tag = /^"(\d+)"$/.exec(request.headers.get('if-match') ?? '')?.[1]
    const ifVersion = tag === undefined ? found.version : Number(tag)
    const { version } = await collection.put({ ...found.document, state }, { ifVersion })
    return Response.json({ id, state }, { headers: { etag: `"${version}"` } })
  }

  async function list(asked: URLSearchParams): Promise<Response> {
    const state = states.find(known => known === asked.get('state')) ?? 'open'
    const customer = asked.get('customer')
    const query = customer === null ? { eq: [state] as const } : { eq: [state, customer] as const }
    const limit = Math.min(Number(asked.get('limit')) || 20, 100)
    const page = { limit, cursor: asked.get('cursor') ?? undefined }
    const { documents, cursor } = await collection.findPage('byState', query, page)
    return Response.json({ orders: documents, cursor })
  }

  async function search(asked: URLSearchParams): Promise<Response> {
    const state = states.find(one => one === asked.get('state'))
    const where = state === undefined ? {} : { state }
    const page = await collection.search('text', asked.get('q') ?? '', { where, highlight: true })
    const hits = page.hits.map(({ score, document, highlights }) => ({ score, order: document, highlights }))
    return Response.json({ hits })
  }

  return async request => {
    const { pathname, searchParams } = new URL(request.url)
    const [, at, id] = pathname.split('/')
    if (at === 'orders' && request.method === 'POST' && !id) return place(request)
    if (at === 'orders' && request.method === 'PATCH' && id) return move(id, request)
    if (at === 'orders' && request.method === 'GET' && !id) return list(searchParams)
    if (at === 'search' && request.method === 'GET') return search(searchParams)
    return Response.json({ error: 'no such place' }, { status: 404 })
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , dir = './orders', port = '8080'] = process.argv
  const db = await open({ dir })
  const server = await serve(await orderService(db), Number(port))
  process.once('SIGINT', () => server.close(() => void db.close()))
}
