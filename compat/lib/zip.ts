/** Reads the files of a zip archive (a jar is one): stored and deflated ones, no encryption, no zip64. */
import { readFileSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'

const endSignature = 0x06054b50
const endBytes = 22
const deflated = 8

/** The names and contents of the files for which `wanted` says true. */
export function readZip(file: string, wanted: (name: string) => boolean): Map<string, Buffer> {
  const zip = readFileSync(file)
  let end = zip.length - endBytes
  while (end >= 0 && zip.readUInt32LE(end) !== endSignature) end--
  if (end < 0) throw new Error(`${file} is not a zip archive`)
  const files = new Map<string, Buffer>()
  let position = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const method = zip.readUInt16LE(position + 10)
    const size = zip.readUInt32LE(position + 20)
    const nameLength = zip.readUInt16LE(position + 28)
    const extraLength = zip.readUInt16LE(position + 30) + zip.readUInt16LE(position + 32)
    const name = zip.toString('utf8', position + 46, position + 46 + nameLength)
    if (wanted(name)) {
      const local = zip.readUInt32LE(position + 42)
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
      const data = zip.subarray(start, start + size)
      files.set(name, method === deflated ? inflateRawSync(data) : data)
    }
    position += 46 + nameLength + extraLength
  }
  return files
}
