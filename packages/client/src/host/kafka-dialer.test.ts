import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import path from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { ConnectionError } from '@kaska/protocol'
import { connect } from './connect.ts'
import { kafkaPackage } from './kafka-dialer.ts'

test('where the package is missing, it is said how to install it', async () => {
  const hooks = `
    import { registerHooks } from 'node:module'
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier !== '@platformatic/kafka') return next(specifier, context)
        throw Object.assign(new Error('not there'), { code: 'ERR_MODULE_NOT_FOUND' })
      },
    })`
  const program = `
    import { connect } from ${JSON.stringify(path.join(import.meta.dirname, 'connect.ts'))}
    connect('kafka://127.0.0.1:1').catch(({ code, message }) => console.log(code, message))`
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=source',
    `--import=data:text/javascript,${encodeURIComponent(hooks)}`,
    '--input-type=module',
    `--eval=${program}`,
  ])
  assert.equal(
    stdout.trim(),
    `INVALID_ARGUMENT kafka:// needs a package that is not installed: npm install ${kafkaPackage}`,
  )
})

test('a cluster of which no broker answers is an error that may be tried again', async () => {
  await assert.rejects(connect('kafka://127.0.0.1:1,127.0.0.1:2'), (error) => {
    assert.ok(error instanceof ConnectionError, `${error}`)
    assert.match(error.message, /no broker of the cluster answers: .*ECONNREFUSED/)
    return true
  })
})
