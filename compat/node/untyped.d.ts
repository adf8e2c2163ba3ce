/** What comes without types. */
declare module 'kafkajs-snappy' {
  const codec: () => unknown
  export = codec
}
