/**
 * Walks a records section piece by piece, in constant memory: for what is expanded while it is
 * checked, and for batches of so many records that others are to have a turn in between. It accepts
 * and refuses the same bytes as `RecordCursor`, which wants them all at once.
 *
 *   length -> attributes -> timestamp -> offset -> key -> value -> header count --> length ...
 *                                                                   | n > 0      ^ n = 0
 *                                                                   v            |
 *                                                                 name -> value -+-> name (n - 1)
 *
 * Each arrow is an integer that may be cut by the end of a piece; what a length announces (`#skip`) is
 * skipped before the next one.
 */
import { InvalidMessageError } from '@kaska/protocol'

/** What is told of each record. `valueLength` is -1 for null. Returns true to end the walk. */
export type RecordVisitor = (
  offsetDelta: number,
  timestampDelta: number,
  valueLength: number,
) => boolean

const lengthStep = 0
const attributesStep = 1
const timestampStep = 2
const offsetStep = 3
const keyStep = 4
const valueStep = 5
const headerCountStep = 6
const headerNameStep = 7
// Behind it, 8, is the header's value.

export class RecordWalker {
  readonly #visit: RecordVisitor
  #recordsLeft: number
  #step = lengthStep
  /** Bytes of the record that no field has claimed yet. */
  #recordLeft = 0
  /** Bytes of the field that was announced last. */
  #skip = 0
  #headersLeft = 0
  /** The integer under way: what was read of it, and what its next digit counts. */
  #integer = 0
  #scale = 1
  #timestampDelta = 0
  #offsetDelta = 0
  #valueLength = 0

  constructor(recordCount: number, visit: RecordVisitor) {
    this.#recordsLeft = recordCount
    this.#visit = visit
  }

  /** Takes the next piece. True: the visitor has ended the walk. Throws InvalidMessageError. */
  push(piece: Uint8Array): boolean {
    let position = 0
    while (position < piece.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, piece.length - position)
        this.#skip -= skipped
        position += skipped
        continue
      }
      const byte = piece[position++] as number
      if (this.#step !== lengthStep && --this.#recordLeft < 0) throw misfit()
      if (this.#step === attributesStep) {
        this.#step = timestampStep
        continue
      }
      this.#integer += (byte & 0x7f) * this.#scale
      if (byte >= 0x80) {
        this.#scale *= 0x80
        // As `ChunkReader` has it: 8 bytes, and 2^53 - 1.
        if (this.#scale > 2 ** 49)
          throw new InvalidMessageError('an integer of a record is too long')
        continue
      }
      const value = this.#integer
      this.#integer = 0
      this.#scale = 1
      if (value > Number.MAX_SAFE_INTEGER) throw new InvalidMessageError('an integer is too large')
      if (this.#field(value % 2 === 0 ? value / 2 : -(value + 1) / 2)) return true
    }
    return false
  }

  /** Says that there are no more pieces. Throws InvalidMessageError where something is missing. */
  end(): void {
    const isCut = this.#skip > 0 || this.#step !== lengthStep || this.#scale > 1
    if (isCut || this.#recordsLeft > 0) {
      throw new InvalidMessageError('the batch ends before its last record does')
    }
  }

  #field(value: number): boolean {
    switch (this.#step) {
      case lengthStep:
        if (this.#recordsLeft === 0) throw new InvalidMessageError('bytes follow the last record')
        if (value < 0) throw misfit()
        this.#recordLeft = value
        this.#step = attributesStep
        return false
      case timestampStep:
        this.#timestampDelta = value
        break
      case offsetStep:
        this.#offsetDelta = value
        break
      case keyStep:
        this.#claim(value, -1)
        break
      case valueStep:
        this.#claim(value, -1)
        this.#valueLength = value
        break
      case headerCountStep:
        // A header takes at least two bytes: a count beyond that is a lie.
        if (value < 0 || value > this.#recordLeft / 2) throw misfit()
        this.#headersLeft = value
        if (value === 0) return this.#endRecord()
        break
      case headerNameStep:
        this.#claim(value, 0)
        break
      default:
        this.#claim(value, -1)
        if (--this.#headersLeft === 0) return this.#endRecord()
        this.#step = headerNameStep
        return false
    }
    this.#step++
    return false
  }

  #claim(length: number, lengthMin: number): void {
    if (length < lengthMin || length > this.#recordLeft) throw misfit()
    if (length <= 0) return
    this.#recordLeft -= length
    this.#skip = length
  }

  #endRecord(): boolean {
    if (this.#recordLeft !== 0) throw misfit()
    this.#recordsLeft--
    this.#step = lengthStep
    return this.#visit(this.#offsetDelta, this.#timestampDelta, this.#valueLength)
  }
}

function misfit(): InvalidMessageError {
  return new InvalidMessageError('a record is damaged: its fields do not fit into it')
}
