/** The checks of groups, for a client of another language: its member program is given as JSON. */
import process from 'node:process'
import { Checks } from './checks.ts'
import { addGroupChecks, type GroupClient } from './group-checks.ts'
import { KafkajsTools } from './kafkajs-tools.ts'

const [given = '{}', bootstrap = ''] = process.argv.slice(2)
const checks = new Checks()
const client = JSON.parse(given) as Pick<GroupClient, 'member' | 'assignors' | 'withoutStatic'>
addGroupChecks({ ...client, checks, tools: new KafkajsTools(bootstrap), bootstrap })
await checks.run()
