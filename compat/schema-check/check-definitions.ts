/** Our schemas against the JSON definitions in Kafka's jars: field by field, version by version. */
import { kafka } from '@kaska/protocol'
import {
  clientsJar,
  flattenOurs,
  flattenTheirs,
  has,
  type JsonMessage,
  jarVersions,
  readDefinitions,
} from './definitions.ts'

/** Returns what differs, one line each; tells what was compared, and what Kafka has that we lack. */
export function checkDefinitions(print: (line: string) => void): string[] {
  const jars = jarVersions.map((version) => readDefinitions(clientsJar(version)))
  const differences: string[] = []
  let compared = 0
  for (const message of kafka.messages) {
    const { name, versions } = message
    for (let version = versions.min; version <= versions.max; version++) {
      const theirs = jars
        .map((jar) => jar.get(name))
        .find((found) => found !== undefined && has(found.validVersions, version))
      if (theirs === undefined) {
        differences.push(`${name} ${version}: Kafka has no such version`)
        continue
      }
      compared++
      differences.push(...compare(message, theirs, version))
    }
  }
  print(`compared ${kafka.messages.length} messages, ${compared} in all their versions`)
  for (const line of lacking(jars[0] ?? new Map())) print(line)
  return differences
}

function compare(
  message: kafka.Message<kafka.Fields>,
  theirs: JsonMessage,
  version: number,
): string[] {
  const { name, flexible, key } = message
  const place = `${name} ${version}`
  const differences: string[] = []
  if (key !== (theirs.apiKey ?? -1)) differences.push(`${place}: key ${key}, not ${theirs.apiKey}`)
  if (kafka.inRange(flexible, version) !== has(theirs.flexibleVersions, version)) {
    differences.push(`${place}: flexible is ${theirs.flexibleVersions}`)
  }
  const [have, want] = [flattenOurs(message.fields, version), flattenTheirs(theirs, version)]
  for (let index = 0; index < Math.max(have.length, want.length); index++) {
    if (have[index] === want[index]) continue
    differences.push(`${place}, field ${index}: ${have[index]}; Kafka has ${want[index]}`)
  }
  return differences
}

/** What brokers of the newest Kafka serve clients, and we have no schema for. */
function lacking(newest: ReadonlyMap<string, JsonMessage>): string[] {
  const lines: string[] = []
  const requests = [...newest.values()]
    .filter(({ type, listeners }) => type === 'request' && listeners?.includes('broker'))
    .sort((a, b) => (a.apiKey ?? 0) - (b.apiKey ?? 0))
  for (const { apiKey, name, validVersions, latestVersionUnstable } of requests) {
    const api = kafka.apis.get(apiKey ?? -1)
    if (validVersions === 'none') continue
    const { max } = kafka.parseVersions(validVersions)
    const unstable = latestVersionUnstable === true ? `, ${max} not stable` : ''
    if (api === undefined) {
      lines.push(`lacks ${apiKey} ${name} ${validVersions}${unstable}`)
    } else if (api.versions.max < max) {
      lines.push(`lacks ${apiKey} ${name} ${api.versions.max + 1} to ${max}${unstable}`)
    }
  }
  return lines
}
