/**
 * Which topics are meant by patterns: `*` stands for any characters, `?` for one, the rest for itself.
 * Without a pattern all topics are, but those whose names begin with two underscores: Kafka keeps its own
 * state in them.
 */
export function createTopicFilter(patterns: readonly string[]): (name: string) => boolean {
  if (patterns.length === 0) return (name) => !name.startsWith('__')
  const expressions = patterns.map(
    (pattern) => new RegExp(`^${pattern.replace(/./gsu, expressionFor)}$`, 'su'),
  )
  return (name) => expressions.some((expression) => expression.test(name))
}

function expressionFor(character: string): string {
  if (character === '*') return '.*'
  if (character === '?') return '.'
  return character.replace(/[\\^$.|+()[\]{}/]/u, '\\$&')
}
