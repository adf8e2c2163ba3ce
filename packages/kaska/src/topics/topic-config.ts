/** The settings of a topic. Being written; this is the interface. */

/** What was set for a topic, by Kafka's names, as it was written. */
export type TopicConfig = ReadonlyMap<string, string>
