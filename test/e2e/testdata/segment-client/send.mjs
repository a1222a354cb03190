// Sends as an application does that uses Segment's own library, which only has its host and path changed.
import { Analytics } from '@segment/analytics-node'

const url = new URL(process.argv[2])
const analytics = new Analytics({ writeKey: 'unused', host: url.origin, path: url.pathname, maxEventsInBatch: 5, flushInterval: 100 })
analytics.on('error', (error) => {
  console.error(error)
  process.exitCode = 1
})
for (let i = 0; i < 12; i++) {
  analytics.track({ userId: `u${i}`, event: 'Order Completed', properties: { revenue: 10 + i, currency: 'eur' } })
}
analytics.identify({ userId: 'u1', traits: { email: 'a@b.c' } })
analytics.page({ userId: 'u1', name: 'Home' })
await analytics.closeAndFlush()
