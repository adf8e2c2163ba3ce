/**
 * What runs in the sandboxed frame (sandbox.html): it makes the worker that runs a search's expression, and hands
 * it the port to the page. The frame has an origin of its own and may load and reach nothing, by the policy that it
 * is served with; the worker inherits both.
 */

/** The script of search-worker.ts, put in by build.ts. */
declare const workerSource: string

addEventListener(
  'message',
  ({ ports }) => {
    const [port] = ports
    if (port === undefined) return
    const script = new Blob([workerSource], { type: 'text/javascript' })
    const worker = new Worker(URL.createObjectURL(script))
    worker.postMessage(null, [port])
  },
  { once: true },
)
