/**
 * A page that sends messages and follows them: @kaska/client over WebSocket, the same as in Node. Bundle it, and let
 * the broker know the origin that it is served from:
 *
 *     npx kaska serve --memory --topic chat --http-origin http://127.0.0.1:8000
 *     npx esbuild examples/web/main.js --bundle --format=esm --conditions=source \
 *       --outdir=examples/web/dist --servedir=examples/web --serve=127.0.0.1:8000
 *
 * In a project of your own: `npm install @kaska/client`, and your bundler, without `--conditions`.
 */
import { connect } from '@kaska/client'

const topic = 'chat'
const address = new URLSearchParams(location.search).get('broker') ?? 'ws://127.0.0.1:9092/ws'
const state = document.querySelector('#state')
const messages = document.querySelector('#messages')
const form = document.querySelector('form')

async function run() {
  const client = await connect(address, { clientId: 'page' })
  await client.subscribe([topic])
  state.textContent = `Connected to ${address}`
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const { value } = form.elements.text
    form.reset()
    client.send(topic, value).catch(fail)
  })
  document.querySelector('#replay').addEventListener('click', async () => {
    messages.replaceChildren()
    client.seek(topic, await client.startOffset(topic))
  })
  const decoder = new TextDecoder()
  for await (const { offset, value } of client.messages()) {
    const item = document.createElement('li')
    // Whatever a message says, it is text here.
    item.textContent = `${offset}: ${value === null ? '(nothing)' : decoder.decode(value)}`
    messages.append(item)
  }
}

function fail(error) {
  state.textContent = `${error.name}: ${error.message}`
}

run().catch(fail)
