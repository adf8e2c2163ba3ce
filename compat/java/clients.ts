/** The Java client, and Kafka's own command line tools, which are built on it. */
import { globSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { kafkaClassPath } from '../lib/apache-kafka.ts'
import type { Client, Command } from '../lib/client.ts'
import { cacheDirectory, mavenJar, runJdk } from '../lib/maven.ts'

export const clients: readonly Client[] = [
  { name: 'java', isQuick: true, msMax: 300_000, prepare: () => prepare('JavaClient') },
  { name: 'kafka-tools', isQuick: false, msMax: 180_000, prepare: () => prepare('KafkaTools') },
]

/** The programs are compiled anew each time: it takes a second. */
function prepare(program: string): Command {
  const kafka = kafkaClassPath()
  const classes = path.join(cacheDirectory, 'java-classes')
  mkdirSync(classes, { recursive: true })
  const sources = globSync('*.java', { cwd: import.meta.dirname, exclude: ['MessageBytes.java'] })
  const files = sources.map((source) => path.join(import.meta.dirname, source))
  runJdk('javac', ['-d', classes, '-cp', kafka, ...files])
  const classPath = [classes, kafka, mavenJar('org.slf4j:slf4j-simple:1.7.36')]
  return {
    program: 'java',
    argv: [
      '-Xmx512m',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
      '-cp',
      classPath.join(path.delimiter),
      program,
    ],
  }
}
