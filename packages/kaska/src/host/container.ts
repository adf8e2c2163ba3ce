/** Does this process run in a container? There nothing tells which address clients come to. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** What engines leave where the process can see it. `root` is the file system's. */
export function isInContainer(root = '/'): boolean {
  for (const mark of ['.dockerenv', 'run/.containerenv']) {
    if (existsSync(path.join(root, mark))) return true
  }
  try {
    const groups = readFileSync(path.join(root, 'proc/1/cgroup'), 'utf8')
    return /docker|kubepods|containerd|libpod|lxc/.test(groups)
  } catch {
    return false
  }
}
