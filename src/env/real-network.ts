/**
 * Messages over WebSockets. Compression is off; a message is at most one frame of the protocol.
 *
 * What waits to be sent is counted here, per connection, as it is handed over and written out; the library's
 * own count is looked at too. A connection that breaks the protocol is closed, as is one whose other side is
 * gone.
 */
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Address, Connection, Listener, Network } from './network.js'

/** Bytes that may wait on one connection: a few of the largest messages. */
const waitingBytesMax = 4 * limits.walBatchBytesMax

/** How long a connection may take to stand. */
const connectMs = 5000

class RealConnection implements Connection {
  readonly remote: Address
  readonly #socket: WebSocket
  #waitingBytes = 0
  #call: ((message: Buffer) => void) | undefined

  constructor(socket: WebSocket, remote: Address) {
    this.#socket = socket
    this.remote = remote
    // Nothing is read before somebody listens: no message is lost, none is kept here.
    socket.pause()
    socket.on('message', (message, binary) => {
      if (binary && Buffer.isBuffer(message)) this.#call?.(message)
      else socket.close(1003)
    })
    // What goes wrong on a connection closes it; there is nothing else to tell.
    socket.on('error', () => socket.terminate())
  }

  send(message: Uint8Array): boolean {
    const socket = this.#socket
    if (socket.readyState !== WebSocket.OPEN) return false
    const waiting = Math.max(this.#waitingBytes, socket.bufferedAmount)
    if (waiting + message.length > waitingBytesMax) return false
    this.#waitingBytes += message.length
    socket.send(message, { binary: true, compress: false }, () => {
      this.#waitingBytes -= message.length
    })
    return true
  }

  onMessage(call: (message: Buffer) => void): void {
    this.#call = call
    this.#socket.resume()
  }

  onClose(call: () => void): void {
    if (this.#socket.readyState === WebSocket.CLOSED) queueMicrotask(call)
    else this.#socket.once('close', () => call())
  }

  close(): void {
    this.#socket.terminate()
  }
}

/** WebSockets on this machine's addresses, without encryption of their own. */
export class RealNetwork implements Network {
  async listen(address: Address, accept: (connection: Connection) => void): Promise<Listener> {
    const { host, port } = parts(address)
    const options = { perMessageDeflate: false, maxPayload: limits.walBatchBytesMax, clientTracking: true }
    const server = new WebSocketServer({ host, port, ...options })
    server.on('connection', (socket, request) => {
      const { remoteAddress = '', remotePort = 0 } = request.socket
      accept(new RealConnection(socket, joined(remoteAddress, remotePort)))
    })
    await new Promise<void>((resolve, reject) => {
      server.once('listening', resolve)
      server.once('error', error => reject(unavailable(`cannot listen at ${address}`, error)))
    })
    const bound = server.address() as AddressInfo
    return {
      address: joined(host, bound.port),
      close: () =>
        new Promise<void>(resolve => {
          server.close(() => resolve())
          for (const socket of server.clients) socket.terminate()
        }),
    }
  }

  async connect(address: Address): Promise<Connection> {
    const socket = new WebSocket(`ws://${address}`, {
      perMessageDeflate: false,
      maxPayload: limits.walBatchBytesMax,
      handshakeTimeout: connectMs,
      followRedirects: false,
    })
    return await new Promise<Connection>((resolve, reject) => {
      socket.once('open', () => resolve(new RealConnection(socket, address)))
      socket.once('error', error => reject(unavailable(`nobody answers at ${address}`, error)))
    })
  }
}

function unavailable(message: string, cause: unknown): SillokError {
  return new SillokError('UNAVAILABLE', message, { cause })
}

function parts(address: Address): { host: string; port: number } {
  const cut = address.lastIndexOf(':')
  const port = Number(address.slice(cut + 1))
  if (cut < 1 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new RangeError(`not an address (host:port): ${address}`)
  }
  return { host: address.slice(0, cut).replace(/^\[(.*)\]$/, '$1'), port }
}

function joined(host: string, port: number): Address {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
