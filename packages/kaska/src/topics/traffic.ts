/** What was appended and read: plain numbers, counted on the way. Bytes are those of whole batches. */

export interface Traffic {
  messagesIn: number
  bytesIn: number
  messagesOut: number
  bytesOut: number
}

export function createTraffic(): Traffic {
  return { messagesIn: 0, bytesIn: 0, messagesOut: 0, bytesOut: 0 }
}

export function addTraffic(sum: Traffic, one: Readonly<Traffic>): void {
  sum.messagesIn += one.messagesIn
  sum.bytesIn += one.bytesIn
  sum.messagesOut += one.messagesOut
  sum.bytesOut += one.bytesOut
}
