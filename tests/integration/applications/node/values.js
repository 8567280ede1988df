// A value for each column of the table `kinds`, as JavaScript spells it. Each holds a canary where its type has room.

export const KINDS = {
  a_text: 'kanarie "text" \\ ünïcödé',
  a_varchar: 'kanarie varchar',
  a_char: 'kanarie',
  a_bytea: Buffer.from('kanarie'),
  a_bool: true,
  an_int2: 17,
  an_int4: 1733173317,
  an_int8: '1733173317000',
  a_float4: 1.5,
  a_float8: 1733173317.25,
  a_numeric: '1733173317.1230',
  a_price: '1733173317.50',
  a_date: '1973-03-31',
  a_time: '03:31:19.73',
  a_timestamp: '1973-03-31 03:31:19.733',
  a_timestamptz: new Date('1973-03-31T03:31:19.733Z'),
  an_interval: '1 year 2 mons 3 days 04:05:06',
  a_uuid: '6b616e61-7269-4500-8000-000000000001',
  a_json: JSON.stringify({ kanarie: [1, null, '1973-03-31'] }),
  a_jsonb: JSON.stringify({ kanarie: [1, null, '1973-03-31'] }),
  an_inet: '10.73.3.31',
  some_texts: ['kanarie a', 'kanarie "b", {c}', null, ''],
  some_ints: [1733173317, null, -1],
  some_dates: ['1973-03-31', null],
}

export const COLUMNS = Object.keys(KINDS)
export const EMPTY = Object.fromEntries(COLUMNS.map((column) => [column, null]))
// What a deterministic column can be searched for.
export const SEARCHED = [
  ...['a_text', 'a_varchar', 'a_char', 'a_bytea', 'a_bool', 'an_int2', 'an_int8', 'a_float8', 'a_price'],
  ...['a_date', 'a_timestamptz', 'a_uuid', 'an_inet'],
]

export const list = COLUMNS.join(', ')
export const places = COLUMNS.map((_, index) => `$${index + 1}`).join(', ')
