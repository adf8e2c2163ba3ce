/** The native protocol: operations, frames, and the fields of each. */
export * from './batch.ts'
export * from './frame.ts'
export * from './messages.ts'
export * from './operations.ts'
export * from './topics.ts'
