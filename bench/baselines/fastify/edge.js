// fastify and kafkajs, with what makes them fast: several processes, the raw bytes of a body that is one message, and
// requests that come while others wait for the brokers are written together.
const cluster = require('cluster')
const [, , host, port, broker, topic, processes, linger, compression] = process.argv

if (cluster.isPrimary && Number(processes) > 1) {
  for (let i = 0; i < Number(processes); i++) cluster.fork()
  cluster.on('exit', () => process.exit(1))
  process.on('SIGTERM', () => process.exit(0))
} else {
  serve()
}

async function serve () {
  const { Kafka, CompressionTypes, CompressionCodecs, Partitioners, logLevel } = require('kafkajs')
  const lz4 = require('lz4-napi')
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async (encoder) => lz4.compressFrameSync(encoder.buffer),
    decompress: async (buffer) => lz4.decompressFrameSync(buffer)
  })
  const kafka = new Kafka({ clientId: 'fastify', brokers: [broker], logLevel: logLevel.ERROR })
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false, maxInFlightRequests: 5 })
  await producer.connect()

  let waiting = []
  let scheduled = false
  function flush () {
    scheduled = false
    const now = waiting
    waiting = []
    const messages = now.length === 1 ? now[0].messages : now.flatMap((w) => w.messages)
    producer.send({ topic, acks: -1, compression: CompressionTypes[compression], messages })
      .then(() => now.forEach((w) => w.resolve()), (err) => now.forEach((w) => w.reject(err)))
  }
  function store (messages) {
    return new Promise((resolve, reject) => {
      waiting.push({ messages, resolve, reject })
      if (scheduled) return
      scheduled = true
      if (Number(linger) > 0) setTimeout(flush, Number(linger))
      else setImmediate(flush)
    })
  }

  const fastify = require('fastify')({ bodyLimit: 8 << 20 })
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    let parsed
    try { parsed = JSON.parse(body) } catch (err) { err.statusCode = 400; return done(err) }
    done(null, { body, parsed })
  })
  fastify.post('/in/:key', async (request) => {
    const { body, parsed } = request.body
    const key = request.params.key
    const messages = parsed.batch ? parsed.batch.map((m) => ({ key, value: JSON.stringify(m) })) : [{ key, value: body }]
    await store(messages)
    return { received: messages.length }
  })
  await fastify.listen({ host, port: Number(port) })
}
