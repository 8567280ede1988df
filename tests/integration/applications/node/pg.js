// The driver `pg`: every way it has to send a statement and to read a result.

import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { once } from 'node:events'
import pg from 'pg'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { step } from './report.js'
import { COLUMNS, EMPTY, KINDS, SEARCHED, list, places } from './values.js'

const connectionString = process.env.DATABASE_URL
const client = new pg.Client({ connectionString })
await client.connect()

const rows = async (query, values) => (await client.query(query, values)).rows
const insert = `INSERT INTO kinds (${list}) VALUES (${places}) RETURNING *`
const people = 'SELECT id, email, ssn, age, born, balance, doc, photo, nick FROM users'

await step('a simple query of several statements', async () => {
  const results = await client.query(
    `INSERT INTO users (email, ssn, age, born, balance, doc, photo, nick, note) VALUES
       ('kanarie-1', 'kanarie ssn', 1733173317, '1973-03-31', 12.50, '{"kanarie": 1}', '\\x6b616e61', 'kanarie', 'a'),
       ('kanarie-2', NULL, 17, NULL, -0.01, '"kanarie"', '\\x', 'kanarie two', 'b');
     ${people} ORDER BY id; UPDATE users SET ssn = 'kanarie it''s' WHERE email = 'kanarie-2' RETURNING ssn, age`,
  )
  return results.map(({ command, rowCount, rows }) => ({ command, rowCount, rows }))
})

await step('parameters of every type', () => rows(insert, Object.values(KINDS)))
await step('NULL parameters', () => rows(insert, Object.values(EMPTY)))
await step('what the results say of themselves', async () => {
  const { fields } = await client.query(`SELECT * FROM kinds`)
  return fields.map(({ name, dataTypeID, dataTypeSize, dataTypeModifier, format }) => ({
    ...{ name, dataTypeID, dataTypeModifier, format, dataTypeSize },
  }))
})
for (const column of SEARCHED) {
  await step(`searched by ${column}`, async () => [
    ...(await rows(`SELECT id, ${column} FROM kinds WHERE ${column} = $1`, [KINDS[column]])),
    ...(await rows(`SELECT id FROM kinds WHERE ${column} = ANY ($1)`, [[KINDS[column], null]])),
  ])
}

const named = (text, ...values) => ({ name: text.replace(/\W/g, '').slice(0, 60), text, values })
await step('a named statement, again and again', async () => {
  const text = 'INSERT INTO users (email, age, born) VALUES ($1, $2, $3) RETURNING email, age, born'
  const seen = []
  for (let age = 1; age <= 5; age += 1) {
    seen.push(await rows(named(text, `kanarie-named-${age}`, age, '1973-03-31')))
    seen.push(await rows(named('SELECT email, nick FROM users WHERE email = $1', `kanarie-named-${age}`)))
  }
  return seen
})
await step('an array as rows, and as binary', async () => [
  await rows({ text: `${people} WHERE email = $1`, values: ['kanarie-1'], rowMode: 'array' }),
  await rows({ text: `SELECT id, email, ssn, age, photo FROM users WHERE email = $1`, values: ['kanarie-1'], binary: true }),
  await rows({ text: 'SELECT a_text, a_bool, an_int2, an_int4, a_float8, a_bytea FROM kinds ORDER BY id', binary: true }),
])
await step('a limited portal', () => rows({ text: `SELECT email FROM users ORDER BY id`, rows: 2 }))

await step('a cursor', async () => {
  const cursor = client.query(new Cursor('SELECT email, age FROM users WHERE id > $1 ORDER BY id', [0]))
  const seen = []
  for (let batch = await cursor.read(3); batch.length > 0; batch = await cursor.read(3)) seen.push(batch)
  await cursor.close()
  return seen
})
await step('a cursor that is closed early', async () => {
  const cursor = client.query(new Cursor('SELECT email FROM users ORDER BY id'))
  const seen = await cursor.read(1)
  await cursor.close()
  return [seen, await rows('SELECT count(*) FROM users WHERE age = 17')]
})
await step('a stream of rows', async () => {
  const stream = client.query(new QueryStream('SELECT email, born FROM users ORDER BY id', [], { batchSize: 2 }))
  const seen = []
  for await (const row of stream) seen.push(row)
  return seen
})

