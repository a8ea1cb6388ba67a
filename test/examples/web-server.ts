/**
 * Serves a handler of web requests by node:http. A handler takes a `Request` and answers with a `Response`,
 * as those of Hono, Deno and Bun do; with such a framework this file is not needed.
 *
 * Failures of the store become statuses here, once for all handlers. The rule behind them: a 4xx was refused
 * and took no effect; after a 503 the client sends it again, under the same Idempotency-Key.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type Code, isSillokError } from 'sillok'

/** Answers one request. */
export type Handler = (request: Request) => Promise<Response>

/** Bodies are small here; more is refused before it is held. */
const bodyBytesMax = 64 * 1024

const statuses: Partial<Record<Code, number>> = {
  INVALID: 400,
  NOT_FOUND: 404,
  EXISTS: 409,
  UNIQUE_TAKEN: 409,
  CONFLICT: 412,
  TOO_LARGE: 413,
  REQUEST_ID_REUSED: 422,
}

/** Listens on the loopback; resolves with the server when it takes requests. Port 0: any that is free. */
export async function serve(handler: Handler, port: number): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    answer(handler, incoming)
      .then(async response => {
        outgoing.writeHead(response.status, Object.fromEntries(response.headers))
        outgoing.end(Buffer.from(await response.arrayBuffer()))
      })
      .catch(() => outgoing.destroy())
  })
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return server
}

/** JSON of the body. A fault of the client is thrown as a `Response`. */
export async function jsonOf(request: Request): Promise<Record<string, unknown>> {
  try {
    const body = (await request.json()) as unknown
    if (typeof body === 'object' && body !== null && !Array.isArray(body))
      return body as Record<string, unknown>
  } catch {
    // Told below, with bodies that are JSON and no object.
  }
  throw Response.json({ error: 'the body is a JSON object' }, { status: 400 })
}

async function answer(handler: Handler, incoming: IncomingMessage): Promise<Response> {
  try {
    return await handler(await requestOf(incoming))
  } catch (error) {
    if (error instanceof Response) return error
    if (!isSillokError(error)) return Response.json({ error: 'internal' }, { status: 500 })
    const { code, message, details } = error
    const status = statuses[code] ?? 503
    const headers = status === 503 ? { 'retry-after': '1' } : undefined
    const { constraint } = details
    return Response.json({ error: code, message, constraint }, { status, ...(headers && { headers }) })
  }
}

async function requestOf(incoming: IncomingMessage): Promise<Request> {
  const { method = 'GET', url = '/', headers } = incoming
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of incoming as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > bodyBytesMax) throw Response.json({ error: 'the body is too long' }, { status: 413 })
    parts.push(part)
  }
  const own = new Headers()
  for (const [name, value] of Object.entries(headers)) own.set(name, String(value))
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return new Request(new URL(url, 'http://127.0.0.1'), {
    method,
    headers: own,
    body: hasBody ? Buffer.concat(parts) : null,
  })
}
