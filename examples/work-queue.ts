/**
 * A work queue: jobs are messages, and a commit after each job is the bookmark. A worker that is
 * stopped or killed goes on where it was: no job is lost, and at most the one under way is done again.
 *
 *     npx node --conditions=source examples/work-queue.ts add 'first job' 'second job'
 *     npx node --conditions=source examples/work-queue.ts work          (for ever)
 *     npx node --conditions=source examples/work-queue.ts work 1        (one job, then stop)
 */
import { argv, env } from 'node:process'
import { type Client, connect, type Message, TopicExistsError } from '@kaska/client'

const topic = 'jobs'
const workerName = 'worker'

await using client = await connect(env['KASKA_URL'] ?? 'kaska://127.0.0.1:9092')
const [command, ...rest] = argv.slice(2)
if (command === 'add') await add(client, rest)
else if (command === 'work') await work(client, Number(rest[0] ?? Number.POSITIVE_INFINITY))
else throw new Error("say 'add JOB...' or 'work [COUNT]'")

async function add(client: Client, jobs: readonly string[]): Promise<void> {
  await client.createTopic(topic).catch((error: unknown) => {
    if (!(error instanceof TopicExistsError)) throw error
  })
  await client.sendBatch(topic, jobs)
}

async function work(client: Client, count: number): Promise<void> {
  await client.subscribe([topic])
  const start = await client.startOffset(topic)
  client.seek(topic, (await client.committed(workerName, topic)) ?? start)
  let done = 0
  for await (const message of client.messages()) {
    perform(message)
    await client.commit(workerName, topic, message.offset + 1)
    done++
    if (done >= count) break
  }
}

function perform(job: Message): void {
  console.log(`job ${job.offset}: ${new TextDecoder().decode(job.value ?? undefined)}`)
}
