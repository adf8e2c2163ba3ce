/**
 * The native protocol's frames (docs/protocol.md is the description for people).
 *
 *   connection:  'K' 'S' 'K' version    then frames, both ways
 *   request:     length | operation | tag | fields        length counts what follows it
 *   response:    length | tag | status | fields           status 0 is success, 1 success with details
 *   notice:      length | 0   | operation                 from the broker, asked by nobody
 *
 * All integers are LEB128 varints of at most 2^53 - 1, signed ones in zigzag form. Fields that a
 * later version adds at a frame's end are ignored by who does not know them. Responses may overtake
 * each other: the tag, chosen by the client and not 0, tells which request one answers. A tag may be
 * used again once it was answered.
 *
 *   operation      fields of the request             fields of the answer
 *   ping           -                                 -
 *   identify       client id (string)                writeBrokerIdentity
 *   createTopic    writeCreateTopic                  writeTopicInfo
 *   deleteTopic    name                              -
 *   listTopics     cursor                            writeTopicPage
 *   topicCount     -                                 count
 *   resolve        writeResolveRequest               writeResolveResponse
 *   describeTopic  name                              writeTopicInfo, writeConfigEntries
 *   initProducer   writeProducer                     writeProducer
 *   send           writeSendRequest                  writeSendResponse
 *   poll           writePollRequest                  writePollResponse
 *   messageSize    ref, partition, offset            bytes
 *   offsets        ref, partition                    startOffset, endOffset
 *   offsetAt       ref, partition, zigzag timestamp  offset + 1, or 0
 *   commit         group (string), entries           -
 *   committed      group (string), ref, partition    offset + 1, or 0
 *   cancel         tag of a waiting poll             -    (that poll is answered at once, empty)
 *
 * With tag 0, `1` is the broker's ping of a silent connection, to be answered with any request
 * (`ping` will do). Any other number after tag 0 is an error about the connection as a whole, with
 * its details as in a response; the broker closes after it.
 */

/** What a native connection begins with. */
export const magic: Uint8Array = new Uint8Array([0x4b, 0x53, 0x4b])
export const version = 1

/** The operations' numbers. */
export const operation = {
  ping: 1,
  /** Reserved: a broker without authentication answers UnsupportedOperationError. */
  authenticate: 2,
  identify: 3,
  createTopic: 4,
  deleteTopic: 5,
  listTopics: 6,
  topicCount: 7,
  resolve: 8,
  describeTopic: 9,
  initProducer: 10,
  send: 11,
  poll: 12,
  messageSize: 13,
  offsets: 14,
  offsetAt: 15,
  commit: 16,
  committed: 17,
  cancel: 18,
} as const

export const statusOk = 0
/** Success where the parts of an answer differ: the long form of the answer follows. */
export const statusDetailed = 1

/** The tag of a notice. */
export const noticeTag = 0
