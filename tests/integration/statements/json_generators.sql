-- case: postgrest: read | ok
-- params: kanarie-1 | 10 | 0
-- ways: extended binary named pipelined in_transaction
WITH pgrst_source AS ( SELECT "public"."users".* FROM "public"."users" WHERE "public"."users"."email" = $1 LIMIT $2 OFFSET $3 ) SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body, nullif(current_setting('response.headers', true), '') AS response_headers, nullif(current_setting('response.status', true), '') AS response_status, '' AS response_inserted FROM ( SELECT * FROM pgrst_source ) _postgrest_t
-- case: postgrest: read as text (before version 10) | ok
WITH pgrst_source AS ( SELECT "public"."users"."id", "public"."users"."email", "public"."users"."age" FROM "public"."users" ORDER BY "public"."users"."id" ) SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]')::character varying AS body FROM ( SELECT * FROM pgrst_source ) _postgrest_t
-- case: postgrest: read of nothing | ok
WITH pgrst_source AS ( SELECT "public"."users".* FROM "public"."users" WHERE "public"."users"."email" = 'kanarie-none' ) SELECT coalesce(json_agg(_postgrest_t), '[]')::character varying AS body FROM ( SELECT * FROM pgrst_source ) _postgrest_t
-- case: postgrest: exact count | ok
WITH pgrst_source AS ( SELECT "public"."users"."email" FROM "public"."users" ORDER BY "public"."users"."id" LIMIT 1 ), pgrst_source_count AS (SELECT 1 FROM "public"."users") SELECT (SELECT pg_catalog.count(*) FROM pgrst_source_count) AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body FROM ( SELECT * FROM pgrst_source ) _postgrest_t
-- case: postgrest: a single object | ok
WITH pgrst_source AS ( SELECT "public"."users"."email", "public"."users"."born" FROM "public"."users" WHERE "public"."users"."id" = 1 ) SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t)->0, 'null') AS body FROM ( SELECT * FROM pgrst_source ) _postgrest_t
-- case: postgrest: to-many embedding | ok
WITH pgrst_source AS ( SELECT "public"."users"."id", "public"."users"."email", COALESCE( "users_orders_1"."users_orders_1", '[]') AS "orders" FROM "public"."users" LEFT JOIN LATERAL ( SELECT json_agg("users_orders_1") AS "users_orders_1" FROM (SELECT "orders_1"."id", "orders_1"."buyer", "orders_1"."total" FROM "public"."orders" AS "orders_1" WHERE "orders_1"."user_id" = "public"."users"."id" ORDER BY "orders_1"."id" ) AS "users_orders_1" ) AS "users_orders_1" ON TRUE ORDER BY "public"."users"."id" ) SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body FROM ( SELECT * FROM pgrst_source ) _postgrest_t
-- case: postgrest: to-many embedding as jsonb, filtered | ok
WITH pgrst_source AS ( SELECT "public"."users"."email", COALESCE( "users_orders_1"."users_orders_1", '[]') AS "orders" FROM "public"."users" LEFT JOIN LATERAL ( SELECT json_agg("users_orders_1")::jsonb AS "users_orders_1" FROM (SELECT "orders_1"."buyer" FROM "public"."orders" AS "orders_1" WHERE "orders_1"."buyer" = "public"."users"."email" ORDER BY "orders_1"."id") AS "users_orders_1" ) AS "users_orders_1" ON TRUE WHERE "users_orders_1" IS NOT NULL ORDER BY "public"."users"."id" ) SELECT coalesce(json_agg(_postgrest_t), '[]') AS body FROM ( SELECT * FROM pgrst_source ) _postgrest_t
-- case: postgrest: to-one embedding | ok
WITH pgrst_source AS ( SELECT "public"."orders"."id", "public"."orders"."buyer", row_to_json("orders_users_1".*)::jsonb AS "users" FROM "public"."orders" LEFT JOIN LATERAL ( SELECT "users_1"."email", "users_1"."ssn", "users_1"."age", "users_1"."doc" FROM "public"."users" AS "users_1" WHERE "users_1"."id" = "public"."orders"."user_id" ) AS "orders_users_1" ON TRUE ORDER BY "public"."orders"."id" ) SELECT coalesce(json_agg(_postgrest_t), '[]') AS body FROM ( SELECT * FROM pgrst_source ) _postgrest_t
-- case: postgrest: settings of a request | ok
-- params: role | {"method": "GET"}
-- ways: extended binary named pipelined in_transaction
select set_config('search_path', 'public', true), set_config('request.jwt.claims', $2, true), set_config('request.method', $1, true)
-- case: hasura: a query with relationships | ok
SELECT coalesce(json_agg("root" ORDER BY "root.pg.id" ASC NULLS LAST), '[]') AS "root" FROM (SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.base"."id" AS "id", "_root.base"."email" AS "email", "_root.base"."age" AS "age", "_root.ar.root.orders"."orders" AS "orders") AS "_e")) AS "root", "_root.base"."id" AS "root.pg.id" FROM (SELECT * FROM "public"."users" WHERE (("public"."users"."email") = (('kanarie-1')::text)) ORDER BY "id" ASC NULLS LAST LIMIT 5) AS "_root.base" LEFT OUTER JOIN LATERAL (SELECT coalesce(json_agg("orders"), '[]') AS "orders" FROM (SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.ar.root.orders.base"."id" AS "id", "_root.ar.root.orders.base"."buyer" AS "buyer") AS "_e")) AS "orders" FROM (SELECT * FROM "public"."orders" WHERE (("_root.base"."id") = ("user_id")) ORDER BY "id") AS "_root.ar.root.orders.base") AS "_root.ar.root.orders") AS "_root.ar.root.orders" ON ('true')) AS "_root"
-- case: hasura: an object relationship | ok
SELECT coalesce(json_agg("root"), '[]') AS "root" FROM (SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.base"."buyer" AS "buyer", "_root.or.user"."user" AS "user") AS "_e")) AS "root" FROM (SELECT * FROM "public"."orders" WHERE ('true') ORDER BY "id") AS "_root.base" LEFT OUTER JOIN LATERAL (SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.or.user.base"."email" AS "email", "_root.or.user.base"."born" AS "born", "_root.or.user.base"."balance" AS "balance", "_root.or.user.base"."doc" AS "doc") AS "_e")) AS "user" FROM (SELECT * FROM "public"."users" WHERE (("_root.base"."user_id") = ("id")) LIMIT 1) AS "_root.or.user.base") AS "_root.or.user" ON ('true')) AS "_root"
-- case: hasura: by primary key | ok
SELECT coalesce((json_agg("root") -> 0), 'null') AS "root" FROM (SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.base"."email" AS "email", "_root.base"."ssn" AS "ssn") AS "_e")) AS "root" FROM (SELECT * FROM "public"."users" WHERE (("public"."users"."id") = (('1')::bigint))) AS "_root.base") AS "_root"
-- case: hasura: aggregates | ok
SELECT json_build_object('aggregate', json_build_object('count', COUNT(*)), 'nodes', coalesce(json_agg("nodes"), '[]')) AS "root" FROM (SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.base"."email" AS "email") AS "_e")) AS "nodes" FROM (SELECT * FROM "public"."users" WHERE ('true') ORDER BY "id") AS "_root.base") AS "_root"
-- case: hasura: insert | ok
-- params: kanarie-5 | kanarie ssn
WITH "users__mutation_result_alias" AS (INSERT INTO "public"."users" ("email", "ssn", "note") VALUES (($1)::text, ($2)::text, DEFAULT) ON CONFLICT ("email") DO UPDATE SET "ssn" = "excluded"."ssn" RETURNING *, ('true')::bool AS "check__constraint"), "users__all_columns_alias" AS (SELECT "id", "email", "ssn", "note" FROM "users__mutation_result_alias") SELECT json_build_object('affected_rows', (SELECT COUNT(*) FROM "users__all_columns_alias"), 'returning', (SELECT coalesce(json_agg("root"), '[]') AS "root" FROM (SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.base"."id" AS "id", "_root.base"."email" AS "email", "_root.base"."ssn" AS "ssn") AS "_e")) AS "root" FROM (SELECT * FROM "users__all_columns_alias" WHERE ('true')) AS "_root.base") AS "_root")) AS "root", (SELECT coalesce(bool_and("check__constraint"), 'true') FROM "users__mutation_result_alias") AS "check"
-- case: prisma: relation joins, to many | ok
SELECT "t1"."id", "t1"."email", "User_orders"."__prisma_data__" AS "orders" FROM "public"."users" AS "t1" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t4"."__prisma_data__" FROM (SELECT JSONB_BUILD_OBJECT('id', "t3"."id", 'buyer', "t3"."buyer", 'total', "t3"."total") AS "__prisma_data__" FROM (SELECT "t2".* FROM "public"."orders" AS "t2" WHERE "t1"."id" = "t2"."user_id" ORDER BY "t2"."id" /* root select */) AS "t3" /* inner select */) AS "t4" /* middle select */) AS "t5" /* outer select */) AS "User_orders" ON TRUE WHERE "t1"."email" = 'kanarie-1'
-- case: prisma: relation joins, to one | ok
-- params: 1 | 0
SELECT "t1"."id", "t1"."buyer", "Order_user"."__prisma_data__" AS "user" FROM "public"."orders" AS "t1" LEFT JOIN LATERAL (SELECT JSONB_BUILD_OBJECT('email', "t2"."email", 'age', "t2"."age", 'born', "t2"."born", 'balance', "t2"."balance", 'doc', "t2"."doc", 'photo', "t2"."photo") AS "__prisma_data__" FROM (SELECT "t2".* FROM "public"."users" AS "t2" WHERE "t1"."user_id" = "t2"."id" LIMIT $1 /* root select */) AS "t2") AS "Order_user" ON TRUE ORDER BY "t1"."id" OFFSET $2
-- case: drizzle: relational query, many | ok
-- params: 1
select "users"."id", "users"."email", "users_orders"."data" as "orders" from "users" "users" left join lateral (select coalesce(json_agg(json_build_array("users_orders"."id", "users_orders"."buyer", "users_orders"."total") order by "users_orders"."id" asc), '[]'::json) as "data" from "orders" "users_orders" where "users_orders"."user_id" = "users"."id") "users_orders" on true where "users"."id" = $1
-- case: drizzle: relational query, one | ok
select "orders"."id", "orders"."buyer", "orders_user"."data" as "user" from "orders" "orders" left join lateral (select json_build_array("orders_user"."email", "orders_user"."age", "orders_user"."born") as "data" from (select * from "users" "orders_user" where "orders_user"."id" = "orders"."user_id" limit 1) "orders_user") "orders_user" on true
-- case: rails: an array of rows | ok
SELECT array_to_json(array_agg(row_to_json(t))) FROM (SELECT "users"."id", "users"."email", "users"."age" FROM "users" ORDER BY id) t
-- case: rails: an array of records | ok
SELECT array_to_json(array_agg(t)), array_to_json(array_agg(t), true) FROM (SELECT id, email, doc, balance FROM users ORDER BY id) t
-- case: rails: json of a subquery | ok
SELECT coalesce(json_agg(t)::text, '[]'), json_agg(t)::jsonb, count(t) FROM (SELECT "users"."email", (SELECT json_agg(o) FROM (SELECT orders.id, orders.buyer FROM orders WHERE orders.buyer = users.email ORDER BY id) o) AS orders FROM "users" ORDER BY id) t
-- case: django: JSONObject and ArrayAgg | ok
SELECT JSONB_BUILD_OBJECT(('email')::text, "users"."email", ('age')::text, "users"."age") AS "o" FROM "users" WHERE "users"."id" IN (1, 2)
-- case: django: ArrayAgg | ok
SELECT ARRAY_AGG("users"."email" ORDER BY "users"."id" ASC) AS "emails", ARRAY_AGG("users"."age" ORDER BY "users"."id") FILTER (WHERE "users"."note" = 'a') AS "ages" FROM "users"
-- case: django: JSONBAgg with a default | ok
SELECT COALESCE(JSONB_AGG("users"."nick" ORDER BY "users"."id"), '[]'::jsonb) AS "nicks", COALESCE(JSONB_AGG("users"."age") FILTER (WHERE "users"."id" > 100), '[]'::jsonb) AS "none" FROM "users"
-- case: django: ArraySubquery of JSONObject | ok
SELECT "users"."id", ARRAY(SELECT JSONB_BUILD_OBJECT(('buyer')::text, U0."buyer", ('note')::text, U0."note") AS "o" FROM "orders" U0 WHERE U0."user_id" = ("users"."id") ORDER BY U0."id") AS "orders" FROM "users" ORDER BY "users"."id"
-- case: sqlalchemy: aggregates | ok
-- params: email | age
SELECT json_agg(json_build_object($1::VARCHAR, users.email, $2::VARCHAR, users.age) ORDER BY users.id) AS json_agg_1, array_agg(users.nick ORDER BY users.id DESC) AS array_agg_1, row_to_json(contacts) AS row_1 FROM users JOIN contacts ON contacts.id = 1 GROUP BY contacts.*, contacts.id, contacts.mail, contacts.note
-- case: sqlalchemy: a table valued row | ok
SELECT row_to_json(users) AS row_to_json_1 FROM users WHERE users.id = 1
-- case: supabase: a row and its children | ok
SELECT to_jsonb(u) || jsonb_build_object('orders', coalesce((SELECT jsonb_agg(to_jsonb(o) ORDER BY o.id) FROM orders o WHERE o.user_id = u.id), '[]'::jsonb)) AS user FROM users u ORDER BY u.id
-- case: a row without some of its members | ok
SELECT to_jsonb(u) - 'ssn', to_jsonb(u) - '{photo,doc}'::text[], to_jsonb(u) - ARRAY['age', 'email'] FROM users u ORDER BY u.id
-- case: json of each kind of value | ok
SELECT to_json(email), to_json(age), to_json(born), to_json(balance), to_json(doc), to_json(photo), to_json(nick), to_jsonb(age), to_jsonb(doc), to_jsonb(photo) FROM users ORDER BY id
-- case: json within jsonb within json | ok
SELECT json_build_object('a', jsonb_build_object('doc', doc, 'n', balance), 'b', json_build_array(email, NULL, 1.50, true)) FROM users ORDER BY id
-- case: rows within rows | ok
SELECT row_to_json(t) FROM (SELECT u, o FROM users u JOIN orders o ON o.buyer = u.email) t
-- case: nulls stripped | ok
SELECT json_strip_nulls(row_to_json(t)), jsonb_strip_nulls(to_jsonb(t)) FROM (SELECT id, email, age, born, nick FROM users ORDER BY id) t
-- case: nulls stripped of documents | refused
SELECT json_strip_nulls(row_to_json(u)) FROM users u
-- case: filter and order | ok
SELECT json_agg(email ORDER BY id DESC) FILTER (WHERE note = 'a'), jsonb_object_agg(id, ssn) FILTER (WHERE email IS NOT NULL) FROM users
-- case: distinct | ok
SELECT (SELECT jsonb_agg(DISTINCT age) FROM users WHERE age = 17), count(DISTINCT email) FROM users
-- case: measures | ok
SELECT json_array_length(json_agg(email)), jsonb_typeof(jsonb_agg(age)), array_length(array_agg(email), 1), cardinality(array_agg(to_json(ssn))) FROM users
-- case: equal keys | ok
SELECT jsonb_build_object('a', email, 'a', age), json_build_object('a', email, 'a', age) FROM users ORDER BY id
-- case: arrays of documents | ok
SELECT array_agg(row_to_json(t)), array_agg(to_jsonb(t)), array_agg(row_to_json(t)::text) FROM (SELECT email, age, doc FROM users ORDER BY id) t
-- case: documents out of an array | ok
SELECT unnest(d), (SELECT jsonb_agg(x) FROM unnest(d) x) FROM (SELECT array_agg(to_jsonb(t)) AS d FROM (SELECT email, age FROM users ORDER BY id) t) s
-- case: case and union of documents | ok
SELECT CASE WHEN id = 1 THEN json_build_object('e', email) WHEN id = 2 THEN row_to_json(u) ELSE '{}' END FROM users u ORDER BY id
-- case: union all of documents | ok
SELECT json_agg(email ORDER BY id) AS j FROM users UNION ALL SELECT json_agg(buyer ORDER BY id) FROM orders
-- case: sql json constructors | ok
-- since: 16
SELECT JSON_OBJECT('e': email, 'a': age, 'n': note), JSON_OBJECT('e' VALUE email, 'a' VALUE age ABSENT ON NULL RETURNING jsonb), JSON_ARRAY(email, born, 1), JSON_ARRAY(email, NULL NULL ON NULL RETURNING text) FROM users ORDER BY id
-- case: sql json aggregates | ok
-- since: 16
SELECT JSON_ARRAYAGG(email ORDER BY id), JSON_ARRAYAGG(balance ORDER BY id NULL ON NULL RETURNING jsonb), JSON_OBJECTAGG(id: email), JSON_OBJECTAGG(id: photo ABSENT ON NULL RETURNING jsonb) FILTER (WHERE id < 3) FROM users
-- case: sql json array of a query | ok
-- since: 16
SELECT JSON_ARRAY(SELECT email FROM users ORDER BY id), JSON_ARRAY(SELECT doc FROM users ORDER BY id RETURNING jsonb)
-- case: sql json scalar | ok
-- since: 17
SELECT JSON_SCALAR(email), JSON_SCALAR(age), JSON_SCALAR(born) FROM users ORDER BY id
-- case: format json | refused
-- since: 16
SELECT JSON_OBJECT('a': ssn FORMAT JSON) FROM users
-- case: a document that is compared | refused
SELECT 1 FROM users GROUP BY nick HAVING jsonb_agg(email) @> '["kanarie-1"]'
-- case: a document that is compared by equality | refused
SELECT id FROM users u WHERE to_jsonb(u) = '{}'
-- case: a member of a document | refused
SELECT jsonb_agg(u) -> 0 -> 'email' FROM users u
-- case: a member of a document as text | refused
SELECT to_jsonb(u) ->> 'email' FROM users u
-- case: an element of a document that is removed | refused
SELECT jsonb_agg(email) - 'kanarie-1' FROM users
-- case: a document searched by path | refused
SELECT jsonb_path_query(jsonb_agg(email), '$[0]') FROM users
-- case: the length of a document | refused
SELECT length(jsonb_agg(email)::text) FROM users
-- case: the hash of a document | refused
SELECT md5(to_json(u)::text) FROM users u
-- case: a document in order | refused
SELECT id FROM users u ORDER BY to_jsonb(u)
-- case: distinct documents | refused
SELECT DISTINCT to_jsonb(u) FROM users u
-- case: documents in groups | refused
SELECT count(*) FROM users u GROUP BY to_jsonb(u)
-- case: a union of documents | refused
SELECT to_jsonb(u) FROM users u UNION SELECT to_jsonb(o) FROM orders o
-- case: a document into an unprotected column | refused
INSERT INTO plain (name) SELECT to_jsonb(u)::text FROM users u
-- case: a document into a protected column | refused
UPDATE users u SET doc = to_jsonb(u)
-- case: text of a document in another document | refused
SELECT json_build_object('a', json_agg(email)::text) FROM users
-- case: text and a document | refused
SELECT note || to_jsonb(u) FROM users u
-- case: a default document that says something | refused
SELECT COALESCE(json_agg(email), '["kanarie"]') FROM users
-- case: a protected key | refused
SELECT json_object_agg(email, id) FROM users
-- case: a whole row | refused
SELECT u FROM users u
-- case: an array of whole rows | refused
SELECT array_agg(u) FROM users u
-- case: a row constructor | refused
SELECT ROW(id, email) FROM users
-- case: the columns of a row | ok
SELECT (u).*, (u).email FROM users u ORDER BY id
-- case: numbers and dates while bytea is shown in its escape format | ok
-- ways: simple
SET bytea_output = 'escape'; SELECT json_agg(age ORDER BY id), jsonb_agg(born ORDER BY id), to_json(array_agg(balance ORDER BY id)) FROM users; RESET bytea_output
