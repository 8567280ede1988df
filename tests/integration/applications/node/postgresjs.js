// The driver `postgres` (Postgres.js): tagged templates, automatic prepared statements and pipelining, cursors, COPY.

import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import postgres from 'postgres'
import { step } from './report.js'
import { COLUMNS, EMPTY, KINDS, SEARCHED } from './values.js'

const sql = postgres(process.env.DATABASE_URL, { max: 3, onnotice: () => {} })
const kinds = { ...KINDS, a_json: { kanarie: [1] }, a_jsonb: { kanarie: [null] }, a_date: new Date('1973-03-31') }

await step('a row of every type', () => sql`INSERT INTO kinds ${sql(kinds)} RETURNING *`)
await step('a row of NULL', () => sql`INSERT INTO kinds ${sql(EMPTY, COLUMNS)} RETURNING *`)
for (const column of SEARCHED) {
  await step(`searched by ${column}`, () => sql`SELECT id FROM kinds WHERE ${sql(column)} = ${kinds[column]}`)
}
await step('many rows in one statement', async () => {
  const people = Array.from({ length: 20 }, (_, n) => ({ email: `kanarie-${n}`, age: n, born: '1973-03-31' }))
  return sql`INSERT INTO users ${sql(people)} RETURNING id, email, age, born`
})
await step('updated by a helper', async () => {
  const change = { ssn: 'kanarie ssn', balance: '12.50', doc: { kanarie: 1 } }
  return sql`UPDATE users SET ${sql(change)} WHERE email IN ${sql(['kanarie-1', 'kanarie-2'])} RETURNING email, ssn, balance, doc`
})
await step('values as a table', () => {
  const ages = [['kanarie-3', 33], ['kanarie-4', 44]]
  return sql`UPDATE users SET age = (v.age)::int FROM (VALUES ${sql(ages)}) AS v (email, age)
             WHERE users.email = v.email RETURNING users.email, users.age`
})
await step('many at a time', () =>
  Promise.all(Array.from({ length: 60 }, (_, n) => sql`SELECT email, age FROM users WHERE email = ${`kanarie-${n}`}`)),
)
await step('a fragment', () => sql`SELECT email FROM users WHERE id > 0 ${sql`AND age = ${17}`}`)
await step('an array parameter', () => sql`SELECT email FROM users WHERE email = ANY (${['kanarie-1', 'kanarie-5']}) ORDER BY id`)
await step('raw and as values', async () => [
  await sql`SELECT email, age FROM users WHERE age = 5`.values(),
  (await sql`SELECT email, age FROM users WHERE age = 5`.raw())[0].map(String),
])
await step('a simple query', () => sql`SELECT email FROM users WHERE age = 6; SELECT age FROM users WHERE email = 'kanarie-7'`.simple())
await step('a cursor', async () => {
  const seen = []
  for await (const rows of sql`SELECT email, born FROM users ORDER BY id`.cursor(7)) seen.push(rows)
  return seen
})
await step('row by row', async () => {
  const seen = []
  await sql`SELECT email FROM users ORDER BY id`.forEach((row) => seen.push(row.email))
  return seen
})
await step('described', async () => {
  const { types, columns } = await sql`INSERT INTO kinds ${sql(kinds)} RETURNING *`.describe()
  return { types, columns: columns.map(({ name, type }) => ({ name, type })) }
})
await step('COPY in and out', async () => {
  const into = await sql`COPY users (email, age) FROM STDIN`.writable()
  await pipeline(Readable.from(['kanarie-copied\t1733173317\n']), into)
  let text = ''
  for await (const chunk of await sql`COPY (SELECT email, age FROM users WHERE email = 'kanarie-copied') TO STDOUT`.readable()) text += chunk
  return text
})
await step('a transaction with a savepoint', () =>
  sql.begin(async (tx) => {
    await tx`UPDATE users SET nick = ${'kanarie nick'} WHERE email = ${'kanarie-1'}`
    const code = await tx.savepoint((sp) => sp`INSERT INTO users (email) VALUES (${'kanarie-1'})`).catch((error) => error.code)
    return [code, await tx`SELECT nick FROM users WHERE nick = ${'kanarie nick'}`]
  }),
)
await step('statements that are sent at once in a transaction', () =>
  sql.begin((tx) => [tx`SELECT email FROM users WHERE age = ${8}`, tx`DELETE FROM users WHERE email = ${'kanarie-8'} RETURNING email`]),
)
await step('an error', () => sql`SELECT emali FROM users WHERE email = ${'kanarie-1'}`)
await sql.end()
