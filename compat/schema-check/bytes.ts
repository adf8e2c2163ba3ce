/**
 * Our codecs against Kafka's Java classes: what those encode, ours read and write again to the same
 * bytes, from one view and from views of a byte each. Every message in every version, the headers, and
 * the error codes.
 */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { ChunkReader, type Chunks, ChunkWriter, joinChunks, kafka } from '@kaska/protocol'
import { cacheDirectory, mavenJar, runJdk } from '../lib/maven.ts'
import { clientsJar, has, type JsonMessage, jarVersions, readDefinitions } from './definitions.ts'

const messagesEach = 25
const source = path.join(import.meta.dirname, '..', 'java', 'MessageBytes.java')

/** Returns what differs, one line each. */
export function checkBytes(print: (line: string) => void, seed: number): string[] {
  const definitions = jarVersions.map((version) => readDefinitions(clientsJar(version)))
  const differences: string[] = []
  const seen = { messages: 0, headers: 0, errors: 0 }
  for (const [index, version] of jarVersions.entries()) {
    const wanted = questions(definitions, index)
    for (const line of runJava(version, wanted, seed)) {
      const [first = '', second = '', third = ''] = line.split(' ')
      if (first === 'error') {
        seen.errors++
        differences.push(...checkError(line))
      } else if (/^(request|response)-/.test(first)) {
        seen.headers++
        differences.push(...checkHeader(first, Number(second), third))
      } else {
        seen.messages++
        differences.push(...checkMessage(first, Number(second), third))
      }
    }
  }
  if (kafka.errorTable.length !== seen.errors) {
    differences.push(`${kafka.errorTable.length} error codes, Kafka has ${seen.errors}`)
  }
  print(
    `read and wrote again ${seen.messages} messages and ${seen.headers} headers of seed ${seed}`,
  )
  print(`compared ${seen.errors} error codes`)
  return differences
}

/** What to ask the jar of this index for: the versions that no newer jar has. */
function questions(jars: readonly ReadonlyMap<string, JsonMessage>[], index: number): string[] {
  const lines: string[] = []
  const isIts = (name: string, version: number) =>
    jars.findIndex((jar) => has(jar.get(name)?.validVersions, version)) === index
  for (const { name, key, versions } of kafka.messages) {
    for (let version = versions.min; version <= versions.max; version++) {
      if (!isIts(name, version)) continue
      lines.push(`message ${name} ${version}`)
      if (name.endsWith('Request')) lines.push(`headers ${key} ${version}`)
    }
  }
  if (index === 0) lines.push('errors')
  return lines
}

function runJava(version: string, lines: readonly string[], seed: number): string[] {
  const jars = [clientsJar(version), mavenJar('org.slf4j:slf4j-api:1.7.36')]
  const classes = path.join(cacheDirectory, `classes-${version}`)
  mkdirSync(classes, { recursive: true })
  const classPath = [...jars, classes].join(path.delimiter)
  runJdk('javac', ['-cp', classPath, '-d', classes, source])
  const args = ['-cp', classPath, 'MessageBytes', String(seed), String(messagesEach)]
  return runJdk('java', args, lines.join('\n')).trimEnd().split('\n')
}

function checkMessage(name: string, version: number, hex: string): string[] {
  const message = kafka.messages.find((one) => one.name === name)
  if (message === undefined) return [`${name}: no such message`]
  const bytes = Buffer.from(hex, 'hex')
  const inViewsOfOne = [...bytes.keys()].map((index) => bytes.subarray(index, index + 1))
  for (const chunks of [[bytes], inViewsOfOne]) {
    const again = outcome(() => {
      const reader = new ChunkReader(chunks)
      const value = message.read(reader, version)
      if (reader.remaining > 0) throw new Error(`${reader.remaining} bytes are left`)
      return write((writer) => message.write(writer, value, version))
    })
    if (again !== hex) return [`${name} ${version}: ${again}; Kafka wrote ${hex}`]
  }
  return []
}

function checkHeader(kind: string, version: number, hex: string): string[] {
  const apiKey = Number(kind.split('-')[1])
  const again = outcome(() => {
    const reader = new ChunkReader([Buffer.from(hex, 'hex')])
    if (kind.startsWith('request')) {
      const header = kafka.readRequestHeader(reader)
      return write((writer) => kafka.writeRequestHeader(writer, header))
    }
    const request = { apiKey, apiVersion: version }
    const correlationId = kafka.readResponseHeader(reader, request)
    return write((writer) => kafka.writeResponseHeader(writer, { ...request, correlationId }))
  })
  return again === hex ? [] : [`${kind} ${version}: ${again}; Kafka wrote ${hex}`]
}

function checkError(line: string): string[] {
  const [, name, code, retriable] = line.split(' ')
  const ours = kafka.errorOf(Number(code))
  const text = `error ${ours?.name} ${code} ${ours?.retriable}`
  return text === line ? [] : [`${text}; Kafka has ${name} ${code} ${retriable}`]
}

function write(encode: (writer: ChunkWriter) => void): string {
  const writer = new ChunkWriter()
  encode(writer)
  const chunks: Chunks = writer.finish()
  return Buffer.from(joinChunks(chunks)).toString('hex')
}

function outcome(attempt: () => string): string {
  try {
    return attempt()
  } catch (error) {
    return String(error)
  }
}
