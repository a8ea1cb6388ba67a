/**
 * A sign-up service: no two accounts with one e-mail address, and no account made twice, however often a
 * client, a proxy or a queue sends the request again.
 *
 *     node dist/test/examples/sign-up.js ./accounts 8080      # after npm run build
 *     curl localhost:8080/accounts -H 'Idempotency-Key: 7f3a' -d '{"email":"kim@example.com","name":"Kim"}'
 *
 * What to take from it:
 *
 * - The header `Idempotency-Key` becomes the `requestId` of the write. Sent again, the request gets its first
 *   answer, also a refusal, also after a restart; other content under the same key is 422.
 * - The same request must be the same write. So the id of an account is made from the key, not by chance,
 *   and nothing in the document comes from a clock.
 * - 409 means that somebody else holds the address. It is decided with the write: there is no look-up before
 *   it that another request could overtake.
 */
import { createHash, randomUUID } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { open, type Store } from 'sillok'
import { type Handler, jsonOf, serve } from './web-server.js'

/** What is stored of an account. */
export interface Account {
  readonly id: string
  readonly email: string
  readonly name: string
}

const accounts = {
  key: 'id',
  // Kim@Example.com and " kim@example.com" are one address.
  unique: { email: { fields: ['email'], normalize: ['trim', 'nfc', 'fold'] } },
} as const

/** The service over a store; makes its collection if it is not there. */
export async function signUpService(db: Store): Promise<Handler> {
  await db.define('accounts', accounts)
  const collection = db.collection<Account, typeof accounts>('accounts')

  async function signUp(request: Request): Promise<Response> {
    const key = request.headers.get('idempotency-key') ?? randomUUID()
    const { email, name } = await jsonOf(request)
    if (typeof email !== 'string' || !/^\s*\S+@\S+\s*$/.test(email) || typeof name !== 'string')
      return Response.json({ error: 'email and name are needed' }, { status: 400 })
    const id = createHash('sha256').update(key).digest('hex').slice(0, 24)
    const { version } = await collection.insert({ id, email, name }, { requestId: `sign-up ${key}` })
    return Response.json({ id, version }, { status: 201, headers: { location: `/accounts/${id}` } })
  }

  async function show(id: string): Promise<Response> {
    const account = await collection.get(id)
    if (account === undefined) return Response.json({ error: 'no such account' }, { status: 404 })
    return Response.json(account)
  }

  async function remove(id: string): Promise<Response> {
    const { existed } = await collection.delete(id)
    return new Response(null, { status: existed ? 204 : 404 })
  }

  return async request => {
    const [, place, id] = new URL(request.url).pathname.split('/')
    if (place === 'accounts' && id === undefined && request.method === 'POST') return signUp(request)
    if (place === 'accounts' && id && request.method === 'GET') return show(id)
    if (place === 'accounts' && id && request.method === 'DELETE') return remove(id)
    return Response.json({ error: 'no such place' }, { status: 404 })
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , dir = './accounts', port = '8080'] = process.argv
  const db = await open({ dir })
  const server = await serve(await signUpService(db), Number(port))
  // Ctrl-C: take nothing new, answer what is there, then close the store.
  process.once('SIGINT', () => server.close(() => void db.close()))
}
