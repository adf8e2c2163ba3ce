import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { defaultBrokerConfig } from '../config/broker-config.ts'
import { noTopicConfig, topicDefaults } from '../config/topic-settings.ts'
import { Topic } from './topic.ts'
import { TopicMap } from './topic-map.ts'

const configured = { config: noTopicConfig, defaults: topicDefaults(defaultBrokerConfig).kaska }

function topicOf(created: number): Topic {
  const info = { name: `topic-${created}`, id: `id-${created}`, partitions: 1 }
  return new Topic(info, created, configured, 'live')
}

function mapOf(count: number): { map: TopicMap; topics: Topic[] } {
  const map = new TopicMap()
  const topics = Array.from({ length: count }, (_, created) => topicOf(created))
  for (const topic of topics) map.add(topic)
  return { map, topics }
}

const created = (topics: Iterable<Topic>) => Array.from(topics, (topic) => topic.created)

suite('the map of topics', () => {
  test('finds by name and by id, and iterates in creation order', () => {
    const { map, topics } = mapOf(4)
    assert.equal(map.get('topic-2'), topics[2])
    assert.equal(map.byId('id-3'), topics[3])
    assert.equal(map.get('topic-4'), undefined)
    assert.deepEqual(created(map), [0, 1, 2, 3])
    assert.deepEqual(created(map.from(2)), [2, 3])
    assert.equal(map.size, 4)
  })

  test('an iteration sees what is added behind its place, and not what is removed', () => {
    const { map, topics } = mapOf(6)
    const seen: number[] = []
    for (const topic of map) {
      seen.push(topic.created)
      if (topic.created === 1) {
        // More than half: the holes are closed under the iteration.
        for (const gone of [0, 1, 2, 4]) map.remove(topics[gone] as Topic)
        map.add(topicOf(6))
      }
    }
    assert.deepEqual(seen, [0, 1, 3, 5, 6])
  })

  test('equals a plain model, with iterations under way, whatever happens', () => {
    const step = fc.oneof(
      fc.constant({ kind: 'add' as const }),
      fc.record({ kind: fc.constant('remove' as const), pick: fc.nat(1000) }),
      fc.record({ kind: fc.constant('iterate' as const), from: fc.nat(60) }),
      fc.record({ kind: fc.constant('next' as const), pick: fc.nat(1000) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const map = new TopicMap()
        const model = new Map<number, Topic>()
        const iterations: { cursor: number; iterator: Iterator<Topic> }[] = []
        let next = 0
        for (const each of steps) {
          if (each.kind === 'add') {
            const topic = topicOf(next++)
            map.add(topic)
            model.set(topic.created, topic)
          } else if (each.kind === 'remove') {
            const topic = [...model.values()][each.pick % Math.max(1, model.size)]
            if (topic === undefined) continue
            map.remove(topic)
            model.delete(topic.created)
          } else if (each.kind === 'iterate') {
            iterations.push({ cursor: each.from, iterator: map.from(each.from) })
          } else {
            const iteration = iterations[each.pick % Math.max(1, iterations.length)]
            if (iteration === undefined) continue
            const expected = [...model.keys()].find((key) => key >= iteration.cursor)
            const { value, done } = iteration.iterator.next()
            assert.equal(done ? undefined : value.created, expected)
            if (expected === undefined) iterations.splice(iterations.indexOf(iteration), 1)
            else iteration.cursor = expected + 1
          }
          assert.equal(map.size, model.size)
        }
        assert.deepEqual(created(map), [...model.keys()])
      }),
    )
  })

  test('names that differ in dots and underscores alone collide, while both are there', () => {
    const named = (name: string, created: number) =>
      new Topic({ name, id: name, partitions: 1 }, created, configured, 'live')
    const map = new TopicMap()
    const before = named('a.b_c', 0)
    map.add(before)
    assert.equal(map.colliding('a.b_c'), undefined)
    assert.equal(map.colliding('a_b.c'), before)
    assert.equal(map.colliding('abc'), undefined)
    const after = named('x_y', 1)
    map.add(after)
    assert.equal(map.colliding('x.y'), after)
    map.add(named('x.y', 2))
    map.remove(after)
    assert.equal(map.colliding('x.y'), undefined)
    assert.equal(map.colliding('x_y')?.name, 'x.y')
    map.remove(before)
    assert.equal(map.colliding('a_b_c'), undefined)
  })
})
