/**
 * /api/v1/topics/TOPIC/tail: messages as they come, as Server-Sent Events. An event's id is the positions
 * behind it, `0:17,1:4`: a browser that connects again sends it, and goes on there without a gap.
 */
import { InvalidArgumentError, type StoredMessage, UnknownTopicError } from '@kaska/protocol'
import { contextOf, type HttpApp, type HttpParts } from './http-parts.ts'
import { messageText } from './message-text.ts'
import { negotiate } from './negotiate.ts'
import { topicParameter } from './parameters.ts'
import { type Problem, problemOf } from './problem.ts'

/** A comment is sent after so long without a message, so that whoever is between does not give up. */
const silenceMs = 15_000
/** An event's id names every partition. */
const partitionsMax = 1000

const eventHeaders = { 'content-type': 'text/event-stream' }

const encoder = new TextEncoder()

export function tailPaths(app: HttpApp, { engine, connect }: HttpParts): void {
  app.get('/api/v1/topics/:topic/tail', async (context) => {
    const { req } = context
    negotiate(req.header('accept'), ['text/event-stream'])
    const name = topicParameter(req)
    const [topic] = await engine.resolve([name], contextOf(context))
    if (topic === undefined) throw new UnknownTopicError(`there is no topic '${name.text}'`)
    if (topic.partitions > partitionsMax) {
      throw new InvalidArgumentError(`a topic of more than ${partitionsMax} partitions has no tail`)
    }
    const from = req.query('from') ?? 'end'
    if (from !== 'start' && from !== 'end') {
      throw new InvalidArgumentError(`from is start or end, not '${from}'`)
    }
    const resumed = positionsOf(req.header('last-event-id'))
    // Whoever asks for the head alone opens nothing.
    if (req.method === 'HEAD') return new Response(null, { headers: eventHeaders })
    const client = await connect()
    const positions = new Map<number, number>()
    try {
      await client.subscribe([topic.name])
      for (let partition = 0; partition < topic.partitions; partition++) {
        const start = from === 'start' ? await client.startOffset(topic.name, partition) : undefined
        const wanted = resumed.get(partition) ?? start
        if (wanted !== undefined) client.seek(topic.name, wanted, partition)
        positions.set(partition, client.position(topic.name, partition))
      }
    } catch (error) {
      await client.close()
      throw error
    }
    const { signal } = req.raw
    const next = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      try {
        const message = await client.poll({ timeoutMs: silenceMs, signal })
        if (message === undefined) {
          controller.enqueue(encoder.encode(': nothing new\n\n'))
          return
        }
        positions.set(message.partition, message.offset + 1)
        const id = Array.from(positions, ([partition, offset]) => `${partition}:${offset}`)
        controller.enqueue(encoder.encode(`id: ${id.join(',')}\n${eventOf(message)}\n\n`))
      } catch (error) {
        await client.close()
        const problem = signal.aborted ? undefined : problemOf(error)
        if (problem !== undefined) {
          controller.enqueue(encoder.encode(`${problemEvent(problem)}\n\n`))
        }
        // The other side opens it again, and goes on where it was.
        controller.close()
      }
    }
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(encoder.encode(': begins\n\n')),
      pull: next,
      cancel: () => client.close(),
    })
    return new Response(stream, { headers: eventHeaders })
  })
}

/** What cannot be shown is told of, and the tail goes on. */
function eventOf(message: StoredMessage): string {
  try {
    return `data: ${messageText(message)}`
  } catch (error) {
    const problem = problemOf(error)
    if (problem === undefined) throw error
    return problemEvent(problem)
  }
}

function problemEvent(problem: Problem): string {
  return `event: problem\ndata: ${JSON.stringify(problem)}`
}

function positionsOf(text: string | undefined): Map<number, number> {
  const positions = new Map<number, number>()
  for (const pair of text === undefined || text === '' ? [] : text.split(',')) {
    const match = /^(\d{1,9}):(\d{1,16})$/.exec(pair)
    if (match === null) throw new InvalidArgumentError(`'${text}' is no event's id of ours`)
    positions.set(Number(match[1]), Number(match[2]))
  }
  return positions
}
