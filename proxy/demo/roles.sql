-- Run by the database's administrator, in the database app.
CREATE ROLE app LOGIN;      -- the application's own login
CREATE ROLE pgveil LOGIN;   -- pgveil's maintenance login: it reads the catalogue, and needs no right to any table
ALTER DATABASE app OWNER TO app;
