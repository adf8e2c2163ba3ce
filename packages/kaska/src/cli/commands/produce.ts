/**
 * `kaska produce`: standard input by lines, a file, or lines of JSON, as messages.
 *
 * Sends are in flight while more is read; what is in flight is bounded in bytes and in number, so that
 * memory is too. The first refusal stops the reading: what was already sent settles, and the error says
 * at which line it stopped and how many messages are in the log. Ctrl-C stops the reading as well; what was
 * read is sent, and that is no failure.
 */
import type { Client, MessageInput } from '@kaska/client'
import { messageFromJson } from '@kaska/protocol'
import type { Command } from 'commander'
import type { Terminal } from '../../host/terminal.ts'
import { unescapeBytes } from '../escapes.ts'
import { CommandError, failureLine, UsageError } from '../failure.ts'
import { LineSplitter } from '../line-splitter.ts'
import { Progress } from '../progress.ts'
import { withClient } from './broker-client.ts'

interface ProduceOptions {
  readonly key?: string
  readonly keyDelimiter?: string
  readonly header?: readonly (readonly [string, string])[]
  readonly null?: true
  readonly partition?: number
  readonly file?: string
  readonly json?: true
}

/** A message and where it goes. */
interface Outgoing {
  readonly topic: string
  readonly message: MessageInput
  readonly bytes: number
}

/** The longest line, and the largest file: what the broker takes for one message at most. */
const lineBytesMax = 128 * 1024 * 1024
const inFlightBytesMax = 16 * 1024 * 1024
const inFlightMax = 10_000

export async function produce(command: Command, terminal: Terminal): Promise<void> {
  const [topic, ...excess] = command.args
  const options = command.opts<ProduceOptions>()
  if (excess.length > 0) throw new UsageError('produce sends to one topic')
  if (topic === undefined && options.json !== true) {
    throw new UsageError('produce needs a topic', 'see `kaska produce --help`')
  }
  if (options.key !== undefined && options.keyDelimiter !== undefined) {
    throw new UsageError('-k and -K exclude each other', 'give one of them')
  }
  const parse = lineParser(topic ?? '', options)
  await withClient(command, terminal, async (client) => {
    // An unknown topic is an error even where nothing is sent.
    if (topic !== undefined) await client.endOffset(topic, options.partition ?? 0)
    const sender = new Sender(client, terminal)
    if (options.file === undefined) await sendLines(parse, sender, terminal)
    else sender.send(parse(await readFile(options.file, terminal), options.file), 'the file')
    await sender.finish()
  })
}

async function readFile(path: string, terminal: Terminal): Promise<Uint8Array> {
  try {
    return await terminal.readFile(path, lineBytesMax)
  } catch (cause) {
    throw new CommandError(`the file cannot be read: ${(cause as Error).message}`)
  }
}

type ParseLine = (line: Uint8Array, where: string) => Outgoing | undefined

function lineParser(topic: string, options: ProduceOptions): ParseLine {
  if (options.json === true) return jsonParser(topic, options)
  const { partition, file } = options
  const headers = options.header ?? []
  const emptyIsNull = options.null === true
  const key = options.key === undefined ? null : new TextEncoder().encode(options.key)
  const delimiter =
    options.keyDelimiter === undefined || file !== undefined
      ? undefined
      : readDelimiter(options.keyDelimiter)
  const orNull = (bytes: Uint8Array | null): Uint8Array | null =>
    emptyIsNull && bytes?.length === 0 ? null : bytes
  return (line) => {
    const split = delimiter === undefined ? -1 : indexOfBytes(line, delimiter)
    const isSplit = delimiter !== undefined && split !== -1
    const message = {
      key: orNull(isSplit ? line.subarray(0, split) : key),
      value: orNull(isSplit ? line.subarray(split + delimiter.length) : line),
      headers,
      ...(partition === undefined ? {} : { partition }),
    }
    return { topic, message, bytes: line.length }
  }
}

