// Sends a message of each type with Segment's SDK for Node; the exit status is 1 if one was not delivered.
const { Analytics } = require('@segment/analytics-node')

const [host, writeKey] = process.argv.slice(2)
const analytics = new Analytics({ host, writeKey })
analytics.on('error', (error) => {
  console.error('not delivered:', error)
  process.exitCode = 1
})
analytics.identify({ userId: 'ada', traits: { email: 'ada@kiosk.example', seats: 3 } })
analytics.track({ userId: 'ada', event: 'Demo Requested', properties: { plan: 'pro' } })
analytics.page({ userId: 'ada', name: 'Pricing', properties: { url: '/pricing' } })
analytics.screen({ userId: 'ada', name: 'Home' })
analytics.group({ userId: 'ada', groupId: 'acme', traits: { size: 5 } })
analytics.alias({ userId: 'ada', previousId: 'anonymous-7' })
analytics.closeAndFlush({ timeout: 20000 })
