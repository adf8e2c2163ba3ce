/**
 * An engine that does what a test says, and fails at everything else: for tests of sessions alone.
 * Deferred answers are settled by the test.
 */
import { type Engine, UnsupportedOperationError } from '@kaska/protocol'

export function fakeEngine(methods: Partial<Engine>): Engine {
  const refuse = () => Promise.reject(new UnsupportedOperationError('not in this test'))
  return {
    capabilities: { kind: 'local', retriesSurviveCrash: true },
    createTopic: refuse,
    deleteTopic: refuse,
    listTopics: refuse,
    topicCount: refuse,
    resolve: (names) => Promise.resolve(names.map(({ text }) => topicOf(text))),
    describeTopic: refuse,
    initProducer: refuse,
    send: refuse,
    poll: refuse,
    messageSize: refuse,
    offsets: refuse,
    offsetAt: refuse,
    commit: refuse,
    committed: refuse,
    close: () => Promise.resolve(),
    ...methods,
  }
}

/** Every name stands for a topic, whose id is made of it. */
export function topicOf(name: string) {
  return { name, id: name.padEnd(22, 'A'), partitions: 1 }
}

/** A promise that the test settles. */
export function deferred<T>() {
  return Promise.withResolvers<T>()
}
