import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock, Timer } from '@kaska/protocol'
import { Committer } from './committer.ts'

/** A clock whose one timer rings when it is told to. */
class Bell implements Clock {
  #ring: (() => void) | undefined
  now = () => 0
  monotonic = () => 0
  yield = () => Promise.resolve()
  after(_delayMs: number, callback: () => void): Timer {
    this.#ring = callback
    return {
      cancel: () => {
        this.#ring = undefined
      },
    }
  }
  async ring(): Promise<void> {
    this.#ring?.()
    this.#ring = undefined
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('commits what has left, and nothing of what was only taken', async () => {
  const commits: string[] = []
  const bell = new Bell()
  const committer = new Committer(bell, async (...commit) => void commits.push(commit.join()))
  committer.take('a', 0, 1)
  committer.take('a', 0, 2)
  const first = committer.seal()
  committer.take('a', 0, 3)
  committer.take('b', 1, 9)
  await bell.ring()
  assert.deepEqual(commits, [])
  committer.left(first)
  await bell.ring()
  assert.deepEqual(commits, ['a,0,2'])
  const second = committer.seal()
  committer.take('a', 0, 4)
  committer.left(second)
  await committer.finish()
  assert.deepEqual(commits, ['a,0,2', 'a,0,3', 'b,1,9'])
})

test('a failed commit is made again, with what came after it', async () => {
  const commits: string[] = []
  let fails = true
  const bell = new Bell()
  const committer = new Committer(bell, async (...commit) => {
    if (fails) throw new Error('no')
    commits.push(commit.join())
  })
  committer.take('a', 0, 2)
  committer.take('b', 0, 7)
  committer.left(committer.seal())
  await bell.ring()
  committer.take('a', 0, 5)
  committer.left(committer.seal())
  await assert.rejects(committer.finish(), /no/)
  fails = false
  await committer.finish()
  assert.deepEqual(commits, ['a,0,5', 'b,0,7'])
})
