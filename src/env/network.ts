/**
 * The door to other nodes: whole binary messages between addresses. A message may be lost, late or out of
 * order across connections; never changed without notice (frames carry a CRC, see codec/frame).
 *
 * On one connection what arrives is what was sent, from its beginning, in order: once a message is lost, none
 * behind it arrives, and the connection is closed. So is one whose other side is gone, or over which nothing
 * gets any more, in either direction: within seconds both sides are told.
 */

/** `host:port`, as the other side can reach it. */
export type Address = string

/** One connection, in both directions. */
export interface Connection {
  /** Where the other side is: on the side that connected the address that it asked for. */
  readonly remote: Address
  /**
   * Hands the message on; its bytes must not change from then on. False when more than the byte budget
   * (`limits.connectionBytesMax`) waits, or the connection is closed: the message was not taken. One that was
   * taken arrives unless the connection breaks; one of more than `limits.walBatchBytesMax` breaks it.
   */
  send(message: Uint8Array): boolean
  /**
   * Names who gets the messages; their bytes are the receiver's own. Nothing is read before, perhaps not even
   * that the other side closed, and who does not read for some seconds counts as gone: to be called soon,
   * also by a side that expects nothing.
   */
  onMessage(call: (message: Buffer) => void): void
  /** Calls once, in a later turn, when the connection is closed, by whom ever; also if it is already. */
  onClose(call: () => void): void
  /** Closes at once: what waits may be lost, and no message comes any more. The other side hears of it. */
  close(): void
}

/** Something that accepts connections until closed. */
export interface Listener {
  readonly address: Address
  /** Closes what it accepted too. Resolves when nobody listens any more. */
  close(): Promise<void>
}

/** Listens and connects. */
export interface Network {
  /**
   * Accepts connections at the address (port 0: any free one). Rejects with UNAVAILABLE when that cannot be,
   * with RangeError when it is no address.
   */
  listen(address: Address, accept: (connection: Connection) => void): Promise<Listener>
  /**
   * Resolves when the connection stands. Rejects with UNAVAILABLE when nobody answers there, at the latest
   * after some seconds; with RangeError when it is no address.
   */
  connect(address: Address): Promise<Connection>
}

/** The parts of an address; RangeError if it is none. A host that holds colons stands in brackets. */
export function addressParts(address: Address): { readonly host: string; readonly port: number } {
  const cut = address.lastIndexOf(':')
  const port = Number(address.slice(cut + 1))
  const host = address.slice(0, Math.max(cut, 0))
  const isName = /^([a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])$/.test(host)
  if (!isName || !/^[0-9]{1,5}$/.test(address.slice(cut + 1)) || port > 65_535) {
    throw new RangeError(`not an address (host:port): ${address}`)
  }
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port }
}

/** The address of these parts. */
export function addressOf(host: string, port: number): Address {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
