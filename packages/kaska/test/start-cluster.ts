/** Three brokers of Apache Kafka for a test file, or the reason why there are none here. */
import {
  type ApacheKafkaCluster,
  startApacheKafkaCluster,
} from '../../../compat/lib/apache-kafka-cluster.ts'
import { SkippedError } from '../../../compat/lib/maven.ts'

export async function startCluster(): Promise<ApacheKafkaCluster | string> {
  try {
    return await startApacheKafkaCluster()
  } catch (error) {
    if (error instanceof SkippedError) return error.message
    throw error
  }
}
