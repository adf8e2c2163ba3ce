/**
 * Loaded before each test file where `CI` is set: there fast-check tries the same values in each run, so that a change
 * is neither refused nor taken by chance. Elsewhere each run tries others.
 */
import fc from 'fast-check'

fc.configureGlobal({ seed: 1 })
