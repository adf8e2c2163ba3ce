/** A proxy before a broker, whose connections break as a test tells it to. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export class FaultyProxy implements AsyncDisposable {
  port = 0
  connections = 0
  /** Bytes that the broker has sent since the last `loseAnswers`, which nobody gets. */
  lostBytes = 0
  #losesAnswers = false
  #isRefusing = false
  /** Where later connections go to. */
  brokerPort: number
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  readonly #server = createServer({ noDelay: true }, (near) => this.#accept(near))

  private constructor(brokerPort: number) {
    this.brokerPort = brokerPort
  }

  /** 0: the broker comes later. */
  static async start(brokerPort: number): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(brokerPort)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    const address = proxy.#server.address()
    if (typeof address === 'object' && address !== null) proxy.port = address.port
    return proxy
  }

  get url(): string {
    return `kaska://127.0.0.1:${this.port}`
  }

  /** Requests go through from now on, their answers do not. */
  loseAnswers(): void {
    this.#losesAnswers = true
    this.lostBytes = 0
  }

  /** Resolves when the broker has answered something that was lost. */
  async answerLost(): Promise<void> {
    while (this.lostBytes === 0) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Breaks all connections; later ones work, unless they are refused. */
  cut(): void {
    this.#losesAnswers = false
    for (const [near, far] of this.#pairs) {
      near.destroy()
      far.destroy()
    }
  }

  /** Breaks each new connection at once, or no longer. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(near: Socket): void {
    this.connections++
    near.on('error', () => {})
    if (this.#isRefusing) {
      near.destroy()
      return
    }
    const far = connect({ port: this.brokerPort, host: '127.0.0.1', noDelay: true })
    far.on('error', () => {})
    const pair = [near, far] as const
    this.#pairs.add(pair)
    near.on('data', (chunk) => far.write(chunk))
    far.on('data', (chunk) => {
      if (this.#losesAnswers) this.lostBytes += chunk.length
      else near.write(chunk)
    })
    for (const [socket, other] of [pair, [far, near]] as const) {
      socket.on('close', () => {
        this.#pairs.delete(pair)
        other.destroy()
      })
    }
  }
}
