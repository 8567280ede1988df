-- case: unnest of array parameters | ok
-- params: {kanarie-5,kanarie-6,NULL} | {1973-03-31,NULL,1973-04-01} | {41,1733173317,NULL} | {a,b,c}
-- ways: extended binary named pipelined in_transaction literals prepared
INSERT INTO users (email, born, age, note) SELECT * FROM unnest($1::text[], $2::date[], $3::int[], $4::text[]) RETURNING email, born, age, note
-- case: unnest of array parameters, with names | ok
-- params: {kanarie-5,kanarie-6} | {12.50,-0.01}
INSERT INTO users (email, balance, note) SELECT t.e, t.b, 'x' FROM unnest($1::varchar[], $2::numeric[]) AS t(e, b) WHERE t.e IS NOT NULL ON CONFLICT (email) DO UPDATE SET balance = excluded.balance RETURNING email, balance
-- case: unnest with ordinality | ok
-- params: {kanarie-5,kanarie-6}
INSERT INTO users (id, email) SELECT 100 + n, e FROM unnest($1::text[]) WITH ORDINALITY AS t(e, n) RETURNING id, email
-- case: unnest in the list | ok
-- params: {kanarie-5,kanarie-6} | {kanarie a,kanarie b}
INSERT INTO users (email, ssn) SELECT unnest($1::text[]), unnest($2::text[]) RETURNING email, ssn
-- case: unnest in an update | ok
-- params: {1,2} | {kanarie a,kanarie b} | {17,18}
UPDATE users SET ssn = v.ssn, age = v.age FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::text[]) AS ssn, unnest($3::int[]) AS age) v WHERE users.id = v.id RETURNING users.id, users.ssn, users.age
-- case: unnest in a join | ok
-- params: {kanarie-1,kanarie-7}
SELECT t.e, u.id FROM unnest($1::text[]) AS t(e) LEFT JOIN users u ON u.email = t.e
-- case: unnest of an array literal | ok
INSERT INTO users (email, age) SELECT * FROM unnest(ARRAY['kanarie-5', 'kanarie-6'], '{17,18}'::int[]) RETURNING email, age
-- case: rows from unnest | ok
-- params: {kanarie-5,kanarie-6} | {17,18}
INSERT INTO users (email, age) SELECT e, a FROM ROWS FROM (unnest($1::text[]), unnest($2::int[])) AS t(e, a) RETURNING email, age
-- case: json_to_recordset | ok
-- params: [{"email": "kanarie-5", "age": 41, "note": "new", "nick": "a \"b\" \u00e9"}, {"email":"kanarie-6","age" : null, "born": "1973-03-31", "balance": 12.345, "doc": {"kanarie": [1, null]}}]
INSERT INTO users (email, age, note, nick, born, balance, doc) SELECT email, age, note, nick, born, balance, doc FROM json_to_recordset($1) AS _(email text, age integer, note text, nick character varying, born date, balance numeric, doc jsonb) RETURNING email, age, note, nick, born, balance, doc
-- case: json_to_recordset with a cast | ok
-- params: [{"email": "kanarie-5", "photo": "\\x6b616e61726965", "ssn": "kanarie \\ é\t漢"}, {}]
INSERT INTO users (email, photo, ssn) SELECT x.email, x.photo, x.ssn FROM json_to_recordset($1::json) AS x(email varchar, ssn text, photo bytea) RETURNING email, photo, ssn
-- case: jsonb_to_recordset | ok
-- params: [{"email": "kanarie-5", "age": 4.1e1, "balance": 1e1, "email": "kanarie-6", "doc": {"b": 1, "a": [ 1.50 ]}}]
INSERT INTO users (email, age, balance, doc) SELECT email, age, balance, doc FROM jsonb_to_recordset($1::jsonb) AS x(email text, age int, balance numeric, doc jsonb) RETURNING email, age, balance, doc
-- case: quotes in a document | ok
-- params: [{"email": "kanarie's", "note": "it's \\ 'x', ('y')"}]
INSERT INTO users (email, note) SELECT email, note FROM json_to_recordset($1) AS _(email text, note text) RETURNING email, note
-- case: json_to_record | ok
-- params: {"email": "kanarie-5", "age": "41"} | kanarie-1
UPDATE users SET email = b.email, age = b.age FROM json_to_record($1) AS b(email text, age int) WHERE users.email = $2 RETURNING users.*
-- case: json records joined | ok
-- params: [{"email": "kanarie-1", "note": "z"}, {"email": "kanarie-7"}]
UPDATE users SET note = x.note FROM json_to_recordset($1) AS x(email text, note text) WHERE users.email = x.email RETURNING users.id, users.email, users.note
-- case: a document of one column | ok
-- params: [{"email": "kanarie-5"}]
INSERT INTO users (email) SELECT x.email FROM json_to_recordset($1) AS x(email text) RETURNING email
-- case: members that no column reads | ok
-- params: [{"email": "kanarie-5", "secret": "kanarie", "more": {"kanarie": ["kanarie"]}}]
INSERT INTO users (email) SELECT x.email FROM json_to_recordset($1) AS x(email text) RETURNING email
-- case: records as rows of the table | ok
-- params: [{"email": "kanarie-5", "age": 41, "born": "1973-03-31", "note": "n", "doc": [1,  2], "ssn": "kanarie"}]
INSERT INTO users (id, email, age, born, note, doc) SELECT 77, email, age, born, note, doc FROM json_populate_recordset(NULL::users, $1) RETURNING *
-- case: records as rows, one of them | ok
-- params: {"id": 78, "email": "kanarie-5", "age": 41}
INSERT INTO public.users SELECT r.* FROM jsonb_populate_record(NULL::public.users, $1) AS r RETURNING *
-- case: a null document | ok
-- params: \N
-- ways: extended binary named pipelined in_transaction prepared
INSERT INTO users (email) SELECT x.email FROM json_to_recordset($1) AS x(email text) RETURNING email
-- case: no json | error 22P02
-- params: [{"email": "kanarie-5}]
INSERT INTO users (email) SELECT x.email FROM json_to_recordset($1) AS x(email text)
-- case: no records | error 22023
-- params: ["kanarie"]
INSERT INTO users (email) SELECT x.email FROM json_to_recordset($1) AS x(email text)
-- case: a value of another type | error 22P02
-- params: [{"age": "kanarie"}]
INSERT INTO users (age) SELECT x.age FROM json_to_recordset($1) AS x(age int)
-- case: a value that is too long | error 22001
-- params: [{"nick": "kanarie longer than twenty characters"}]
INSERT INTO users (nick) SELECT x.nick FROM json_to_recordset($1) AS x(nick text)
-- case: postgrest: insert | ok
-- params: [{"email": "kanarie-5", "age": 41, "note": "new"}, {"email": "kanarie-6", "age": null}]
-- ways: literals
WITH pgrst_source AS (INSERT INTO "public"."users"("age", "email", "note") SELECT "pgrst_body"."age", "pgrst_body"."email", "pgrst_body"."note" FROM (SELECT $1::json AS json_data) pgrst_payload, LATERAL (SELECT "age", "email", "note" FROM json_to_recordset(pgrst_payload.json_data) AS _("age" integer, "email" text, "note" text) ) pgrst_body RETURNING "public"."users"."id", "public"."users"."email", "public"."users"."age", "public"."users"."note") SELECT '' AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, array[]::text[] AS header, coalesce(json_agg(_postgrest_t), '[]') AS body, nullif(current_setting('response.headers', true), '') AS response_headers FROM (SELECT * FROM pgrst_source) _postgrest_t
-- case: postgrest: insert with a cast of the parameter | ok
-- params: [{"email": "kanarie-5", "age": 41}]
WITH pgrst_source AS (INSERT INTO "public"."users"("age", "email") SELECT "pgrst_body"."age", "pgrst_body"."email" FROM (SELECT $1::json AS json_data) pgrst_payload, LATERAL (SELECT "age", "email" FROM json_to_recordset(pgrst_payload.json_data) AS _("age" integer, "email" text) ) pgrst_body RETURNING "public"."users"."email") SELECT coalesce(json_agg(_postgrest_t), '[]') AS body FROM (SELECT * FROM pgrst_source) _postgrest_t
-- case: postgrest: upsert | ok
-- params: {"email": "kanarie-1", "ssn": "kanarie new"}
WITH pgrst_source AS (INSERT INTO "public"."users"("email", "ssn") SELECT "pgrst_body"."email", "pgrst_body"."ssn" FROM (SELECT $1::json AS json_data) pgrst_payload, LATERAL (SELECT "email", "ssn" FROM json_to_record(pgrst_payload.json_data) AS _("email" text, "ssn" text) ) pgrst_body ON CONFLICT("email") DO UPDATE SET "email" = EXCLUDED."email", "ssn" = EXCLUDED."ssn" RETURNING "public"."users"."email", "public"."users"."ssn") SELECT coalesce(json_agg(_postgrest_t)->0, 'null') AS body FROM (SELECT * FROM pgrst_source) _postgrest_t
-- case: postgrest: patch | ok
-- params: {"age": 42, "nick": "kanarie"} | kanarie-2
WITH pgrst_source AS (UPDATE "public"."users" SET "age" = "pgrst_body"."age", "nick" = "pgrst_body"."nick" FROM (SELECT $1::json AS json_data) pgrst_payload, LATERAL (SELECT "age", "nick" FROM json_to_record(pgrst_payload.json_data) AS _("age" integer, "nick" character varying) ) pgrst_body WHERE "public"."users"."email" = $2 RETURNING "public"."users"."id", "public"."users"."age", "public"."users"."nick") SELECT '' AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body FROM (SELECT * FROM pgrst_source) _postgrest_t
-- case: hasura: update many by a document | ok
-- params: [{"id": 1, "ssn": "kanarie new"}, {"id": 2, "ssn": null}]
UPDATE users SET ssn = d.ssn FROM jsonb_to_recordset($1) AS d(id bigint, ssn text) WHERE users.id = d.id RETURNING users.id, users.ssn
-- case: a document read in two ways | refused
-- params: [{"email": "kanarie-5"}]
-- ways: extended literals prepared
INSERT INTO users (email, note) SELECT a.email, b.email FROM (SELECT $1::json AS d) p, json_to_recordset(p.d) AS a(email text), json_to_recordset(p.d) AS b(email text)
-- case: a document that is looked into elsewhere | refused
-- params: [{"email": "kanarie-5"}]
-- ways: extended literals prepared
INSERT INTO users (email, note) SELECT a.email, p.d -> 0 ->> 'email' FROM (SELECT $1::json AS d) p, json_to_recordset(p.d) AS a(email text)
-- case: one parameter, two documents | refused
-- params: [{"email": "kanarie-5", "ssn": "kanarie"}]
-- ways: extended
INSERT INTO users (email, ssn) SELECT a.email, b.ssn FROM json_to_recordset($1) AS a(email text), json_to_recordset($1) AS b(ssn text)
-- case: a document that is given back | refused
-- params: [{"email": "kanarie-5"}]
-- ways: extended literals prepared
WITH p AS (SELECT $1::json AS d), i AS (INSERT INTO users (email) SELECT a.email FROM p, json_to_recordset(p.d) AS a(email text)) SELECT d FROM p
-- case: a protected member in an unprotected column | refused
-- params: [{"email": "kanarie-5"}]
-- ways: extended literals prepared
INSERT INTO users (email, note) SELECT email, email FROM json_to_recordset($1) AS a(email text)
-- case: a function of a member | refused
-- params: [{"email": "kanarie-5"}]
-- ways: extended literals prepared
INSERT INTO users (email) SELECT email FROM json_to_recordset($1) AS a(email text) WHERE lower(email) <> 'x'
-- case: a protected name that is not stored as such | refused
-- params: [{"email": "kanarie-5", "ssn": "kanarie"}]
-- ways: extended literals prepared
INSERT INTO users (email) SELECT email FROM json_to_recordset($1) AS a(email text, ssn text)
-- case: a changed member | refused
-- params: [{"email": "kanarie-5"}]
-- ways: extended literals prepared
INSERT INTO users (email) SELECT lower(email) FROM json_to_recordset($1) AS a(email text)
-- case: elements of a document | refused
-- params: [{"email": "kanarie-5"}]
-- ways: extended literals prepared
INSERT INTO users (email) SELECT x ->> 'email' FROM json_array_elements($1) AS x
-- case: a document that an expression makes | refused
-- params: [{"email": "kanarie-5"}]
-- ways: extended literals prepared
INSERT INTO users (email) SELECT email FROM jsonb_to_recordset(COALESCE($1::jsonb, '[]')) AS a(email text)
-- case: a record in the list | refused
-- params: {"email": "kanarie-5"}
-- ways: extended literals prepared
INSERT INTO users SELECT (jsonb_populate_record(NULL::users, $1)).*
-- case: json records of a table by star | ok
-- ways: simple
INSERT INTO users SELECT * FROM json_populate_recordset(null::users, '[{"id": 70, "email": "kanarie-5"}]')
