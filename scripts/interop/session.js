// A session of factom.js, the published JavaScript client of Factom, unchanged,
// against a Cloister host:
//
//   node session.js http://127.0.0.1:8088
//
// It makes addresses, pays, buys entry credits, creates a chain, adds entries and
// reads everything back in every way the client knows. Any difference from what
// it expects ends it with an error.
const assert = require('node:assert')
const { FactomCli, Chain, Entry, generateRandomFctAddress, generateRandomEcAddress } = require('factom')

// The development networks' funded key, known to everybody.
const sandbox = { public: 'FA2jK2HcLnRdS94dEcU27rF3meoJfpUcZPSinpb7AwQvPRY6RL1Q', private: 'Fs3E9gV6DXsYzf7Fqx1fVBQPQXV695eP3k5XbmHEZVRLkMdD9qCK' }

async function until(what, done, seconds = 90) {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; await new Promise((r) => setTimeout(r, 300))) {
    const value = await done().catch(() => undefined)
    if (value) return value
  }
  throw new Error(`it does not come to this: ${what}`)
}

async function main(address) {
  const { protocol, hostname, port } = new URL(address)
  const cli = new FactomCli({ host: hostname, port: Number(port), protocol: protocol.slice(0, -1) })
  const say = (what) => console.log('  ok  ' + what)

  const heights = await cli.factomdApi('heights')
  assert.ok(heights.leaderheight >= heights.directoryblockheight)
  await cli.factomdApi('properties')
  const rate = await cli.getEntryCreditRate()
  assert.ok(rate > 0)
  say(`heights, properties and a rate of ${rate} factoshis per entry credit`)

  const fct = generateRandomFctAddress()
  const ec = generateRandomEcAddress()
  assert.strictEqual(await cli.getBalance(fct.public), 0)
  const paid = await cli.createFactoidTransaction(sandbox.private, fct.public, 50_000_000)
  await cli.sendTransaction(paid)
  await until('the payment', async () => (await cli.getBalance(fct.public)) === 50_000_000)
  const bought = await cli.createEntryCreditPurchaseTransaction(sandbox.private, ec.public, 200)
  await cli.sendTransaction(bought)
  await until('the purchase', async () => (await cli.getBalance(ec.public)) === 200)
  say('a payment and a purchase of entry credits')

  const first = Entry.builder().extId('cloister', 'utf8').extId(String(Date.now()), 'utf8').content('first', 'utf8').build()
  const chain = new Chain(first)
  assert.strictEqual(await cli.chainExists(chain.id), false)
  const created = await cli.add(chain, ec.private)
  assert.strictEqual(created.chainId, chain.idHex)
  const entries = ['second', 'third'].map((text) => Entry.builder().chainId(chain.id).extId('n', 'utf8').content(text, 'utf8').build())
  const added = await cli.add(entries, ec.private)
  assert.strictEqual(added.length, 2)
  assert.strictEqual(await cli.getBalance(ec.public), 200 - 11 - 2)
  const again = await cli.commit(entries[0], ec.private)
  const repeated = await cli.commit(entries[0], ec.private)
  assert.ok(!again.repeatedCommit && repeated.repeatedCommit)
  await cli.reveal(entries[0])
  say('a chain, two entries, and one of them once more; a repeated commit is told apart')

  const head = await until('the directory block', async () => {
    const h = await cli.getChainHead(chain.id)
    return h.keyMR && (await cli.getAllEntriesOfChain(chain.id)).length === 4 && h
  })
  const all = await cli.getAllEntriesOfChain(chain.id)
  const texts = all.map((e) => e.content.toString())
  assert.strictEqual(texts[0], 'first')
  assert.deepStrictEqual(texts.slice(1).sort(), ['second', 'second', 'third']) // the client sends several at once
  assert.strictEqual((await cli.getFirstEntry(chain.id)).hashHex(), created.entryHash)
  const entry = await cli.getEntryWithBlockContext(created.entryHash)
  assert.ok(entry.blockContext.directoryBlockHeight >= 0)
  say('all entries, the first one, and where it stands')

  const block = await cli.getEntryBlock(head.keyMR)
  assert.strictEqual(block.chainId, chain.idHex)
  const directory = await cli.getDirectoryBlock(block.directoryBlockHeight)
  assert.ok(directory.entryBlockRefs.some((r) => r.chainId === chain.idHex))
  const newest = await cli.getDirectoryBlockHead()
  assert.ok(newest.height >= directory.height)
  assert.strictEqual((await cli.getAdminBlock(directory.height)).directoryBlockHeight, directory.height)
  const credits = await cli.getEntryCreditBlock(directory.height)
  assert.ok(credits.objectCount >= 10) // at least the markers: commits may be in the block before
  const factoids = await cli.getFactoidBlock(directory.height)
  assert.strictEqual(factoids.entryCreditRate, rate)
  assert.ok(factoids.getCoinbaseTransaction())
  say('entry, directory, admin, entry credit and factoid blocks')

  const transaction = await until('the transaction in a block', () => cli.getTransaction(paid.id))
  assert.strictEqual(transaction.totalFactoidOutputs, 50_000_000)
  const receipt = await cli.factomdApi('receipt', { hash: created.entryHash, includerawentry: true })
  assert.strictEqual(receipt.receipt.entry.entryhash, created.entryHash)
  for (const method of ['current-minute', 'authorities', 'diagnostics', 'tps-rate', 'pending-entries', 'pending-transactions']) {
    await cli.factomdApi(method)
  }
  await assert.rejects(cli.factomdApi('chain-head', { chainid: 'ab'.repeat(32) }), (e) => e.code === -32009)
  say('a transaction, a receipt, and the calls about the node')
}

main(process.argv[2] || 'http://127.0.0.1:8088').then(
  () => console.log('factom.js works against this host'),
  (e) => { console.error(e); process.exit(1) })
