/**
 * The console: its page at every address that is a view's, its script and style under /assets. The page may load
 * and ask nothing but what comes from here; nothing in it is interpreted that came with a message.
 */
import type { ConsoleFiles } from './console-files.ts'
import type { HttpApp } from './http-parts.ts'
import { problemResponse } from './problem.ts'

/** The first parts of the addresses of views. */
const viewPaths = ['/', '/topics/*', '/groups/*', '/connections']

const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "frame-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

/**
 * For the frame that runs a user's search expression: an origin of its own, which reaches nothing. What it is
 * given are messages, and it gives back which of them were found.
 */
const sandboxPolicy = [
  'sandbox allow-scripts',
  "default-src 'none'",
  "script-src 'unsafe-inline' 'unsafe-eval' blob:",
  'worker-src blob:',
  "frame-ancestors 'self'",
].join('; ')

export function consolePaths(app: HttpApp, files: ConsoleFiles): void {
  for (const path of viewPaths) {
    app.get(path, (context) => answer(context.req.raw, 'index.html', pagePolicy))
  }
  app.get('/icon.svg', (context) => answer(context.req.raw, 'icon.svg', pagePolicy))
  app.get('/sandbox.html', (context) => answer(context.req.raw, 'sandbox.html', sandboxPolicy))
  app.get('/assets/:name', (context) =>
    answer(context.req.raw, `assets/${context.req.param('name')}`, pagePolicy),
  )

  async function answer(request: Request, name: string, policy: string): Promise<Response> {
    const file = await files.get(name)
    if (file === undefined) {
      return problemResponse({ status: 404, title: 'Not found', detail: 'there is no such file' })
    }
    const accepted = request.headers.get('accept-encoding') ?? ''
    const encoding = (['br', 'gzip'] as const).find((name) => takes(accepted, name)) ?? null
    const headers = new Headers({
      'content-type': file.type,
      'content-security-policy': policy,
      'cache-control': 'no-cache',
      etag: file.etag,
      vary: 'accept-encoding',
    })
    if (request.headers.get('if-none-match') === file.etag) {
      return new Response(null, { status: 304, headers })
    }
    if (encoding !== null) headers.set('content-encoding', encoding)
    return new Response(file[encoding ?? 'identity'] as Uint8Array<ArrayBuffer>, { headers })
  }
}

/** Is the encoding one that the client names, and takes? (RFC 9110, 12.5.3) */
function takes(accepted: string, encoding: string): boolean {
  for (const one of accepted.split(',')) {
    const [name, ...parameters] = one.split(';').map((part) => part.trim().toLowerCase())
    if (name !== encoding) continue
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1'
    return Number(weight) > 0
  }
  return false
}