await step('COPY in', async () => {
  const into = client.query(copyFrom('COPY users (email, ssn, age, born, doc) FROM STDIN'))
  const lines = Array.from({ length: 500 }, (_, n) => `kanarie-copy-${n}\t\\N\t${n}\t1973-03-31\t{"kanarie": ${n}}\n`)
  await pipeline(Readable.from(lines), into)
  return [into.rowCount, await rows("SELECT email, ssn, age, born, doc FROM users WHERE email = 'kanarie-copy-499'")]
})
await step('COPY out', async () => {
  let text = ''
  const out = client.query(copyTo('COPY (SELECT email, age, born FROM users WHERE id < 9 ORDER BY id) TO STDOUT CSV HEADER'))
  for await (const chunk of out) text += chunk
  return text
})
await step('COPY in that fails', async () => {
  const into = client.query(copyFrom('COPY users (email, age) FROM STDIN'))
  await pipeline(Readable.from(['kanarie-bad\tnot a number\n']), into)
})
await step('a line after a COPY that failed', () => rows("SELECT count(*) FROM users WHERE email = 'kanarie-bad'"))

await step('a transaction with an error and a savepoint', async () => {
  const seen = []
  await client.query('BEGIN')
  await client.query("UPDATE users SET nick = 'kanarie nick' WHERE email = 'kanarie-1'")
  await client.query('SAVEPOINT s')
  await client.query('INSERT INTO users (email) VALUES ($1)', ['kanarie-1']).catch(({ code }) => seen.push(code))
  await client.query('ROLLBACK TO s')
  seen.push(await rows("SELECT nick FROM users WHERE email = 'kanarie-1'"))
  await client.query('ROLLBACK')
  return [...seen, await rows("SELECT nick FROM users WHERE email = 'kanarie-1'")]
})
await step('an error of the server', () => rows('SELECT emali FROM users WHERE email = $1', ['kanarie-1']))
await step('a value that its type does not have', () => rows('SELECT id FROM users WHERE age = $1', ['kanarie']))
await step('nothing at all', () => rows(''))

await step('a pipeline', async () => {
  const piped = new pg.Client({ connectionString, pipeline: true })
  await piped.connect()
  const queries = []
  for (let n = 0; n < 20; n += 1) {
    queries.push(piped.query('INSERT INTO orders (buyer, total) VALUES ($1, $2) RETURNING buyer', [`kanarie-${n}`, n]))
    queries.push(piped.query(named('SELECT buyer, total FROM orders WHERE buyer = $1', `kanarie-${n}`)))
    if (n % 7 === 3) queries.push(piped.query('SELECT 1/0'))
    if (n % 7 === 5) queries.push(piped.query('SELECT buyer FROM orders WHERE buyer = $1 AND nosuch', ['kanarie']))
  }
  const seen = await Promise.allSettled(queries)
  await piped.end()
  return seen.map(({ value, reason }) => value?.rows ?? reason.code)
})
await step('a pool, many at a time', async () => {
  const pool = new pg.Pool({ connectionString, max: 4 })
  const found = await Promise.all(
    Array.from({ length: 40 }, (_, n) => pool.query('SELECT email, age FROM users WHERE email = $1', [`kanarie-copy-${n}`])),
  )
  await pool.end()
  return found.map(({ rows }) => rows)
})
await step('LISTEN and NOTIFY', async () => {
  const listener = new pg.Client({ connectionString })
  await listener.connect()
  await listener.query('LISTEN news')
  const arrived = once(listener, 'notification')
  await client.query("BEGIN; INSERT INTO users (email) VALUES ('kanarie-news'); SELECT pg_notify('news', 'a row'); COMMIT")
  const [{ channel, payload }] = await arrived
  await listener.end()
  return { channel, payload }
})
await step('cancelled', async () => {
  const slow = new pg.Client({ connectionString })
  await slow.connect()
  const query = new pg.Query("SELECT pg_sleep(60) FROM users WHERE email = 'kanarie-1'")
  slow.query(query)
  setTimeout(() => new pg.Client({ connectionString }).cancel(slow, query), 300)
  const code = await once(query, 'end').then(() => 'not cancelled', (error) => error.code)
  await slow.end()
  return code
})
await step('deleted', async () => {
  const { rowCount } = await client.query('DELETE FROM users WHERE email = ANY ($1)', [['kanarie-1', 'kanarie-2']])
  return [rowCount, COLUMNS.length]
})
await client.end()
