/**
 * Messages over WebSockets. Compression is off; a message is at most one frame of the protocol.
 *
 * What waits to be sent is counted here, per connection, as it is handed over and written out; the library's
 * own count is looked at too. A connection that breaks the protocol is closed. So is one over which nothing
 * comes: each side gives a sign of life now and then (a pong that nobody asked for, RFC 6455 5.5.3). TCP
 * would notice after a quarter of an hour, and if a cable was mended by then, go on after minutes only.
 */
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import {
  type Address,
  addressOf,
  addressParts,
  type Connection,
  type Listener,
  type Network,
} from './network.js'

/** How long a connection may take to stand. */
const connectMs = 5000

/** How often each side gives a sign of life. */
const usualSignMs = 2000

/** So many times of that, and a bit, without any sign of the other side: it is gone. */
const silentSignsMax = 3

class RealConnection implements Connection {
  readonly remote: Address
  readonly #socket: WebSocket
  readonly #signMs: number
  #waitingBytes = 0
  #silentSigns = 0
  #isClosed = false
  #call: ((message: Buffer) => void) | undefined

  constructor(socket: WebSocket, remote: Address, signMs: number) {
    this.#socket = socket
    this.remote = remote
    this.#signMs = signMs
    // Nothing is read before somebody listens: no message is lost, none is kept here.
    socket.pause()
    socket.on('message', (message, binary) => {
      this.#silentSigns = 0
      if (!binary || !Buffer.isBuffer(message)) this.close()
      // Behind a close the messages of the piece that is being read would still come.
      else if (!this.#isClosed) this.#call?.(message)
    })
    // On a slow way signs wait behind messages: those count too.
    socket.on('pong', () => {
      this.#silentSigns = 0
    })
    // What goes wrong on a connection closes it; there is nothing else to tell.
    socket.on('error', () => this.close())
  }

  send(message: Uint8Array): boolean {
    const socket = this.#socket
    if (socket.readyState !== WebSocket.OPEN) return false
    const waiting = Math.max(this.#waitingBytes, socket.bufferedAmount)
    if (waiting + message.length > limits.connectionBytesMax) return false
    this.#waitingBytes += message.length
    socket.send(message, { binary: true, compress: false }, () => {
      this.#waitingBytes -= message.length
    })
    return true
  }

  onMessage(call: (message: Buffer) => void): void {
    if (this.#call === undefined) this.#watch()
    this.#call = call
    this.#socket.resume()
  }

  onClose(call: () => void): void {
    if (this.#socket.readyState === WebSocket.CLOSED) queueMicrotask(call)
    else this.#socket.once('close', () => call())
  }

  close(): void {
    this.#isClosed = true
    this.#socket.terminate()
  }

  /** A turn that comes late counts once, however late: what has come meanwhile is read before the next. */
  #watch(): void {
    const sign = (): void => {
      if (this.#silentSigns >= silentSignsMax) this.close()
      else this.#socket.pong()
      this.#silentSigns++
    }
    const timer = setInterval(sign, this.#signMs).unref()
    this.onClose(() => clearInterval(timer))
  }
}

/** WebSockets on this machine's addresses, without encryption of their own. */
export class RealNetwork implements Network {
  readonly #signMs: number

  /** `signMs`: how often the sides of a connection give a sign of life; after four of these one is gone. */
  constructor({ signMs = usualSignMs }: { readonly signMs?: number } = {}) {
    this.#signMs = signMs
  }

  async listen(address: Address, accept: (connection: Connection) => void): Promise<Listener> {
    const { host, port } = addressParts(address)
    const options = { perMessageDeflate: false, maxPayload: limits.walBatchBytesMax, clientTracking: true }
    const server = new WebSocketServer({ host, port, ...options })
    server.on('connection', (socket, request) => {
      const { remoteAddress = '', remotePort = 0 } = request.socket
      accept(new RealConnection(socket, addressOf(remoteAddress, remotePort), this.#signMs))
    })
    await new Promise<void>((resolve, reject) => {
      server.once('listening', resolve)
      server.once('error', error => reject(unavailable(`cannot listen at ${address}`, error)))
    })
    const bound = server.address() as AddressInfo
    return {
      address: addressOf(host, bound.port),
      close: () =>
        new Promise<void>(resolve => {
          server.close(() => resolve())
          for (const socket of server.clients) socket.terminate()
        }),
    }
  }

  async connect(address: Address): Promise<Connection> {
    addressParts(address)
    const socket = new WebSocket(`ws://${address}`, {
      perMessageDeflate: false,
      maxPayload: limits.walBatchBytesMax,
      handshakeTimeout: connectMs,
      followRedirects: false,
    })
    return await new Promise<Connection>((resolve, reject) => {
      socket.once('open', () => resolve(new RealConnection(socket, address, this.#signMs)))
      socket.once('error', error => reject(unavailable(`nobody answers at ${address}`, error)))
    })
  }
}

function unavailable(message: string, cause: unknown): SillokError {
  return new SillokError('UNAVAILABLE', message, { cause })
}
