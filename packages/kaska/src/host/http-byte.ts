/** How a connection that speaks HTTP begins. */

/** With a capital letter: a method. `K` is the native protocol's. */
export function isHttp(firstByte: number): boolean {
  return firstByte >= 0x41 && firstByte <= 0x5a && firstByte !== 0x4b
}