/** A line of `consume --json`; its topic and partition count where the command line says nothing. */
function jsonParser(topic: string, options: ProduceOptions): ParseLine {
  return (line, where) => {
    if (isBlank(line)) return undefined
    const parsed = messageFromJson(line, where)
    const target = topic === '' ? parsed.topic : topic
    if (target === undefined) {
      throw new CommandError(`${where} names no topic`, 'name one on the command line')
    }
    const partition = options.partition ?? parsed.partition
    const message = {
      key: parsed.key,
      value: parsed.value,
      headers: parsed.headers,
      // A message that came without one shows -1.
      ...((parsed.timestamp ?? -1) < 0 ? {} : { timestamp: parsed.timestamp }),
      ...(partition === undefined ? {} : { partition }),
    }
    return { topic: target, message, bytes: line.length }
  }
}

async function sendLines(parse: ParseLine, sender: Sender, terminal: Terminal): Promise<void> {
  const splitter = new LineSplitter(lineBytesMax)
  const take = async (lines: Iterable<Uint8Array>): Promise<void> => {
    for (const line of lines) {
      const where = `line ${splitter.lines}`
      sender.send(parse(line, where), where)
      if (sender.isFull) await sender.room()
      if (sender.hasFailed) return
    }
  }
  try {
    for await (const chunk of terminal.input(terminal.stopSignal())) {
      await take(splitter.push(chunk))
      if (!terminal.isInputTyped) sender.showProgress()
      if (sender.hasFailed) return
    }
    await take(splitter.finish())
  } catch (error) {
    // A line that is not understood, or input that cannot be read: what stands before it is sent.
    sender.fail(error)
  }
}

/** Sends in flight, within bounds. */
class Sender {
  readonly #client: Client
  readonly #terminal: Terminal
  readonly #progress: Progress
  #inFlight = 0
  #inFlightBytes = 0
  #sent = 0
  #sentBytes = 0
  #failure: { readonly error: unknown; readonly where: string | undefined } | undefined
  #wake: (() => void) | undefined

  constructor(client: Client, terminal: Terminal) {
    this.#client = client
    this.#terminal = terminal
    this.#progress = new Progress(terminal, 'sent')
  }

  get isFull(): boolean {
    return this.#inFlight >= inFlightMax || this.#inFlightBytes >= inFlightBytesMax
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  send(outgoing: Outgoing | undefined, where: string): void {
    if (outgoing === undefined || this.hasFailed) return
    const { topic, message, bytes } = outgoing
    this.#inFlight++
    this.#inFlightBytes += bytes
    this.#client.send(topic, message).then(
      () => this.#settled(bytes, true),
      (error: unknown) => {
        this.fail(error, where)
        this.#settled(bytes, false)
      },
    )
  }

  /** The first failure is the one that is told; without `where` its text says where it was. */
  fail(error: unknown, where?: string): void {
    this.#failure ??= { error, where }
  }

  /** Resolves when half of what may be in flight has settled, or a send was refused. */
  async room(): Promise<void> {
    while (
      !this.hasFailed &&
      (this.#inFlight > inFlightMax / 2 || this.#inFlightBytes > inFlightBytesMax / 2)
    ) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  showProgress(): void {
    this.#progress.show(this.#sent, this.#sentBytes)
  }

  /** Waits for all that is in flight. Throws the first failure. */
  async finish(): Promise<void> {
    while (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#terminal.clearProgress()
    if (this.#failure === undefined) return
    const { error, where } = this.#failure
    const text = failureLine(error).replace(/^kaska: /, '')
    throw new CommandError(
      where === undefined ? text : `${where} was not sent: ${text}`,
      `${this.#sent} ${this.#sent === 1 ? 'message was' : 'messages were'} sent`,
      { cause: error },
    )
  }

  #settled(bytes: number, isSent: boolean): void {
    this.#inFlight--
    this.#inFlightBytes -= bytes
    if (isSent) {
      this.#sent++
      this.#sentBytes += bytes
    }
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

function readDelimiter(text: string): Uint8Array {
  const delimiter = unescapeBytes(text, '-K')
  if (delimiter.length === 0) throw new UsageError('-K cannot be empty')
  return delimiter
}

function indexOfBytes(bytes: Uint8Array, wanted: Uint8Array): number {
  const first = wanted[0] as number
  let position = bytes.indexOf(first)
  while (position !== -1) {
    if (wanted.every((byte, index) => bytes[position + index] === byte)) return position
    position = bytes.indexOf(first, position + 1)
  }
  return -1
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)
}
