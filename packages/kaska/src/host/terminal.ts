/**
 * All that the command line touches of its process: arguments and environment, the three standard
 * streams, files named on the command line, signals, and the exit code.
 */
import { open, readFile } from 'node:fs/promises'
import process from 'node:process'
import { ByteOutput } from './byte-output.ts'

export class Terminal {
  readonly environment: Readonly<Record<string, string | undefined>> = process.env
  /** Standard output: records, and nothing else. */
  readonly output: ByteOutput = new ByteOutput(process.stdout)
  #progressShown = false
  #stop: AbortController | undefined

  constructor() {
    // Nobody is left to be told.
    process.stderr.on('error', () => {})
  }

  /** What stands behind the program's name on the command line. */
  get arguments(): readonly string[] {
    return process.argv.slice(2)
  }

  /** Milliseconds since the process was started. */
  get uptimeMs(): number {
    return process.uptime() * 1000
  }

  /** Does a person see standard error? */
  get isWatched(): boolean {
    return process.stderr.isTTY === true
  }

  /** Does a person see standard output? */
  get isOutputWatched(): boolean {
    return process.stdout.isTTY === true
  }

  /** Does a person type standard input? */
  get isInputTyped(): boolean {
    return process.stdin.isTTY === true
  }

  /** Writes a line to standard error. */
  say(line: string): void {
    this.write(`${line}\n`)
  }

  /** Writes to standard error. */
  write(text: string): void {
    this.clearProgress()
    process.stderr.write(text)
  }

  /** Shows, or replaces, a line on standard error that does not stay; only where a person sees it. */
  showProgress(line: string): void {
    if (!this.isWatched) return
    process.stderr.write(`\r\x1b[K${line}`)
    this.#progressShown = true
  }

  clearProgress(): void {
    if (!this.#progressShown) return
    process.stderr.write('\r\x1b[K')
    this.#progressShown = false
  }

  /** Standard input as it comes. Ends early, without an error, when the signal is aborted. */
  async *input(signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const stream = process.stdin
    const stop = (): void => void stream.destroy()
    if (signal.aborted) return
    signal.addEventListener('abort', stop)
    try {
      for await (const chunk of stream) yield chunk as Uint8Array
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      signal.removeEventListener('abort', stop)
      stream.destroy()
    }
  }

  /** A whole file. `-` is standard input. */
  async readFile(path: string, bytesMax: number): Promise<Uint8Array> {
    await using file = path === '-' ? undefined : await open(path)
    if (file !== undefined && (await file.stat()).size <= bytesMax) return await file.readFile()
    const stream = file?.createReadStream({ autoClose: false }) ?? process.stdin
    const chunks: Uint8Array[] = []
    let length = 0
    for await (const chunk of stream) {
      chunks.push(chunk as Uint8Array)
      length += (chunk as Uint8Array).length
      if (length > bytesMax) throw new RangeError(`${path} is longer than ${bytesMax} bytes`)
    }
    return Buffer.concat(chunks)
  }

  readText(path: string): Promise<string> {
    return readFile(path, 'utf8')
  }

  /**
   * Aborted by the first SIGINT, SIGTERM or SIGHUP; the second ends the process at once. From the first
   * call on these signals no longer end the process by themselves.
   */
  stopSignal(): AbortSignal {
    if (this.#stop === undefined) {
      const stop = new AbortController()
      this.#stop = stop
      const onSignal = (name: NodeJS.Signals): void => {
        if (stop.signal.aborted) process.exit(1)
        stop.abort(new Error(`stopped by ${name}`))
      }
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal)
    }
    return this.#stop.signal
  }

  /**
   * Ends the process with this code once nothing keeps it any more; 2 s later whatever does.
   */
  exit(code: number): void {
    process.exitCode = code
    setTimeout(() => process.exit(), 2000).unref()
  }
}
