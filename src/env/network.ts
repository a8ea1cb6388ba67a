/**
 * The door to other nodes: whole binary messages between addresses. A message may be lost, repeated, late or
 * out of order across connections; never changed without notice (frames carry a CRC, see codec/frame).
 */

/** `host:port`, as the other side can reach it. */
export type Address = string

/** One connection, in both directions. */
export interface Connection {
  readonly remote: Address
  /** Hands the message on. False when more than the byte budget waits: the message was not taken. */
  send(message: Uint8Array): boolean
  onMessage(call: (message: Buffer) => void): void
  onClose(call: () => void): void
  close(): void
}

/** Something that accepts connections until closed. */
export interface Listener {
  readonly address: Address
  close(): Promise<void>
}

/** Listens and connects. */
export interface Network {
  /** Accepts connections at the address (port 0: any free one). */
  listen(address: Address, accept: (connection: Connection) => void): Promise<Listener>
  /** Resolves when the connection stands. Rejects with UNAVAILABLE when nobody answers there. */
  connect(address: Address): Promise<Connection>
}
