/**
 * Contract 14: the two data types at the heart are an iterable map (name to topic, in creation order:
 * `TopicMap`) and an append-only queue (`PartitionLog`). Their iteration stays valid while they grow.
 */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { connect } from '@kaska/client'
import { topicNameOf } from '@kaska/protocol'
import { defaultBrokerConfig } from '../src/config/broker-config.ts'
import { noTopicConfig, topicDefaults } from '../src/config/topic-settings.ts'
import { PartitionLog } from '../src/log/partition-log.ts'
import { startBroker } from '../src/testing.ts'
import { Topic } from '../src/topics/topic.ts'
import { TopicMap } from '../src/topics/topic-map.ts'
import { context } from './batches.ts'

const configured = { config: noTopicConfig, defaults: topicDefaults(defaultBrokerConfig).kaska }

suite('contract 14: the iterable map and the append-only queue', () => {
  test('the map of topics is iterated in creation order while it grows and shrinks', () => {
    const map = new TopicMap()
    const add = (created: number) => {
      const info = { name: `t${created}`, id: `id${created}`, partitions: 1 }
      const topic = new Topic(info, created, configured, 'live')
      map.add(topic)
      return topic
    }
    const topics = Array.from({ length: 100 }, (_, created) => add(created))
    const seen: number[] = []
    for (const { created } of map) {
      seen.push(created)
      if (created < 50) {
        map.remove(topics[created] as Topic)
        map.remove(topics[99 - created] as Topic)
        add(100 + created)
      }
    }
    const expected = Array.from({ length: 50 }, (_, index) => index)
    assert.deepEqual(seen, [...expected, ...expected.map((index) => 100 + index)])
    assert.equal(map.size, 50)
    assert.equal(map.get('t120')?.created, 120)
    assert.equal(typeof map[Symbol.iterator], 'function')
  })

  test('a listing in pages visits every topic that stays, once and in creation order', async () => {
    await using kaska = await startBroker()
    const { engine } = kaska.broker
    const create = (name: string) =>
      engine.createTopic({ name: topicNameOf(name), partitions: 1, config: new Map() }, context)
    for (let start = 0; start < 2500; start += 500) {
      await Promise.all(Array.from({ length: 500 }, (_, index) => create(`t${start + index}`)))
    }
    const seen: string[] = []
    let cursor: number | undefined = 0
    for (let page = 0; cursor !== undefined; page++) {
      const { topics, next } = await engine.listTopics(cursor, context)
      seen.push(...topics.map(({ name }) => name))
      cursor = next
      // What the listing has passed goes, and more comes at its end.
      if (page < 2) {
        for (const { name } of topics.slice(0, 5))
          await engine.deleteTopic(topicNameOf(name), context)
        await create(`late${page}`)
      }
    }
    const expected = Array.from({ length: 2500 }, (_, index) => `t${index}`)
    assert.deepEqual(seen, [...expected, 'late0', 'late1'])
  })

  test('the queue of messages is read while it grows: nothing is missed, nothing comes twice', async () => {
    await using kaska = await startBroker({ topics: [{ name: 't' }] })
    await using reader = await connect(kaska.url)
    await using writer = await connect(kaska.url)
    await reader.subscribe(['t'])
    const count = 2000
    const writing = (async () => {
      for (let sent = 0; sent < count; sent += 10) {
        await writer.sendBatch(
          't',
          Array.from({ length: 10 }, (_, index) => `${sent + index}`),
        )
      }
    })()
    const decoder = new TextDecoder()
    let next = 0
    for await (const message of reader.messages()) {
      assert.equal(message.offset, next)
      assert.equal(decoder.decode(message.value ?? undefined), `${next}`)
      if (++next === count) break
    }
    await writing
  })

  test('the queue only ever grows at its end', () => {
    const names = Object.getOwnPropertyNames(PartitionLog.prototype)
    assert.ok(names.includes('append') && names.includes('read'))
    assert.ok(!names.some((name) => /^(insert|update|replace|set|write)/.test(name)))
  })
})
