/** A promise of the broker or of the client library was broken: what a simulation looks for. */
export class Violation extends Error {
  override readonly name = 'Violation'
}
