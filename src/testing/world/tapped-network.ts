/** A network that lets somebody read what a node sends, before it leaves. */
import type { Address, Connection, Listener, Network } from '../../env/network.js'

/** Who reads along. `remote`: where the other side is, see `Connection`. */
export type Heard = (frame: Uint8Array, remote: Address) => void

/** The same network, heard. */
export function tapNetwork(network: Network, heard: Heard): Network {
  return {
    listen: (address: Address, accept): Promise<Listener> =>
      network.listen(address, connection => accept(tap(connection, heard))),
    connect: async (address: Address): Promise<Connection> => tap(await network.connect(address), heard),
  }
}

function tap(connection: Connection, heard: Heard): Connection {
  return {
    remote: connection.remote,
    send: message => {
      heard(message, connection.remote)
      return connection.send(message)
    },
    onMessage: call => connection.onMessage(call),
    onClose: call => connection.onClose(call),
    close: () => connection.close(),
  }
}
