/**
 * TLS on the broker's port: takes a connection that begins with a TLS hello, and gives it back when the
 * handshake is done. A handshake that fails, or takes long, ends its connection alone. What a peer can
 * make OpenSSL keep before that is bounded there: one message of some 128 KiB.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { type Clock, InvalidArgumentError } from '@kaska/protocol'
import { formatAddress } from './socket-transport.ts'

/** A certificate and its key, as PEM. Behind the certificate may follow those that sign it. */
export interface TlsIdentity {
  readonly cert: string | Uint8Array
  readonly key: string | Uint8Array
}

export interface TlsPortOptions {
  readonly clock: Clock
  /** What a person who runs the broker should hear of: one line of text each. */
  readonly report: (line: string) => void
  /** Told why a connection was closed. */
  readonly refused?: (address: string, reason: string) => void
  /** A handshake that is not done after this time ends its connection; 10 s unless given. */
  readonly handshakeMs?: number
}

export interface TlsPort {
  /** Takes the socket over, with what was already read from it; `opened` is called when the handshake
   * is done, and never when it fails. */
  accept(socket: Socket, firstBytes: Uint8Array, opened: (secure: Socket) => void): void
}

const handshakeMsDefault = 10_000

interface Handshake {
  readonly opened: (secure: Socket) => void
  readonly forget: () => void
}

/** Throws InvalidArgumentError for what is no certificate, no key, or not that certificate's key. */
export function createTlsPort(identity: TlsIdentity, options: TlsPortOptions): TlsPort {
  const { clock, report, handshakeMs = handshakeMsDefault } = options
  const { cert, key } = checkIdentity(identity, options)
  const refuse = (address: string, reason: string) => {
    report(`connection ${address}: closed: ${reason}`)
    options.refused?.(address, reason)
  }
  const server = createServer({ cert, key })
  /** By the peers' addresses: of connections to one port no two are the same. */
  const handshakes = new Map<string, Handshake>()
  server.on('secureConnection', (secure) => {
    const handshake = handshakes.get(peerOf(secure))
    handshake?.forget()
    // The peer has gone meanwhile.
    if (handshake === undefined) secure.destroy()
    else handshake.opened(secure)
  })
  server.on('tlsClientError', (error: NodeJS.ErrnoException, secure: TLSSocket) => {
    secure.destroy()
    // Who goes away in the middle of it has nothing to be told of.
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return
    refuse(peerOf(secure), `the TLS handshake failed: ${error.message}`)
  })
  return {
    accept: (socket, firstBytes, opened) => {
      const peer = peerOf(socket)
      const timer = clock.after(handshakeMs, () => {
        refuse(peer, `the TLS handshake took longer than ${handshakeMs} ms`)
        socket.destroy()
      })
      const forget = () => {
        timer.cancel()
        socket.off('close', forget)
        handshakes.delete(peer)
      }
      socket.on('close', forget)
      handshakes.set(peer, { opened, forget })
      socket.pause()
      socket.unshift(firstBytes)
      server.emit('connection', socket)
    },
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return formatAddress(remoteAddress, remotePort)
}

function checkIdentity(
  { cert, key }: TlsIdentity,
  { clock, report }: TlsPortOptions,
): { cert: Buffer; key: Buffer } {
  const [certPem, keyPem] = [Buffer.from(cert), Buffer.from(key)]
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(certPem)
  } catch (cause) {
    throw new InvalidArgumentError('the TLS certificate is not a certificate in PEM form', {
      cause,
    })
  }
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey(keyPem)
  } catch (cause) {
    const isEncrypted = /ENCRYPTED/.test(keyPem.toString('latin1'))
    const what = isEncrypted ? 'encrypted: give it without a passphrase' : 'not a key in PEM form'
    throw new InvalidArgumentError(`the TLS key is ${what}`, { cause })
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new InvalidArgumentError('the TLS key is not the key of the certificate')
  }
  const now = clock.now()
  if (now > Date.parse(certificate.validTo) || now < Date.parse(certificate.validFrom)) {
    const { validFrom, validTo } = certificate
    report(`the TLS certificate is valid from ${validFrom} to ${validTo}, and not now`)
  }
  return { cert: certPem, key: keyPem }
}
